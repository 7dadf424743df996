//! What can go wrong, with the machine, the stage, the limit that passed and what to do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why something did not work on a machine. Cheap to clone: all who waited for the same connection get
/// the same error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No TCP connection, or none that speaks SSH.
    #[error("{machine} ({address}) can't be reached: {stage}")]
    Unreachable {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// What was tried when it failed, for instance `no TCP connection`.
        stage: String,
        /// The cause.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A limit passed.
    #[error("{machine} ({address}): {what} was not done within {limit:?}{note}")]
    TimedOut {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// What was waited for.
        what: String,
        /// The limit that passed.
        limit: Duration,
        /// What else is known, starting with a separator; may be empty.
        note: String,
        /// Whether no connection came about (as against a program that took too long on one).
        unreachable: bool,
    },
    /// No file knows the host key.
    #[error(
        "{machine} ({address}) shows a host key that is not known: {algorithm} {fingerprint}. \
         Compare it with `ssh-keygen -lf` on the machine, then either put it in the file as \
         `ssh.hostKey: {fingerprint}`, or run again with --accept-new-host-keys to learn it into {known_hosts}"
    )]
    UnknownHostKey {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// For instance `ssh-ed25519`.
        algorithm: String,
        /// `SHA256:...`
        fingerprint: String,
        /// The file that it would be learned into.
        known_hosts: PathBuf,
    },
    /// The host key is another one than was known or pinned.
    #[error(
        "{machine} ({address}) shows another host key than the known one: {} {}, but {} has {}. Either the \
         machine was set up anew, or someone sits in between. If it was set up anew, {}",
        key.algorithm, key.presented, key.place, key.expected, key.remedy
    )]
    ChangedHostKey {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// Both keys.
        key: Box<ChangedKey>,
    },
    /// The host key is marked `@revoked`.
    #[error(
        "{machine} ({address}) shows a host key that is marked as revoked in {place}: {fingerprint}. \
         Give the machine a new host key"
    )]
    RevokedHostKey {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// `SHA256:...`
        fingerprint: String,
        /// `FILE line N`
        place: String,
    },
    /// The machine accepted none of the keys.
    #[error(
        "{user}@{machine} ({address}) accepts none of the keys. Tried: {}. \
         Name a key that {user}'s authorized_keys has, or add it to the agent with ssh-add",
        if tried.is_empty() { "nothing (no key given, no agent)".to_owned() } else { tried.join("; ") }
    )]
    Auth {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// The login user.
        user: String,
        /// Each key that was tried, and what came of it.
        tried: Vec<String>,
    },
    /// The login user may not become root.
    #[error("user {user} may not become root on {machine}: {cause}; {remedy}")]
    Sudo {
        /// The target's name.
        machine: String,
        /// The login user.
        user: String,
        /// What sudo said.
        cause: String,
        /// What to do about it.
        remedy: String,
    },
    /// The machine's sshd did not carry out a request.
    #[error("{machine} ({address}) did not {what}: {cause}")]
    Refused {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// What it was asked to do.
        what: String,
        /// Why it did not.
        cause: String,
    },
    /// The connection ended.
    #[error("{machine} ({address}): the connection ended while {during}: {cause}")]
    Closed {
        /// The target's name.
        machine: String,
        /// Its `host:port`.
        address: String,
        /// What was going on.
        during: String,
        /// What is known of the reason.
        cause: String,
    },
    /// A file could not be copied to a machine.
    #[error("{machine}: {remote} could not be written: {cause}")]
    Put {
        /// The target's name.
        machine: String,
        /// The file's path on the machine.
        remote: String,
        /// Why not, and what to do.
        cause: String,
    },
    /// A file or terminal of this computer.
    #[error("{what}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// The cause.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A value given by the caller can't be used.
    #[error("{0}")]
    Invalid(String),
    /// A defect: the task that did the work panicked.
    #[error("{machine}: internal error while {what}: {message}. Please report this")]
    Panicked {
        /// The target's name.
        machine: String,
        /// What was going on.
        what: String,
        /// The panic's message.
        message: String,
    },
}

/// A host key that is another one than was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedKey {
    /// Algorithm of the key that was shown.
    pub algorithm: String,
    /// Fingerprint of the key that was shown.
    pub presented: String,
    /// Fingerprint of the known key.
    pub expected: String,
    /// Where the known key stands: `FILE line N`, or the cluster file.
    pub place: String,
    /// What to do about it.
    pub remedy: String,
}

impl Error {
    /// Whether the machine could not be reached at all: no TCP connection, no SSH server, or no answer
    /// within the limit.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Error::Unreachable { .. }
                | Error::TimedOut {
                    unreachable: true,
                    ..
                }
        )
    }

    /// Whether trying again on a new connection can help: the machine was unreachable, or the
    /// connection ended.
    pub fn is_connection(&self) -> bool {
        self.is_unreachable() || matches!(self, Error::Closed { .. })
    }

    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Error::Io {
            what: what.into(),
            source: Arc::new(source),
        }
    }
}
