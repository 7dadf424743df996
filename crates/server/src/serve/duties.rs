//! What one daemon of a store does, and no other: runs, order among clusters, buttons.

use super::Error;
use super::buttons::{self, Hearing};
use super::home::Shared;
use crate::api::Ears;
use crate::buttons::{Handler, Orders};
use crate::limit::Limits;
use crate::origins::Origins;
use crate::runs::Runs;
use crate::tls::Tls;
use crate::{controller, leader};
use bramble_lights::Panel;
use bramble_store::{Store, Terms};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// How soon it is tried again to hear buttons.
const AGAIN: Duration = Duration::from_secs(10);

/// What is to be done.
pub(super) struct Duties {
    pub runs: Arc<Runs>,
    pub origins: Arc<Origins>,
    pub ears: Option<Hearers>,
}

/// How buttons come to be heard.
pub(super) struct Hearers {
    settings: buttons::Buttons,
    store: Arc<dyn Store>,
    orders: Arc<dyn Orders>,
    tls: Tls,
    panel: Arc<Panel>,
    limits: Limits,
    /// The handler, once buttons are heard.
    handler: Arc<OnceLock<Arc<Handler>>>,
    /// What is open already.
    open: Option<Hearing>,
}

impl Hearers {
    pub(super) fn new(
        settings: buttons::Buttons,
        store: Arc<dyn Store>,
        orders: Arc<dyn Orders>,
        tls: Tls,
        panel: Arc<Panel>,
        limits: Limits,
    ) -> Self {
        Self {
            settings,
            store,
            orders,
            tls,
            panel,
            limits,
            handler: Arc::default(),
            open: None,
        }
    }

    /// Who answers requests about buttons.
    pub(super) fn ears(&self) -> Ears {
        Ears::Leader(self.handler.clone())
    }

    /// Opens the bus; where the own broker listens, if there is one.
    pub(super) async fn open(&mut self) -> Result<Option<std::net::SocketAddr>, Error> {
        let (settings, store) = (self.settings.clone(), self.store.clone());
        let orders = self.orders.clone();
        let hearing = buttons::open(settings, store, orders, &self.tls, self.limits).await?;
        // A daemon leads once in its life.
        let _ = self.handler.set(hearing.handler.clone());
        let broker = hearing.broker;
        self.open = Some(hearing);
        Ok(broker)
    }

    /// Hears buttons until told to stop.
    async fn hear(mut self, mut stop: watch::Receiver<bool>) {
        while self.open.is_none() {
            if let Err(error) = self.open().await {
                tracing::error!("buttons can't be heard, and it is tried again: {error}");
                // A sender that is gone tells to stop as well.
                let told = stop.wait_for(|stop| *stop);
                if tokio::time::timeout(AGAIN, told).await.is_ok() {
                    return;
                }
            }
        }
        if let Some(hearing) = self.open {
            hearing.serve(&self.panel, stop).await;
        }
    }
}

impl Duties {
    /// Does all of it until told to stop; processes of runs go on then.
    pub(super) async fn alone(self, stop: watch::Receiver<bool>) {
        let hears = async {
            if let Some(ears) = self.ears {
                ears.hear(stop.clone()).await;
            }
        };
        tokio::join!(
            self.runs.supervise(stop.clone()),
            self.origins.keep(stop.clone()),
            hears,
        );
    }

    /// Does all of it as long as this daemon leads those that share its home.
    pub(super) async fn among(
        self,
        shared: Shared,
        stop: watch::Receiver<bool>,
    ) -> Result<(), leader::Lost> {
        let Shared {
            kubernetes,
            replica,
        } = shared;
        let candidate = kubernetes.candidate(replica.name(), Terms::default());
        let work = |told: watch::Receiver<bool>| async move {
            let declared = controller::control(kubernetes, self.runs.clone(), told.clone());
            tokio::join!(self.alone(told), declared);
        };
        leader::lead(candidate, &replica, stop, work).await
    }
}
