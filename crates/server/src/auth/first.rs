//! The first user: whoever has the link that the daemon printed at its first start.

use super::{Auth, Error, hashed};
use bramble_secret::Secret;
use bramble_store::record::{Role, User};
use bramble_store::{Kind, Record, Typed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the document.
const NAME: &str = "first-user";

/// What is kept of the links: each of several daemons that share a store has one, its newest.
#[derive(Default, Serialize, Deserialize)]
struct Ticket {
    hashes: BTreeMap<String, String>,
}

impl Record for Ticket {
    const KIND: Kind = Kind::Setting;
}

impl Auth {
    /// What the link of the first user ends with, made anew for that one of the daemons that share the store; `None`
    /// once there are users.
    ///
    /// # Errors
    /// The store's; no random numbers.
    pub async fn first_link(&self, daemon: &str) -> Result<Option<Secret>, Error> {
        if !self.store.all::<User>().await?.is_empty() {
            return Ok(None);
        }
        let secret = bramble_keys::password()?;
        let hash = hashed(secret.expose());
        match self.store.add(NAME, Ticket::default()).await {
            Ok(_) | Err(bramble_store::Error::Exists(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.store
            .change::<Ticket, Error, _>(NAME, |it| {
                it.hashes.insert(daemon.to_owned(), hash.clone());
                Ok(())
            })
            .await?;
        Ok(Some(secret))
    }

    /// Whether the first user is still to be made: one look at one document.
    ///
    /// # Errors
    /// The store's.
    pub async fn awaits_first(&self) -> Result<bool, Error> {
        Ok(self.store.find::<Ticket>(NAME).await?.is_some())
    }

    /// Makes the first user, an admin. A link works once.
    ///
    /// # Errors
    /// [`Error::Link`], [`Error::Name`], [`Error::Password`]; the store's.
    pub async fn make_first(&self, link: &str, name: &str, password: &Secret) -> Result<(), Error> {
        let ticket = self.store.find::<Ticket>(NAME).await?;
        let ticket = ticket
            .filter(|ticket| ticket.it.hashes.values().any(|hash| *hash == hashed(link)))
            .ok_or(Error::Link)?;
        if !self.store.all::<User>().await?.is_empty() {
            return Err(Error::Link);
        }
        let user = self.fresh(name, password, Role::Admin).await?;
        // Of two who have the link one succeeds: only the version that was read is deleted.
        let key = bramble_store::Key::new(Kind::Setting, NAME);
        match self.store.delete(&key, Some(&ticket.version)).await {
            Ok(true) => {}
            Ok(false) | Err(bramble_store::Error::Changed(_)) => return Err(Error::Link),
            Err(error) => return Err(error.into()),
        }
        self.store.add(name, user).await?;
        Ok(())
    }
}
