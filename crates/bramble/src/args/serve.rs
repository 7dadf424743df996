//! Arguments of the daemon.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port to listen at.
    #[arg(long, default_value = "0.0.0.0:7443", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// The daemon's folder: store, certificates, runs. By default /var/lib/bramble-server, for other users than root
    /// ~/.local/share/bramble/server.
    #[arg(long, env = "BRAMBLE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A name or address that people call the daemon by, for its certificate; may be given more than once. By default
    /// the host's name and addresses.
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
}
