//! MQTT behind one trait, [`Bus`]: messages by topic, delivered at least once (quality of service 1).
//!
//! Two homes: [`Client`] talks to any broker, [`Embedded`] is a broker in this process with a client of its own.
//!
//! Invariants:
//! - Every wait is bounded; a lost connection is made again, subscriptions too ([`Client::kept`]).
//! - Nobody gets into the embedded broker without a name and a password that the [`Gate`] knows, and each
//!   publication and subscription is asked for again: who is no longer known is refused at once.
//! - Passwords are [`Secret`](bramble_secret::Secret)s and go to the broker alone.
//! - It knows nothing of buttons: what a topic is for is the business of who uses it.

mod client;
mod embedded;
mod error;
mod message;
mod subscription;

pub use client::{Address, Client, Proxy, Settings};
pub use embedded::{Act, Embedded, Gate, Listen, Visitor};
pub use error::{Distrust, Error};
pub use message::{Link, Message};
pub use subscription::Subscription;

use async_trait::async_trait;
use tokio::sync::watch;

/// A connection to a broker.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes a message, and waits until the broker has it.
    ///
    /// # Errors
    /// [`Error::Down`], [`Error::Denied`], [`Error::Late`], [`Error::Failed`].
    async fn publish(&self, message: Message) -> Result<(), Error>;

    /// Subscribes to a topic filter (MQTT 5, 4.7): what the broker retains comes first. While there is no
    /// connection, it is made with the next one.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Late`], [`Error::Failed`].
    async fn subscribe(&self, filter: &str) -> Result<Subscription, Error>;

    /// Whether there is a connection, as it changes.
    fn link(&self) -> watch::Receiver<Link>;

    /// Ends all connections of a user or client that the gate no longer lets in, where the broker is in this process.
    fn dismiss(&self, _name: &str) {}

    /// Says the farewell that was set as last will, and leaves.
    async fn close(&self);
}
