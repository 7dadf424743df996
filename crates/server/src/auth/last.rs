//! Somebody stays who can change things, also where several daemons share a store: who is about to be no admin any more
//! is noted in one document of it, at the version that was read before the admins were counted.

use super::{Auth, Error};
use bramble_store::record::{Role, User};
use bramble_store::{Key, Kind, Record, Typed};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the document.
const NAME: &str = "leaving-admins";

/// How often it is tried while others note somebody.
const TRIES: u32 = 16;

/// What a daemon began so long ago that it must have ended meanwhile.
const OLD: SignedDuration = SignedDuration::from_secs(60);

/// Users who are about to be no admins any more, and since when.
#[derive(Default, Serialize, Deserialize)]
struct Leaving {
    names: BTreeMap<String, Timestamp>,
}

impl Record for Leaving {
    const KIND: Kind = Kind::Setting;
}

impl Auth {
    /// Notes that somebody is about to be no admin any more. What changes it comes next, and [`Auth::has_left`] then.
    ///
    /// # Errors
    /// [`Error::LastAdmin`]; the store's.
    pub(super) async fn may_leave(&self, name: &str) -> Result<(), Error> {
        for _ in 0..TRIES {
            let found = match self.store.find::<Leaving>(NAME).await? {
                Some(found) => Ok(found),
                None => self.store.add(NAME, Leaving::default()).await,
            };
            let mut noted = match found {
                Ok(noted) => noted,
                Err(bramble_store::Error::Exists(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            let now = Timestamp::now();
            let names = &mut noted.it.names;
            names.retain(|_, since| now.duration_since(*since) < OLD);
            self.others_stay(name, names).await?;
            names.insert(name.to_owned(), now);
            // Somebody else who was noted meanwhile may be the only other admin: it is looked again then.
            match self.store.save(noted).await {
                Err(bramble_store::Error::Changed(_)) => {}
                done => return Ok(done.map(drop)?),
            }
        }
        Err(bramble_store::Error::Contended {
            key: Key::new(Kind::Setting, NAME),
            tries: TRIES,
        }
        .into())
    }

    /// Forgets the note: it is done, or was refused. One that stays is old soon.
    pub(super) async fn has_left(&self, name: &str) {
        let forgotten = self
            .store
            .change::<Leaving, Error, _>(NAME, |it| {
                it.names.remove(name);
                Ok(())
            })
            .await;
        if let Err(error) = forgotten {
            tracing::warn!("the note that {name} leaves the admins stays for a minute: {error}");
        }
    }

    async fn others_stay(
        &self,
        name: &str,
        leaving: &BTreeMap<String, Timestamp>,
    ) -> Result<(), Error> {
        let all = self.store.all::<User>().await?;
        let mut admins = all.iter().filter(|user| user.it.role == Role::Admin);
        let is_one = admins.clone().any(|user| user.name == name);
        let stays = |user: &str| user != name && !leaving.contains_key(user);
        if is_one && !admins.any(|user| stays(&user.name)) {
            return Err(Error::LastAdmin(name.into()));
        }
        Ok(())
    }
}
