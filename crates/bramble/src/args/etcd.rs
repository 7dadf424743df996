//! Arguments about the cluster's store.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Options of `etcd`.
#[derive(Debug, Args)]
pub struct EtcdArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: EtcdAction,
}

/// What can be done with etcd. All of it goes by SSH and works while the API is down.
#[derive(Debug, Subcommand)]
pub enum EtcdAction {
    /// The members: who leads, who is healthy, how large their data is.
    #[command(
        after_help = "Examples:\n  bramble etcd members\n  bramble etcd members --output json | jq .members\n\nExit codes: 0 all are healthy, 1 one is not."
    )]
    Members,
    /// Take a snapshot, copy it to this computer, check it.
    #[command(
        after_help = "Examples:\n  bramble etcd snapshot                      NAME-TIME.db in this folder\n  bramble etcd snapshot --to /backup/home.db\n  bramble etcd snapshot --keep-on-machine    leave a copy on the control plane as well\n\nA snapshot holds every secret of the cluster: its file can be read by you alone (0600)."
    )]
    Snapshot(EtcdSnapshotArgs),
    /// The snapshots that are on the control planes.
    #[command(after_help = "Example:\n  bramble etcd snapshots")]
    Snapshots,
    /// Give back the space of deleted data, one member after the other, the leader last.
    #[command(
        after_help = "Examples:\n  bramble etcd defrag\n  bramble etcd defrag --machine two\n\nA member answers nobody while it is at it: seconds for each gigabyte."
    )]
    Defrag {
        /// Only this control plane; may be given more than once.
        #[arg(long = "machine", value_name = "NAME")]
        machines: Vec<String>,
    },
    /// Make the cluster's state that of a snapshot.
    #[command(
        after_help = "Examples:\n  bramble etcd restore home-20261126T010203Z.db\n  bramble etcd restore --back                the data from before it, while it is under way\n\nAll control planes stop, begin together with the snapshot's data, and start again; workloads go on. The\ndata from before stays beside the new until the next restore. Cut off anywhere, run it again."
    )]
    Restore(EtcdRestoreArgs),
    /// Quorum is lost for good: make one member that is left the whole of etcd, with all its data.
    #[command(
        after_help = "Examples:\n  bramble etcd recover                       the member that knows the most\n  bramble etcd recover --machine two\n\nThe cluster stays the same one: its objects with their UIDs, its certificates; workloads never stop. It\nrefuses while there is a quorum. Lost control planes must be made anew before they come back."
    )]
    Recover {
        /// The control plane whose member is to go on; by default the one that knows the most.
        #[arg(long, value_name = "NAME")]
        machine: Option<String>,
        /// Don't ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Options of `etcd snapshot`.
#[derive(Debug, Args)]
pub struct EtcdSnapshotArgs {
    /// File to write; by default CLUSTER-TIME.db in this folder.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// The control plane to take it on; by default a healthy one that knows the most.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Leave it on the control plane too, in /var/lib/bramble-etcd.
    #[arg(long)]
    pub keep_on_machine: bool,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// Options of `etcd restore`.
#[derive(Debug, Args)]
pub struct EtcdRestoreArgs {
    /// The snapshot, of `bramble etcd snapshot`, of a timer, or of etcdctl.
    #[arg(required_unless_present = "back", value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// A control plane that is gone for good; may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Put the data from before a restore that is under way in its place again.
    #[arg(long, conflicts_with = "snapshot")]
    pub back: bool,
    /// Don't ask.
    #[arg(long)]
    pub yes: bool,
}
