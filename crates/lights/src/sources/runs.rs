//! Bramble's own runs. A later run of a cluster stands in the place of the one before.

use crate::signal::{Input, Scope, Signal, Source};
use jiff::Timestamp;

/// The kind of all of them.
const KIND: &str = "Run";

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
pub fn signal(cluster: &str, standing: Standing, words: &str, at: Timestamp) -> Signal {
    let (reason, severity) = match standing {
        Standing::Accepted => ("Accepted", "info"),
        Standing::Running => ("Running", "info"),
        Standing::Done => ("Done", "info"),
        Standing::Failed => ("Failed", "critical"),
        Standing::Cancelled => ("Cancelled", "warning"),
    };
    let signal = Signal::lasting(Source::Bramble, KIND, reason, at).of("", cluster);
    signal.severity(severity).text(words)
}

/// The last run of a cluster.
pub fn last(signal: Signal) -> Input {
    Input::Whole {
        scope: Scope::object(&signal),
        signals: vec![signal],
    }
}

/// The last runs of all clusters.
pub fn all(signals: Vec<Signal>) -> Input {
    Input::Whole {
        scope: Scope::Kind {
            source: Source::Bramble,
            kind: KIND.into(),
        },
        signals,
    }
}

/// Nothing is known of a cluster any more.
pub fn forgotten(cluster: &str, now: Timestamp) -> Input {
    let signal = Signal::lasting(Source::Bramble, KIND, "", now).of("", cluster);
    Input::Whole {
        scope: Scope::object(&signal),
        signals: Vec::new(),
    }
}
