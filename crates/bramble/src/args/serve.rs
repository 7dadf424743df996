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

/// Options of `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The daemon, such as https://pi.home.arpa:7443.
    #[arg(value_name = "URL")]
    pub url: String,
    /// File with the authority that the daemon's certificate is from, in PEM; by default the one that is known
    /// already, or those of the system.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Your name there; asked for without.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File with your password; asked for without.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}
