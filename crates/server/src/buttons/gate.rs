//! Which buttons the embedded broker lets in, and to what.

use super::known::{is_old, key, password};
use crate::limit::{Failures, Limits};
use async_trait::async_trait;
use bramble_bus::{Act, Gate, Visitor};
use bramble_button::ButtonId;
use bramble_button::signed::{HANDLER_TOPIC, request_topic, status_topic};
use bramble_lights::outputs::message::Topic;
use bramble_secret::Secret;
use bramble_store::record::Button;
use bramble_store::{Store, Typed};
use std::sync::Arc;

/// What all old buttons log in with: they can't derive a password.
#[derive(Debug, Clone)]
pub struct OldLogin {
    /// Their one topic.
    pub topic: String,
    /// User's name.
    pub user: String,
    /// Password; it goes over the network in clear.
    pub password: Secret,
}

/// The doors of the embedded broker: buttons that are registered, each to its own topics.
pub struct Doors {
    store: Arc<dyn Store>,
    old: Option<OldLogin>,
    /// The old buttons' password is one that a person chose: it can be guessed.
    guesses: Failures,
}

impl Doors {
    /// Doors for the buttons that a store knows; old ones only with a login, whose password can be tried so often.
    pub fn new(store: Arc<dyn Store>, old: Option<OldLogin>, limits: Limits) -> Self {
        let guesses = Failures::new(limits);
        Self {
            store,
            old,
            guesses,
        }
    }

    async fn admits_old(&self, old: &OldLogin, visitor: &Visitor<'_>) -> bool {
        let address = visitor.address.ip();
        if !self.guesses.listens_to(address) {
            return false;
        }
        let id = visitor.client.to_ascii_lowercase();
        let known = self.button(&id).await.is_some_and(|button| is_old(&button));
        if known && old.password.is_same(&visitor.password) {
            return true;
        }
        if let Some(wait) = self.guesses.count(address) {
            let seconds = wait.as_secs() + 1;
            tracing::warn!(
                "{address} tries to be an old button too often: let in again in {seconds} s"
            );
        }
        false
    }

    async fn button(&self, id: &str) -> Option<Button> {
        match self.store.find::<Button>(id).await {
            Ok(found) => found.map(|found| found.it),
            Err(error) => {
                tracing::error!("the button {id} can't be read: {error}");
                None
            }
        }
    }
}

#[async_trait]
impl Gate for Doors {
    async fn admits(&self, visitor: &Visitor<'_>) -> bool {
        if let Some(old) = self.old.as_ref().filter(|old| old.user == visitor.user) {
            return self.admits_old(old, visitor).await;
        }
        // Nobody takes the place of another by its client's name.
        if visitor.client != visitor.user {
            return false;
        }
        let key = self.button(visitor.user).await.as_ref().and_then(key);
        key.is_some_and(|key| password(&key).is_same(&visitor.password))
    }

    async fn allows(&self, user: &str, act: Act, topic: &str) -> bool {
        if let Some(old) = self.old.as_ref().filter(|old| old.user == user) {
            return topic == old.topic;
        }
        let Ok(id) = user.parse::<ButtonId>() else {
            return false;
        };
        let own = match act {
            Act::Publish => topic == request_topic(&id),
            Act::Subscribe => {
                let told = [HANDLER_TOPIC, Topic::DAEMON.as_str()];
                topic == status_topic(&id) || told.contains(&topic)
            }
        };
        own && self
            .button(user)
            .await
            .is_some_and(|button| !is_old(&button))
    }
}
