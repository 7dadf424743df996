//! Whether a handler is there at all: its retained word, and its last will.

use super::VERSION;
use crate::{Payload, Unspeakable, Word, json};
use serde::{Deserialize, Serialize};

/// What a handler publishes at [`HANDLER_TOPIC`](super::HANDLER_TOPIC), retained: that it is there when it connects, that
/// it isn't as its last will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// Who.
    pub handler: Word,
    /// Whether it is there.
    pub available: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    v: u8,
    handler: Word,
    status: Verb,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Available,
    Unavailable,
}

impl Availability {
    /// Reads a message; `None` if the bytes aren't one.
    pub fn read(text: &[u8]) -> Option<Self> {
        let read: Json = json::read(text)?;
        (read.v == VERSION).then_some(Self {
            handler: read.handler,
            available: read.status == Verb::Available,
        })
    }

    /// The message.
    ///
    /// # Errors
    /// When it were longer than [`PAYLOAD`](crate::PAYLOAD); no value's limits allow that.
    pub fn message(&self) -> Result<Payload, Unspeakable> {
        let status = if self.available {
            Verb::Available
        } else {
            Verb::Unavailable
        };
        json::write(&Json {
            v: VERSION,
            handler: self.handler.clone(),
            status,
        })
    }
}
