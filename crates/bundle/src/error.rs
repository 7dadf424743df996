//! What can go wrong with a bundle, in words that name place, cause and remedy.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("can't {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds no `bundle.json`.
    #[error("{} is no bundle: it has no bundle.json; make one with `bramble bundle build`", path.display())]
    NoBundle {
        /// The folder.
        path: PathBuf,
    },
    /// A JSON document does not have the expected form.
    #[error("{place} is not what was expected")]
    Json {
        /// File or URL.
        place: String,
        /// Line, column and reason.
        #[source]
        source: serde_json::Error,
    },
    /// A document was readable, but says something impossible.
    #[error("{place}: {problem}")]
    Invalid {
        /// File or URL.
        place: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The request can't be carried out as asked.
    #[error("{0}")]
    Request(String),
    /// Programs that the build needs are not installed.
    #[error("missing: {}; install with: {remedy}", missing.join(", "))]
    MissingTools {
        /// Every missing program or file.
        missing: Vec<String>,
        /// The one command line that installs them all.
        remedy: String,
    },
    /// An external program failed.
    #[error("{stage}: `{program}` {outcome}; its last lines (all of them are in {}):\n{tail}", log.display())]
    Command {
        /// Stage of the build.
        stage: String,
        /// The program's name and first arguments.
        program: String,
        /// How it ended.
        outcome: String,
        /// The last lines of its output.
        tail: String,
        /// File with the whole output.
        log: PathBuf,
    },
    /// An external program could not be started.
    #[error("{stage}: can't start `{program}`")]
    Spawn {
        /// Stage of the build.
        stage: String,
        /// The program's name and first arguments.
        program: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Something took longer than its limit.
    #[error("gave up waiting for {what} after {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// A server could not be reached, or cut the connection, as often as was tried.
    #[error("{url}: {problem} (tried {tries} times)")]
    Transfer {
        /// The address.
        url: String,
        /// The last problem.
        problem: String,
        /// How often it was tried.
        tries: u32,
    },
    /// A server answered with an error that trying again does not change.
    #[error("{url}: the server answered {status}{hint}")]
    Status {
        /// The address.
        url: String,
        /// HTTP status code.
        status: u16,
        /// What that means here; begins with a separator, or is empty.
        hint: String,
    },
    /// What arrived is not what was announced.
    #[error(
        "{url}: wrong checksum: expected sha256 {expected}, got {got}; what was downloaded is deleted"
    )]
    Checksum {
        /// The address.
        url: String,
        /// Hexadecimal.
        expected: String,
        /// Hexadecimal.
        got: String,
    },
    /// A background computation panicked or was cancelled.
    #[error("{what} ended unexpectedly")]
    Task {
        /// What was computed.
        what: &'static str,
        /// The reason.
        #[source]
        source: tokio::task::JoinError,
    },
}

impl Error {
    /// For `map_err` at file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }

    /// For `map_err` at JSON documents.
    pub(crate) fn json(place: impl ToString) -> impl FnOnce(serde_json::Error) -> Error {
        let place = place.to_string();
        move |source| Error::Json { place, source }
    }
}
