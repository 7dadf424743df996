//! What goes over a bus, and whether there is one.

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// When published: whether the broker keeps it for those who come later. When received: whether it is such a
    /// kept one, which may be of any age.
    pub retain: bool,
}

impl Message {
    /// A message for those who listen now.
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            retain: false,
        }
    }

    /// A message that the broker keeps.
    pub fn retained(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            retain: true,
            ..Self::new(topic, payload)
        }
    }
}

/// Whether there is a connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The first attempt is under way.
    Connecting,
    /// There is one, with all subscriptions.
    Up,
    /// There is none.
    Down {
        /// Why, in a sentence.
        why: String,
    },
}
