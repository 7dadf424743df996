//! What can go wrong with a lab.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::preflight::Missing;

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a lab could not do what was asked; the message names place, cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This computer can't carry a lab.
    #[error("this computer can't run a lab: {}", list(.0))]
    Unable(Vec<Missing>),
    /// The topology contradicts itself.
    #[error("lab topology: {0}")]
    Topology(String),
    /// A lab with that name is there already.
    #[error(
        "the lab `{name}` exists already (in {}): use it, or remove it with `bramble lab down {name}`",
        dir.display()
    )]
    Exists {
        /// The lab's name.
        name: String,
        /// Its state directory.
        dir: PathBuf,
    },
    /// There is no lab with that name.
    #[error("there is no lab `{name}` (looked in {}): `bramble lab list` shows what there is", dir.display())]
    NoLab {
        /// The name asked for.
        name: String,
        /// Where its state directory would be.
        dir: PathBuf,
    },
    /// The lab has no machine with that name.
    #[error("the lab `{lab}` has no machine {machine}; it has {}", .known.join(", "))]
    NoMachine {
        /// The lab's name.
        lab: String,
        /// The name asked for.
        machine: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A network's range is in use already.
    #[error(
        "network {net} of the lab `{lab}`: range {range} overlaps {with}: choose another range, or remove the other"
    )]
    Overlap {
        /// The lab that was to be made.
        lab: String,
        /// Its network.
        net: String,
        /// The network's range.
        range: ipnet::Ipv4Net,
        /// What has (part of) the range: another lab's network, a route, an address.
        with: String,
    },
    /// Someone else works on the same lab.
    #[error("the lab `{lab}` is being changed by another process; still so after {} s", .waited.as_secs())]
    Locked {
        /// The lab's name, or `*` for the lock over all labs.
        lab: String,
        /// How long this call waited.
        waited: Duration,
    },
    /// Someone else has been building the root image for too long.
    #[error("another process has held {} for {} s: see what it does, or end it", path.display(), .waited.as_secs())]
    ImageLocked {
        /// The lock file.
        path: PathBuf,
        /// How long this call waited.
        waited: Duration,
    },
    /// A machine is not in the state that the call needs.
    #[error("machine {machine} is {state}: {remedy}")]
    WrongState {
        /// The machine.
        machine: String,
        /// What it is.
        state: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A machine did not come up.
    #[error("machine {machine}: {what} (waited {} s for {awaited}); the end of its console:\n{console}", .waited.as_secs())]
    NotReady {
        /// The machine.
        machine: String,
        /// What happened.
        what: String,
        /// What was awaited.
        awaited: String,
        /// How long.
        waited: Duration,
        /// The last lines of the machine's console.
        console: String,
    },
    /// Processes or network parts that would not go.
    #[error("the lab `{lab}`: {what} still there {} s after its removal began", .waited.as_secs())]
    Stuck {
        /// The lab.
        lab: String,
        /// What would not go.
        what: String,
        /// How long this call waited.
        waited: Duration,
    },
    /// A program of the computer failed.
    #[error("{what}: `{program}` {outcome}{}", tail(.stderr))]
    Command {
        /// What it was for.
        what: String,
        /// The program and its arguments.
        program: String,
        /// Exit status, signal or time limit.
        outcome: String,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// The operating system refused something.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "write".
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file of the lab's state can't be understood.
    #[error("{} is damaged ({source}): remove the lab with `bramble lab down`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

fn list(missing: &[Missing]) -> String {
    let lines: Vec<String> = missing
        .iter()
        .map(|m| format!("{} ({})", m.what, m.remedy))
        .collect();
    lines.join("; ")
}

fn tail(stderr: &str) -> String {
    if stderr.trim().is_empty() {
        String::new()
    } else {
        format!(": {}", stderr.trim())
    }
}

/// Gives an I/O error its place.
pub(crate) trait At<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io {
            what,
            path: path.to_path_buf(),
            source,
        })
    }
}
