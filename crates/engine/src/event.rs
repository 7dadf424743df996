//! What happens, as one stream: progress of the CLI, `--output json`, web page, button and lights
//! are all made from it.

use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Since the start of the run.
    #[serde(serialize_with = "serialize", deserialize_with = "duration")]
    pub at: Duration,
    /// Machine; empty for the cluster's API.
    pub machine: String,
    /// Step; empty for things outside of steps, such as connecting.
    pub step: String,
    /// Resource, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
        #[serde(serialize_with = "serialize", deserialize_with = "duration")]
        took: Duration,
    },
    /// Nothing to do.
    Unchanged,
    /// A step is done: all its parts are.
    Finished {
        /// Changes made.
        changes: usize,
        /// How long it took, without other steps between its parts.
        #[serde(serialize_with = "serialize", deserialize_with = "duration")]
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
        #[serde(serialize_with = "serialize", deserialize_with = "duration")]
        since: Duration,
        /// How long at most; `None` for another step, which ends by the limits of all that it
        /// depends on itself.
        #[serde(
            skip_serializing_if = "Option::is_none",
            default,
            serialize_with = "serialize_some",
            deserialize_with = "some_duration"
        )]
        limit: Option<Duration>,
    },
    /// A machine that was waited for answers.
    Answers {
        /// How long that took.
        #[serde(serialize_with = "serialize", deserialize_with = "duration")]
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

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let value = f64::deserialize(from)?;
    Duration::try_from_secs_f64(value).map_err(serde::de::Error::custom)
}

fn some_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_can_be_read_again() {
        let all = [
            r#"{"at":0.1,"machine":"one","step":"base","event":"started","title":"base"}"#,
            r#"{"at":1.25,"machine":"","step":"nodes","event":"waiting","what":"two","since":0.5,"limit":60.0}"#,
            r#"{"at":1.25,"machine":"","step":"nodes","event":"waiting","what":"two","since":0.5}"#,
            r#"{"at":2.0,"machine":"one","step":"base","resource":"file:/x","event":"changed","title":"x","took":0.2}"#,
            r#"{"at":3.0,"machine":"one","step":"base","event":"failed","message":"no","log":["a"]}"#,
        ];
        for text in all {
            let event: Event = serde_json::from_str(text).expect("an event");
            let again = serde_json::to_value(&event).expect("its form");
            let same: serde_json::Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(again, same);
        }
    }
}
