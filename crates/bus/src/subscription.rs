//! What comes for one subscriber.

use crate::message::Message;
use tokio::sync::mpsc;

/// Messages that wait for a slow subscriber; further ones are dropped, since who floods a topic must not fill the
/// memory.
const WAITING: usize = 1024;

/// The messages of one topic filter. Ends with its bus. A message may come more than once.
#[derive(Debug)]
pub struct Subscription {
    messages: mpsc::Receiver<Message>,
}

impl Subscription {
    /// The next message; `None` when the bus is closed.
    pub async fn next(&mut self) -> Option<Message> {
        self.messages.recv().await
    }
}

/// Where a subscriber's messages go.
#[derive(Debug, Clone)]
pub(crate) struct Subscriber {
    /// What it subscribes to.
    pub filter: String,
    messages: mpsc::Sender<Message>,
}

impl Subscriber {
    /// Both ends of a subscription.
    pub fn new(filter: &str) -> (Self, Subscription) {
        let (sender, messages) = mpsc::channel(WAITING);
        let filter = filter.to_owned();
        let subscriber = Self {
            filter,
            messages: sender,
        };
        (subscriber, Subscription { messages })
    }

    /// Whether nobody listens any more.
    pub fn is_gone(&self) -> bool {
        self.messages.is_closed()
    }

    /// Hands a message over.
    pub fn hear(&self, message: Message) {
        if let Err(mpsc::error::TrySendError::Full(message)) = self.messages.try_send(message) {
            tracing::warn!("a message at {} is dropped: too many come", message.topic);
        }
    }
}
