//! Orders of buttons, and what becomes of a button whose order is refused or takes long.

use super::handler::{Handler, NotHeard, refused};
use super::known::Known;
use super::orders::{Orders, Refusal};
use bramble_button::Status;
use bramble_store::record::{Button, Profile};
use bramble_store::{Store, Typed};
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// How long a button waits until an order of its is accepted.
const ORDER: Duration = Duration::from_secs(10);

/// What it is told where that takes longer.
pub(super) const LATE: &str = "the order takes long: look again later";

impl Handler {
    /// Orders a cluster for a button that has been noted as its owner; how things stand then.
    pub(super) async fn begin(
        &self,
        id: &str,
        known: &Known,
        name: &str,
    ) -> Result<Status, NotHeard> {
        tracing::info!("button {id} orders the cluster {name}");
        let order = Beginning {
            store: self.store.clone(),
            orders: self.orders.clone(),
            button: id.to_owned(),
            profile: known.button.profile.clone(),
            name: name.to_owned(),
            before: known.button.cluster.clone(),
        };
        match self.ordered(id, order.carry_out()).await? {
            None => self.standing(id).await,
            Some(refusal) => {
                tracing::warn!("the order of button {id} is refused: {refusal}");
                Ok(refused(&refusal))
            }
        }
    }

    pub(super) async fn remove(&self, id: &str, cluster: &str) -> Result<Status, NotHeard> {
        tracing::info!("button {id} orders the removal of {cluster}");
        let (orders, button, name) = (self.orders.clone(), id.to_owned(), cluster.to_owned());
        let order = async move { Ok(orders.remove(&button, &name).await.err()) };
        match self.ordered(id, order).await? {
            None => self.standing(id).await,
            Some(refusal) => {
                tracing::warn!("the removal for button {id} is refused: {refusal}");
                Ok(refused(&refusal))
            }
        }
    }

    /// Why an order isn't taken, if it isn't. One that takes too long goes on: in its middle, machines may be claimed for
    /// a cluster that is not kept yet.
    async fn ordered(
        &self,
        id: &str,
        order: impl Future<Output = Result<Option<Refusal>, NotHeard>> + Send + 'static,
    ) -> Result<Option<Refusal>, NotHeard> {
        let mut order = tokio::spawn(order);
        match timeout(ORDER, &mut order).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => {
                tracing::error!("the order of button {id} failed: {error}");
                Ok(Some(Refusal::unsure("the daemon failed: try again")))
            }
            Err(_) => {
                self.late().insert(id.to_owned(), order.abort_handle());
                Ok(Some(Refusal::unsure(LATE)))
            }
        }
    }

    /// Whether an order of a button is still being taken: another one would be about the same.
    pub(super) fn is_late(&self, id: &str) -> bool {
        let mut late = self.late();
        late.retain(|_, order| !order.is_finished());
        late.contains_key(id)
    }

    fn late(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An order of a cluster for a button that has been noted as its owner.
struct Beginning {
    store: Arc<dyn Store>,
    orders: Arc<dyn Orders>,
    button: String,
    profile: Profile,
    name: String,
    /// The cluster that the button had before.
    before: Option<String>,
}

impl Beginning {
    /// Why it isn't taken, if it isn't. The button keeps the name wherever a cluster of that name may be its own: its
    /// next press goes on with that one.
    async fn carry_out(self) -> Result<Option<Refusal>, NotHeard> {
        let order = self.orders.begin(&self.button, &self.profile, &self.name);
        let Err(refusal) = order.await else {
            return Ok(None);
        };
        if !refusal.unsure {
            self.store
                .change::<Button, NotHeard, _>(&self.button, |button| {
                    if button.cluster.as_ref() == Some(&self.name) {
                        button.cluster.clone_from(&self.before);
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(Some(refusal))
    }
}
