//! Arguments about what is around the router: the home router, this computer.

use clap::{Args, Subcommand};

/// Options of `router`.
#[derive(Debug, Args)]
pub struct RouterArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: RouterAction,
}

/// What there is to know about the router.
#[derive(Debug, Subcommand)]
pub enum RouterAction {
    /// What to set on the home router, with the real addresses and ports.
    #[command(
        after_help = "Examples:\n  bramble router guide\n  bramble router guide --offline              from the file alone\n  bramble router guide --output json | jq .portForwards\n\nIt asks the router for its hardware address if it answers; nothing is changed anywhere."
    )]
    Guide {
        /// Connect to nothing; what only the router knows is left open.
        #[arg(long)]
        offline: bool,
    },
}

/// Options of `workstation`.
#[derive(Debug, Args)]
pub struct WorkstationArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: WorkstationAction,
}

/// This computer's way to the machines behind the router.
#[derive(Debug, Subcommand)]
pub enum WorkstationAction {
    /// Set the route to the machines, their names, and the way to their DNS; needs root.
    #[command(
        after_help = "Examples:\n  sudo bramble workstation connect\n  sudo bramble -f office.yaml workstation connect\n\nThe route and the DNS setting are gone when this computer restarts; connect again then. With a static\nroute on the home router (bramble router guide) the route is not needed."
    )]
    Connect,
    /// Take away exactly what connect has set; needs root.
    #[command(
        after_help = "Examples:\n  sudo bramble workstation disconnect\n  sudo bramble workstation disconnect home    without a cluster file"
    )]
    Disconnect {
        /// Name of the cluster; by default the cluster file's.
        name: Option<String>,
    },
    /// What is set on this computer, and what the file wants.
    #[command(
        after_help = "Examples:\n  bramble workstation status\n  bramble workstation status --output json | jq .routes"
    )]
    Status,
    /// Whether this computer has what it needs to work with the cluster.
    #[command(after_help = "Example:\n  bramble workstation check")]
    Check,
}
