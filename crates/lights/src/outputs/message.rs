//! The lights as a message, for MQTT and for the web.

use crate::lights::Lights;
use jiff::Timestamp;
use serde::Serialize;

/// Longest name of a set of lights in a topic.
const LONGEST: usize = 40;

/// A message for a bus such as MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub topic: String,
    /// JSON.
    pub payload: String,
    /// Whether the bus keeps it for those who come later.
    pub retain: bool,
}

/// The lights with what is said about them at first sight.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View<'a> {
    /// `red`, `yellow`, `green` or `unknown`.
    pub light: &'static str,
    /// When it was said.
    pub at: Timestamp,
    /// All of it.
    #[serde(flatten)]
    pub lights: &'a Lights,
}

impl<'a> View<'a> {
    /// The lights at a time.
    pub fn of(lights: &'a Lights, at: Timestamp) -> Self {
        Self {
            light: lights.word(),
            at,
            lights,
        }
    }
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum Unspeakable {
    /// The name can't stand in a topic.
    #[error("{0:?} can't be the name of lights: 1 to {LONGEST} lower-case letters, digits and hyphens")]
    Name(String),
    /// It has no JSON form.
    #[error("the lights have no JSON form")]
    Json(#[from] serde_json::Error),
}

/// The lights of that name as a retained message on `bramble/lights/NAME`: who subscribes later gets the last one.
///
/// # Errors
/// A name that can't stand in a topic.
pub fn message(name: &str, lights: &Lights, at: Timestamp) -> Result<Message, Unspeakable> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(fine) {
        return Err(Unspeakable::Name(name.into()));
    }
    Ok(Message {
        topic: format!("bramble/lights/{name}"),
        payload: serde_json::to_string(&View::of(lights, at))?,
        retain: true,
    })
}
