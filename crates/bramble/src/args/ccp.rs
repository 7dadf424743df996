//! Arguments about Cisco Container Platform.

use clap::{Args, Subcommand};

/// Options of `ccp`.
#[derive(Debug, Args)]
pub struct CcpArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: CcpAction,
}

/// Actions on a platform's clusters.
#[derive(Debug, Subcommand)]
pub enum CcpAction {
    /// Make the file's cluster from its template, and follow it until it is ready.
    #[command(
        after_help = "Examples:\n  bramble ccp up -f ccp.yaml\n  bramble ccp up -f ccp.yaml --output json      the events of `bramble up`\n\nA cluster that was ordered before is followed. Interrupted, the platform goes on by itself."
    )]
    Up {
        /// There is nothing that it asks; accepted because `up` accepts it.
        #[arg(short, long, hide = true)]
        yes: bool,
    },
    /// Delete the file's cluster, and follow it until it is gone.
    #[command(
        after_help = "Examples:\n  bramble ccp down -f ccp.yaml                  asks for the cluster's name\n  bramble ccp down -f ccp.yaml --yes\n\nClusters that Bramble didn't make are left alone."
    )]
    Down {
        /// Don't ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// The platform's clusters.
    #[command(after_help = "Example:\n  bramble ccp list -f ccp.yaml")]
    List,
    /// Ranges of addresses that the platform's clusters use.
    #[command(after_help = "Example:\n  bramble ccp ranges -f ccp.yaml --output json")]
    Ranges,
}
