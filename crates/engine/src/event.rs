//! What happens, as one stream: progress of the CLI, `--output json`, web page, button and lights
//! are all made from it.

use serde::Serialize;
use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Since the start of the run.
    #[serde(serialize_with = "serialize")]
    pub at: Duration,
    /// Machine; empty for the cluster's API.
    pub machine: String,
    /// Step; empty for things outside of steps, such as connecting.
    pub step: String,
    /// Resource, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Happened {
    /// A step or a resource's change begins. Said once for a step, even if other steps come between
    /// its parts.
    Started {
        /// Title for people.
        title: String,
    },
    /// A change was made.
    Changed {
        /// Title for people.
        title: String,
        /// How long it took.
        #[serde(serialize_with = "serialize")]
        took: Duration,
    },
    /// Nothing to do.
    Unchanged,
    /// A step is done: all its parts are.
    Finished {
        /// Changes made.
        changes: usize,
        /// How long it took, without other steps between its parts.
        #[serde(serialize_with = "serialize")]
        took: Duration,
    },
    /// It did not work.
    Failed {
        /// Why, for people.
        message: String,
        /// The last lines that explain it.
        log: Vec<String>,
    },
    /// Left out, because something that it depends on failed.
    Skipped {
        /// What failed.
        because: String,
    },
    /// Waiting for something.
    Waiting {
        /// For what.
        what: String,
        /// Since when it has been waiting.
        #[serde(serialize_with = "serialize")]
        since: Duration,
        /// How long at most; `None` for another step, which ends by the limits of all that it
        /// depends on itself.
        #[serde(
            skip_serializing_if = "Option::is_none",
            serialize_with = "serialize_some"
        )]
        limit: Option<Duration>,
    },
    /// A machine that was waited for answers.
    Answers {
        /// How long that took.
        #[serde(serialize_with = "serialize")]
        took: Duration,
    },
    /// Bytes of an upload.
    Upload {
        /// So far.
        bytes: u64,
        /// In all.
        total: u64,
    },
    /// A line that a tool printed.
    Output {
        /// The line.
        line: String,
    },
}

/// Seconds as events tell them: to the millisecond.
pub fn seconds(value: Duration) -> f64 {
    (value.as_secs_f64() * 1000.0).round() / 1000.0
}

fn serialize<S: serde::Serializer>(value: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(seconds(*value))
}

fn serialize_some<S: serde::Serializer>(value: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    value.map(seconds).serialize(s)
}
