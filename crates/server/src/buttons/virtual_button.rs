//! Buttons that are pressed in the browser. Each is the state machine of a real one, with the same record and key, and talks
//! to the handler through the broker.

use super::known::{is_old, key};
use bramble_bus::Bus;
use bramble_button::{Press, Protocol, Settings, Word};
use bramble_simulator::{Frame, Shared, Simulator};
use bramble_store::record::Button;
use bramble_store::{Error, Key, Kind, Store, Typed};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Why there is no virtual button.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoButton {
    /// Old buttons aren't heard by this daemon.
    #[error("the button {0} speaks only the old grammar, which this daemon does not hear")]
    Deaf(String),
    /// Its id or key can't be read.
    #[error("the record of button {0} is damaged")]
    Damaged(String),
    /// The store failed, or there is no such button.
    #[error(transparent)]
    Store(#[from] Error),
}

/// All virtual buttons.
pub(super) struct VirtualButtons {
    store: Arc<dyn Store>,
    network: Arc<Shared>,
    handler: Word,
    /// The topic of old buttons.
    old: Option<String>,
    open: Mutex<HashMap<String, (Settings, Simulator)>>,
}

impl VirtualButtons {
    pub fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        handler: Word,
        old: Option<String>,
    ) -> Self {
        Self {
            store,
            network: Arc::new(Shared(bus)),
            handler,
            old,
            open: Mutex::default(),
        }
    }

    /// Presses a button.
    pub async fn press(&self, id: &str, press: Press) -> Result<(), NoButton> {
        self.with(id, |simulator| simulator.press(press)).await
    }

    /// What a button's display shows, as it changes.
    pub async fn frames(&self, id: &str) -> Result<watch::Receiver<Frame>, NoButton> {
        self.with(id, Simulator::frames).await
    }

    async fn with<T>(&self, id: &str, use_it: impl FnOnce(&Simulator) -> T) -> Result<T, NoButton> {
        let found = self.store.find::<Button>(id).await?;
        let missing = || Error::Missing(Key::new(Kind::Button, id));
        let settings = self.settings(id, &found.ok_or_else(missing)?.it)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (_, simulator)| simulator.is_in_use());
        let fresh = || {
            let simulator = Simulator::new(settings.clone(), self.network.clone());
            (settings.clone(), simulator)
        };
        let entry = open.entry(id.to_owned()).or_insert_with(fresh);
        // It was forgotten and registered anew.
        if entry.0 != settings {
            *entry = fresh();
        }
        Ok(use_it(&entry.1))
    }

    fn settings(&self, id: &str, button: &Button) -> Result<Settings, NoButton> {
        let damaged = || NoButton::Damaged(id.to_owned());
        let protocol = match is_old(button) {
            true => {
                let topic = self
                    .old
                    .as_ref()
                    .ok_or_else(|| NoButton::Deaf(id.to_owned()))?;
                Protocol::Seed {
                    topic: topic.as_str().try_into().map_err(|_| damaged())?,
                }
            }
            false => Protocol::Signed {
                key: key(button).ok_or_else(damaged)?,
            },
        };
        Ok(Settings {
            id: id.parse().map_err(|_| damaged())?,
            handler: self.handler.clone(),
            average_s: Settings::AVERAGE_S,
            protocol,
        })
    }
}
