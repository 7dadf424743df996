//! The lights as a message, for MQTT and for the web.

use crate::lights::Lights;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

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

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum Unspeakable {
    /// The name can't stand in a topic.
    #[error(
        "{0:?} can't be the name of lights: 1 to {LONGEST} lower-case letters, digits and hyphens"
    )]
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
        payload: serde_json::to_string(&Shown::of(lights, at))?,
        retain: true,
    })
}
