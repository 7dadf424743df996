//! Arguments about certificates.

use clap::{Args, Subcommand};

/// Options of `certs`.
#[derive(Debug, Args)]
pub struct CertsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: CertsAction,
}

/// Actions on certificates.
#[derive(Debug, Subcommand)]
pub enum CertsAction {
    /// Every certificate of the nodes: what it is, whom it names, who signed it, how long it lasts.
    #[command(
        after_help = "Examples:\n  bramble certs status\n  bramble certs status --output json | jq '.certificates[] | select(.days < 60)'\n\nRead on the machines: it works while the API is down. Exit codes: 0 all last, 1 one is over, 4 a machine\nis not reached. One that ends within 30 days is marked; one that the kubelet replaces by itself only when\nless than a tenth of its life is left."
    )]
    Status,
    /// New certificates for the control planes, one control plane after the other, and for kubelets that
    /// can't get them by themselves any more.
    #[command(
        after_help = "Examples:\n  bramble certs renew --dry-run             what would be renewed\n  bramble certs renew\n  bramble certs renew --machine one\n\nOn each control plane etcd, the API server, the controller manager and the scheduler restart in this order,\neach once the one before is healthy. With three control planes the API is there all the time. Works when\neverything is over, too. Interrupted, the same command goes on. The CAs stay: see rotate-ca."
    )]
    Renew {
        /// Only this machine; may be given more than once.
        #[arg(long = "machine", value_name = "NAME")]
        machines: Vec<String>,
        /// Say what would be renewed; change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// New CAs for the cluster, for etcd and for extensions, in stages that each leave the cluster working.
    #[command(
        after_help = "Examples:\n  bramble certs rotate-ca                   asks for the cluster's name\n  bramble certs rotate-ca --until-trusted   stops where pods of your own should restart\n  bramble certs rotate-ca --yes\n\nFirst everything trusts the old CAs and the new ones, then the new ones sign, then the old ones are dropped.\nHow far it is stands on the machines: interrupted, the same command goes on, from any computer. Keys that\nsign the tokens of service accounts stay."
    )]
    RotateCa {
        /// Don't ask.
        #[arg(short, long)]
        yes: bool,
        /// Stop once old and new CAs are trusted, so that pods of your own that talk to the API can be
        /// restarted; the same command without it goes on.
        #[arg(long)]
        until_trusted: bool,
        /// Say what would be done; change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}
