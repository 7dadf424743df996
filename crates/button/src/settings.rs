//! What one button is set to.

use crate::seed::Line;
use crate::signed::{self, Key};
use crate::{ButtonId, Request, Word, limits};
use heapless::{String, Vec};

/// Bytes of a topic at most.
pub const TOPIC: usize = 64;
/// Bytes of a message at most; a longer one is no message of ours. The longest report, every character of its values
/// escaped, has 644.
pub const PAYLOAD: usize = 704;

/// A topic's name.
pub type Topic = String<TOPIC>;
/// A message's bytes.
pub type Payload = Vec<u8, PAYLOAD>;

/// The settings of one button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who the button is.
    pub id: ButtonId,
    /// The only handler that it believes.
    pub handler: Word,
    /// How long a cluster takes on average, in seconds.
    pub average_s: u16,
    /// How it speaks.
    pub protocol: Protocol,
}

/// The protocol versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// Version 1: the seed's grammar on one topic ([`crate::seed::DEFAULT_TOPIC`]), for a handler that knows no other.
    Seed {
        /// The topic of all buttons and their handler.
        topic: Topic,
    },
    /// Version 2.
    Signed {
        /// The button's own key.
        key: Key,
    },
}

/// A message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: Topic,
    /// What. Not retained.
    pub payload: Payload,
}

/// Why something can't be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unspeakable {
    /// Version 1 has no verb for it.
    #[error("version 1 of the button's protocol has no verb for this")]
    NoVerb,
    /// The message were too long.
    #[error("the message is longer than {PAYLOAD} bytes")]
    TooLong,
}

impl Settings {
    /// The seed's average, in seconds.
    pub const AVERAGE_S: u16 = 160;

    /// What a button subscribes to before it says that the broker is up, with quality of service 1.
    pub fn subscriptions(&self) -> Vec<Topic, 2> {
        match &self.protocol {
            Protocol::Seed { topic } => [topic.clone()].into_iter().collect(),
            Protocol::Signed { .. } => {
                let handler = signed::HANDLER_TOPIC.chars().collect();
                [signed::status_topic(&self.id), handler]
                    .into_iter()
                    .collect()
            }
        }
    }

    /// A request as it goes to the broker.
    ///
    /// # Errors
    /// When the protocol has no verb for it. The state machine makes no such requests.
    pub fn message(&self, request: &Request) -> Result<Message, Unspeakable> {
        let (topic, payload) = match &self.protocol {
            Protocol::Seed { topic } => (topic.clone(), Line::of(request)?.message()),
            Protocol::Signed { key } => (signed::request_topic(&self.id), request.signed(key)?),
        };
        Ok(Message { topic, payload })
    }

    /// The button sleeps so many milliseconds after a press at the latest, if its timer is served in time.
    pub const fn longest_awake_ms(&self) -> u64 {
        match self.protocol {
            Protocol::Seed { .. } => limits::awake(limits::follow(self.average_ms())),
            Protocol::Signed { .. } => limits::LONGEST_AWAKE,
        }
    }

    pub(crate) const fn average_ms(&self) -> u64 {
        self.average_s as u64 * 1000
    }
}
