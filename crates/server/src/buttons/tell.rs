//! Telling buttons how a run goes, without being asked.

use super::decide::nonce;
use super::handler::Handler;
use super::known::{Known, is_old, key};
use bramble_button::Status;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// What a button was told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Its cluster then.
    pub cluster: Option<String>,
    /// How that stood.
    pub status: Status,
    /// Whether that is in the old grammar.
    pub old: bool,
    at: Instant,
}

/// Between two unasked reports to a button.
const PAUSE: Duration = Duration::from_millis(500);

impl Told {
    /// Something that is told now.
    pub fn now(cluster: Option<String>, status: Status) -> Self {
        Self {
            cluster,
            status,
            old: false,
            at: Instant::now(),
        }
    }

    /// Something that an old button is told now.
    pub fn to_old(cluster: Option<String>, status: Status) -> Self {
        Self {
            old: true,
            ..Self::now(cluster, status)
        }
    }
}

impl Handler {
    /// Tells each of these buttons what has changed; those that were told something a moment ago stay for the next time.
    pub(super) async fn tell(&self, dirty: &mut HashSet<String>) {
        for id in std::mem::take(dirty) {
            let recent = self
                .told()
                .get(&id)
                .is_some_and(|told| told.at.elapsed() < PAUSE);
            if recent {
                dirty.insert(id);
            } else if let Err(error) = self.tell_one(&id).await {
                tracing::error!("the button {id} can't be told how things stand: {error}");
            }
        }
    }

    /// Tells a button what has changed.
    pub(super) async fn tell_one(&self, id: &str) -> Result<(), super::NotHeard> {
        let _turn = self.turn.lock().await;
        let Some(known) = Known::read(&*self.store, id).await? else {
            self.told().remove(id);
            self.send_away(id);
            return Ok(());
        };
        let status = known.status();
        let cluster = known.button.cluster.clone();
        let before = self.told().get_mut(id).map(|told| {
            // Changes of this one are to be told, whether or not there is something to tell now.
            told.cluster.clone_from(&cluster);
            told.status.clone()
        });
        if before.as_ref() == Some(&status) {
            return Ok(());
        }
        if is_old(&known.button) {
            self.told()
                .insert(id.to_owned(), Told::to_old(cluster, status.clone()));
            return self.tell_old(before, status);
        }
        match (id.parse(), key(&known.button)) {
            (Ok(id), Some(key)) => {
                self.report(&id, &key, nonce(&known.button), status, cluster)?;
            }
            _ => tracing::error!("the record of button {id} is damaged: register it anew"),
        }
        Ok(())
    }

    /// After a connection was lost: everything is told again.
    pub(super) fn forget_told(&self) {
        // Old buttons hear of changes alone.
        self.told().retain(|_, told| told.old);
    }
}
