//! What long calls tell while they work.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// What is being waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// Another process to finish its work on the same lab.
    Lock,
    /// Another process to finish the root image.
    Image,
    /// A machine's SSH server.
    Ssh,
    /// A machine's clean shutdown.
    Shutdown,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The root image is being built; a line of the builder's log.
    ImageProgress {
        /// The line.
        line: String,
    },
    /// The root image is there.
    ImageReady {
        /// Where.
        path: PathBuf,
        /// True where it was in the cache.
        cached: bool,
        /// How long that took.
        took: Duration,
    },
    /// A network was made.
    NetworkReady {
        /// Its name in the topology.
        net: String,
        /// The bridge on this computer.
        bridge: String,
    },
    /// A machine was switched on.
    MachineStarted {
        /// Its name.
        machine: String,
    },
    /// A wait began.
    Waiting {
        /// Which machine, if one.
        machine: Option<String>,
        /// For what.
        what: WaitFor,
        /// How long at most.
        limit: Duration,
    },
    /// A machine's SSH server answers.
    MachineReady {
        /// Its name.
        machine: String,
        /// The addresses on its disk, without those from DHCP.
        addresses: Vec<Ipv4Addr>,
        /// Since it was switched on.
        took: Duration,
    },
    /// A machine is off.
    MachineStopped {
        /// Its name.
        machine: String,
    },
    /// The lab is gone with all that belonged to it.
    Removed {
        /// The lab's name.
        lab: String,
        /// How long that took.
        took: Duration,
    },
}
