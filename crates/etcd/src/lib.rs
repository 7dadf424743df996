//! Care for etcd: the programs that run beside a member, and what their answers mean.
//!
//! Invariants:
//! - **Pure**: text in, text out. Who asks opens the connections.
//! - **Nothing needs the Kubernetes API**: every program works with the member of its own machine, and goes on
//!   working while the API is down.
//! - **A program that is cut off can run again**: what it has done stays, what it has not is done then.
//! - **Nothing is thrown away before its successor works**: old data and manifests lie beside until then.

mod member;
pub mod program;
mod seen;
mod snapshot;

pub use member::{Health, Member, View, quorum};
pub use seen::{Header, Listed, Seen, Status, Unreadable, status};
pub use snapshot::{Inside, Snapshot, Stored, inside, stored};

/// Where Bramble keeps snapshots on control planes.
pub const HOME: &str = "/var/lib/bramble-etcd";
/// The folder of what a restore brings and sets aside.
pub const RESTORE: &str = "/var/lib/bramble-etcd/restore";
/// Where a restore keeps the data from before.
pub const BEFORE: &str = "/var/lib/etcd/bramble-before-restore";
