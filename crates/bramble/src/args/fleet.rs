//! Arguments about all machines.

use clap::{Args, Subcommand};

/// Options of `fleet`.
#[derive(Debug, Args)]
pub struct FleetArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: FleetAction,
    /// Only this machine; may be given more than once.
    #[arg(long = "machine", value_name = "NAME", global = true)]
    pub machines: Vec<String>,
}

/// Actions on all machines: one row for each, unreachable ones marked.
#[derive(Debug, Subcommand)]
pub enum FleetAction {
    /// Does it answer, and how fast.
    #[command(after_help = "Example:\n  bramble fleet ping --output json")]
    Ping,
    /// Time since boot, load.
    #[command(after_help = "Example:\n  bramble fleet uptime")]
    Uptime,
    /// Space on its file systems.
    #[command(after_help = "Example:\n  bramble fleet df --machine two")]
    Df,
    /// Addresses that it has, compared with the file.
    #[command(after_help = "Example:\n  bramble fleet check-ip")]
    CheckIp,
    /// Restart, one after the other, waiting for each to come back.
    #[command(
        after_help = "Examples:\n  bramble fleet reboot                      asks for the cluster's name\n  bramble fleet reboot --machine two --yes"
    )]
    Reboot {
        /// Don't ask.
        #[arg(short, long)]
        yes: bool,
        /// Seconds to wait for each machine.
        #[arg(long, default_value_t = 300)]
        limit: u64,
    },
}
