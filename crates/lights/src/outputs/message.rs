//! The lights as a message, for MQTT and for the web.

use crate::lights::{Lamps, Lights, lamps};
use crate::rules::Show;
use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Longest topic, in bytes.
const LONGEST: usize = 200;

/// Bytes of the largest message: what reads it may be small.
const LARGEST: usize = 16 * 1024;

/// Where lights are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic(Cow<'static, str>);

impl Topic {
    /// Where a daemon tells its lights.
    pub const DAEMON: Topic = Topic(Cow::Borrowed("bramble/lights/daemon"));

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no topic to publish at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no topic for lights: 1 to {LONGEST} bytes without `+`, `#` and control characters, not from `$`"
)]
pub struct NoTopic(String);

impl FromStr for Topic {
    type Err = NoTopic;

    fn from_str(text: &str) -> Result<Self, NoTopic> {
        let fine = |c: char| !c.is_control() && !matches!(c, '+' | '#');
        let right =
            (1..=LONGEST).contains(&text.len()) && text.chars().all(fine) && !text.starts_with('$');
        match right {
            true => Ok(Self(text.to_owned().into())),
            false => Err(NoTopic(text.to_owned())),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The lights with what is said about them at first sight.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// `red`, `yellow`, `green`, or `unknown` while a source is silent and nothing is known to be red.
    pub light: &'static str,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// All of it.
    #[serde(flatten)]
    pub lights: Lights,
}

impl Shown {
    /// The lights at a time.
    pub fn of(lights: &Lights, at: Timestamp) -> Self {
        Self {
            light: lights.word(),
            at,
            lights: lights.clone(),
        }
    }
}

/// What is published: JSON as [`Shown`] says. Where it would be too large, reasons are left out, the least first.
///
/// # Errors
/// Where it has no JSON form; it always has one.
pub fn payload(lights: &Lights, at: Timestamp) -> Result<Vec<u8>, serde_json::Error> {
    let mut shown = Shown::of(lights, at);
    loop {
        let json = serde_json::to_vec(&shown)?;
        if json.len() <= LARGEST || shown.lights.reasons.pop().is_none() {
            return Ok(json);
        }
        shown.lights.more += 1;
    }
}

/// What a broker says in the place of lights whose publisher is gone: the same form without a time, which nobody
/// knows beforehand.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gone {
    light: &'static str,
    lamps: Lamps,
    worst: Show,
    unknown: [&'static str; 1],
    reasons: [(); 0],
    more: usize,
}

/// The farewell and last will of who publishes lights.
///
/// # Errors
/// Where it has no JSON form; it always has one.
pub fn farewell() -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Gone {
        light: "unknown",
        lamps: lamps(Show::CALM, true),
        worst: Show::CALM,
        unknown: ["publisher"],
        reasons: [],
        more: 0,
    })
}
