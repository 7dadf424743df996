//! Arguments of the daemon.

use super::BrokerArgs;
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Options of `serve`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ServeArgs {
    /// Something else than serving.
    #[command(subcommand)]
    pub action: Option<ServeAction>,
    /// Address and port to listen at.
    #[arg(long, default_value = "0.0.0.0:7443", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// The daemon's folder: store, certificates, runs. By default /var/lib/bramble-server, for other users than root
    /// ~/.local/share/bramble/server.
    #[arg(long, env = "BRAMBLE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where it keeps what it knows. With `kubernetes` several daemons share it, and one of them leads:
    /// docs/kubernetes-store.md.
    #[arg(long, value_enum, default_value = "folder", value_name = "WHERE")]
    pub store: StoreWhere,
    /// The kubeconfig of the API that keeps it; by default kubectl's, or a pod's service account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; by default the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace there, for Bramble alone; by default the context's.
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// A name or address that people call the daemon by, for its certificate; may be given more than once. By default
    /// the host's name and addresses.
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// Whether the lights watch the API of every cluster that is ready, with the administrator's access that its machines
    /// give.
    #[arg(long, value_enum, default_value = "on", value_name = "WHETHER")]
    pub watch_clusters: OnOff,
    /// Buttons.
    #[command(flatten)]
    pub buttons: ButtonArgs,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Where the daemon keeps what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreWhere {
    /// In its folder; it needs nothing else.
    Folder,
    /// In a Kubernetes API, as resources of bramble.dev.
    Kubernetes,
}

/// Around the daemon.
#[derive(Debug, Subcommand)]
pub enum ServeAction {
    /// Print the definitions of the daemon's resources, for a store in Kubernetes.
    #[command(after_help = "Example:\n  bramble serve crds | kubectl apply -f -")]
    Crds,
}

/// How buttons are heard.
#[derive(Debug, Args)]
#[command(next_help_heading = "Buttons")]
pub struct ButtonArgs {
    /// Address and port of the broker inside, with TLS; `off` for none. There is none with --broker, which is used
    /// instead.
    #[arg(
        long,
        default_value = "0.0.0.0:8883",
        value_name = "ADDRESS:PORT",
        conflicts_with = "broker"
    )]
    pub mqtt: String,
    /// The name of this daemon that buttons believe.
    #[arg(long, default_value = "bramble", value_name = "NAME")]
    pub handler: String,
    /// A broker that is there already.
    #[command(flatten)]
    pub other: BrokerArgs,
    /// Hear old buttons too, which sign nothing, at this topic (usually DashButton). Whoever may publish there can press
    /// every old button that is registered.
    #[arg(long, value_name = "TOPIC")]
    pub old_topic: Option<String>,
    /// Address and port of the broker inside for old buttons, without TLS.
    #[arg(long, value_name = "ADDRESS:PORT", requires_all = ["old_topic", "old_login"], conflicts_with = "broker")]
    pub old_listen: Option<SocketAddr>,
    /// File with user and password of all old buttons, a line each. They go over the network in clear.
    #[arg(long, value_name = "FILE", requires = "old_listen")]
    pub old_login: Option<PathBuf>,
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
