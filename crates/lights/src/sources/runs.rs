//! Bramble's own runs. A later run of a cluster stands in the place of the one before.

use crate::signal::{Input, Scope, Signal, Source};
use jiff::Timestamp;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Asked for.
    Accepted,
    /// Under way.
    Running,
    /// All of it is done.
    Done,
    /// A part of it failed.
    Failed,
    /// Stopped by somebody.
    Cancelled,
}

/// What a run says. `at` is when it came to stand so.
pub fn input(cluster: &str, standing: Standing, words: &str, at: Timestamp) -> Input {
    let (reason, severity) = match standing {
        Standing::Accepted => ("Accepted", "info"),
        Standing::Running => ("Running", "info"),
        Standing::Done => ("Done", "info"),
        Standing::Failed => ("Failed", "critical"),
        Standing::Cancelled => ("Cancelled", "warning"),
    };
    let signal = Signal::lasting(Source::Bramble, "Run", reason, at).of("", cluster);
    let signal = signal.severity(severity).text(words);
    Input::Whole {
        scope: Scope::object(&signal),
        signals: vec![signal],
    }
}

/// Nothing is known of a cluster any more.
pub fn forgotten(cluster: &str, now: Timestamp) -> Input {
    let signal = Signal::lasting(Source::Bramble, "Run", "", now).of("", cluster);
    Input::Whole {
        scope: Scope::object(&signal),
        signals: Vec::new(),
    }
}
