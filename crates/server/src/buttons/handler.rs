//! Answering buttons: over MQTT, and over HTTPS on the same network.

use super::decide::{Decision, Name, Stale, decide, take};
use super::known::{Known, key};
use super::names;
use super::ordering::LATE;
use super::orders::{Orders, Refusal};
use super::tell::Told;
use super::virtual_button::{NoButton, VirtualButtons};
use super::{availability, old};
use bramble_bus::{Bus, Link, Message};
use bramble_button::signed::{Claimed, Key, REQUESTS, requester, status_topic};
use bramble_button::{
    ButtonId, ClusterName, Nonce, Payload, Press, Report, Request, Status, Text, UnixTime,
    Unspeakable, Word,
};
use bramble_simulator::Frame;
use bramble_store::record::{Button, Cluster};
use bramble_store::{Change, Kind, Store, Typed};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, broadcast, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked who is to be told something, as long as there is somebody.
const LOOK: Duration = Duration::from_millis(100);

/// Messages that wait for the broker; further ones are dropped, and said again when it is back.
const OUTBOX: usize = 1024;

/// What a handler is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name: the one that its buttons believe.
    pub handler: Word,
    /// The topic of buttons that speak only the seed's grammar; `None`: they aren't heard.
    pub old: Option<String>,
}

/// Why a message was not answered with a signed report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotHeard {
    /// It is none.
    #[error("this is no request of a button")]
    Garbage,
    /// Nobody has registered the button, or it signs with another key.
    #[error("the button {button} is not known here, or signs with another key")]
    Stranger {
        /// Who it says it is.
        button: ButtonId,
        /// Its request's nonce.
        nonce: Nonce,
    },
    /// It is old, or was heard before.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The button was changed by somebody else meanwhile.
    #[error("the button was changed meanwhile")]
    Raced,
    /// The daemon's own clock isn't set.
    #[error("the daemon's clock is not set")]
    Clock,
    /// The answer can't be written.
    #[error(transparent)]
    Unspeakable(#[from] Unspeakable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
}

/// The handler.
pub struct Handler {
    pub(super) store: Arc<dyn Store>,
    pub(super) settings: Settings,
    pub(super) orders: Arc<dyn Orders>,
    bus: Arc<dyn Bus>,
    twins: VirtualButtons,
    /// Who answers a request: two at once would decide about the same.
    pub(super) turn: Mutex<()>,
    /// Orders that took too long to wait for, by button.
    pub(super) late: std::sync::Mutex<HashMap<String, AbortHandle>>,
    told: std::sync::Mutex<HashMap<String, Told>>,
    outbox: mpsc::Sender<Message>,
    /// Taken by who serves.
    waiting: std::sync::Mutex<Option<mpsc::Receiver<Message>>>,
}

impl Handler {
    /// A handler; it does nothing until [`Handler::serve`].
    pub fn new(
        store: Arc<dyn Store>,
        orders: Arc<dyn Orders>,
        bus: Arc<dyn Bus>,
        settings: Settings,
    ) -> Arc<Self> {
        let (outbox, waiting) = mpsc::channel(OUTBOX);
        let (handler, old) = (settings.handler.clone(), settings.old.clone());
        Arc::new(Self {
            twins: VirtualButtons::new(store.clone(), bus.clone(), handler, old),
            store,
            settings,
            orders,
            bus,
            turn: Mutex::default(),
            late: std::sync::Mutex::default(),
            told: std::sync::Mutex::default(),
            outbox,
            waiting: std::sync::Mutex::new(Some(waiting)),
        })
    }

    /// Answers requests and tells buttons how things stand, until told to stop. The bus stays open.
    ///
    /// # Errors
    /// When the broker refuses a subscription.
    pub async fn serve(
        self: Arc<Self>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), bramble_bus::Error> {
        let mut requests = self.bus.subscribe(REQUESTS).await?;
        let mut old = match &self.settings.old {
            Some(topic) => Some(self.bus.subscribe(topic).await?),
            None => None,
        };
        let waiting = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let posted = waiting.map(|waiting| tokio::spawn(post(self.bus.clone(), waiting)));
        let mut link = self.bus.link();
        link.mark_changed();
        let mut changes = self.store.changes();
        let mut dirty = HashSet::new();
        let mut recalls = old::Recalls::default();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let told = async move {
            // A sender that is gone tells to stop as well.
            let _ = stop.wait_for(|stop| *stop).await.map(drop);
        };
        tokio::pin!(told);
        loop {
            tokio::select! {
                () = &mut told => break,
                message = requests.next() => match message {
                    Some(message) => self.requested(&message).await,
                    None => break,
                },
                message = next(&mut old) => match message {
                    Some(message) => self.said_by_old(&message, &mut recalls).await,
                    None => break,
                },
                changed = link.changed() => {
                    if changed.is_ok() && *link.borrow_and_update() == Link::Up {
                        self.post(availability(&self.settings.handler, true));
                        self.forget_told();
                        self.all(&mut dirty).await;
                    }
                }
                change = changes.recv() => match change {
                    Ok(change) => self.changed(&change, &mut dirty),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.all(&mut dirty).await,
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                _ = ticks.tick(), if !dirty.is_empty() || !recalls.is_empty() => {
                    self.tell(&mut dirty).await;
                    self.recall(&mut recalls).await;
                }
            }
        }
        if let Some(posted) = posted {
            posted.abort();
        }
        Ok(())
    }

    /// Answers a press that came over HTTPS: the signed report. It is carried out like one over MQTT, by the same right:
    /// its signature.
    ///
    /// # Errors
    /// [`NotHeard`], also where another button's id is in the message.
    pub async fn heard(&self, button: &str, message: &[u8]) -> Result<Vec<u8>, NotHeard> {
        let claimed = Claimed::<Request>::read(message).ok_or(NotHeard::Garbage)?;
        if claimed.unproven().button.as_str() != button {
            return Err(NotHeard::Garbage);
        }
        Ok(self.answer(claimed).await?.to_vec())
    }

    /// Presses the virtual twin of a button.
    ///
    /// # Errors
    /// [`NoButton`].
    pub async fn press(&self, id: &str, press: Press) -> Result<(), NoButton> {
        self.twins.press(id, press).await
    }

    /// What the display of a button's virtual twin shows, as it changes.
    ///
    /// # Errors
    /// [`NoButton`].
    pub async fn frames(&self, id: &str) -> Result<watch::Receiver<Frame>, NoButton> {
        self.twins.frames(id).await
    }

    /// Answers a message at a button's topic.
    async fn requested(&self, message: &Message) {
        // A button retains nothing; what is kept may be of any age.
        if message.retain {
            return;
        }
        let Some(claimed) = Claimed::<Request>::read(&message.payload) else {
            return tracing::debug!("garbage at {}", message.topic);
        };
        if requester(&message.topic).as_ref() != Some(&claimed.unproven().button) {
            return tracing::warn!("at {} another button is named", message.topic);
        }
        match self.answer(claimed).await {
            Ok(_) => {}
            Err(NotHeard::Stranger { button, nonce }) => {
                tracing::warn!("the button {button} is not known, or signs with another key");
                self.refuse_stranger(button, nonce);
            }
            Err(error) => tracing::warn!("a request at {} is dropped: {error}", message.topic),
        }
    }

    /// Carries out what a button claims, if it is the button, and tells it.
    async fn answer(&self, claimed: Claimed<Request>) -> Result<Payload, NotHeard> {
        let _turn = self.turn.lock().await;
        let claim = claimed.unproven();
        let stranger = NotHeard::Stranger {
            button: claim.button.clone(),
            nonce: claim.nonce,
        };
        let known = Known::read(&*self.store, claim.button.as_str()).await?;
        let Some((known, key)) = known.and_then(|k| key(&k.button).map(|key| (k, key))) else {
            return Err(stranger);
        };
        let Ok(request) = claimed.proven(&key) else {
            return Err(stranger);
        };
        let (status, cluster) = self.carry_out(known, &request).await?;
        self.report(&request.button, &key, Some(request.nonce), status, cluster)
    }

    /// Carries out a request that is its button's; how things stand then, and which cluster it is about.
    async fn carry_out(
        &self,
        known: Known,
        request: &Request,
    ) -> Result<(Status, Option<String>), NotHeard> {
        let now = now()?;
        let id = request.button.as_str();
        let decision = match decide(&known, &request.ask) {
            Decision::Begin(_) | Decision::Remove { .. } if self.is_late(id) => {
                Decision::Tell(refused(&Refusal::new(LATE)))
            }
            decision => decision,
        };
        let name = match &decision {
            Decision::Begin(Name::Again(name)) => Some(name.clone()),
            Decision::Begin(Name::Like(proposal)) => Some(self.free(proposal).await?),
            Decision::Tell(_) | Decision::Remove { .. } => None,
        };
        let before = known.button.cluster.clone();
        self.store
            .change::<Button, NotHeard, _>(id, |button| {
                if button.cluster != before {
                    return Err(NotHeard::Raced);
                }
                take(button, request, now)?;
                button.cluster = name.clone().or_else(|| before.clone());
                Ok(())
            })
            .await?;
        let status = match (decision, name) {
            (Decision::Tell(status), _) => return Ok((status, before)),
            (Decision::Remove { cluster }, _) => self.remove(id, &cluster).await?,
            (Decision::Begin(_), name) => self.begin(id, &known, &name.unwrap_or_default()).await?,
        };
        Ok((status, self.store.need::<Button>(id).await?.it.cluster))
    }

    pub(super) async fn standing(&self, id: &str) -> Result<Status, NotHeard> {
        let known = Known::read(&*self.store, id).await?;
        Ok(known.map_or(Status::Available, |known| known.status()))
    }

    /// The best free name.
    pub(super) async fn free(&self, proposal: &ClusterName) -> Result<String, NotHeard> {
        for name in names::candidates(proposal) {
            if self.store.find::<Cluster>(&name).await?.is_none() {
                return Ok(name);
            }
        }
        let key = bramble_store::Key::new(Kind::Cluster, proposal.as_str());
        Err(bramble_store::Error::Exists(key).into())
    }

    /// Reports to a button. A refusal isn't retained: what stays at the broker is how things stand.
    pub(super) fn report(
        &self,
        button: &ButtonId,
        key: &Key,
        re: Option<Nonce>,
        status: Status,
        cluster: Option<String>,
    ) -> Result<Payload, NotHeard> {
        let retain = !matches!(status, Status::Refused { .. });
        let payload = self.worded(button, re, status.clone())?.signed(key)?;
        self.post(Message {
            topic: status_topic(button).to_string(),
            payload: payload.to_vec(),
            retain,
        });
        if retain {
            self.told()
                .insert(button.to_string(), Told::now(cluster, status));
        }
        Ok(payload)
    }

    fn worded(
        &self,
        button: &ButtonId,
        re: Option<Nonce>,
        status: Status,
    ) -> Result<Report, NotHeard> {
        Ok(Report {
            button: button.clone(),
            handler: self.settings.handler.clone(),
            time: now()?,
            re,
            status,
        })
    }

    fn refuse_stranger(&self, button: ButtonId, nonce: Nonce) {
        let reason = Text::lossy("this button is not known here");
        let report = self.worded(&button, Some(nonce), Status::Refused { reason });
        let payload = report.and_then(|report| Ok(report.unsigned()?));
        match payload {
            Ok(payload) => self.post(Message::new(
                status_topic(&button).to_string(),
                payload.to_vec(),
            )),
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// Hands a message to who publishes.
    pub(super) fn post(&self, message: Message) {
        if let Err(error) = self.outbox.try_send(message) {
            tracing::warn!("a message for the broker is dropped: {error}");
        }
    }

    /// Ends the connection of a button that is no longer known, and what the broker keeps for it.
    pub(super) fn send_away(&self, id: &str) {
        self.bus.dismiss(id);
        if let Ok(id) = id.parse() {
            self.post(Message::retained(status_topic(&id).to_string(), []));
        }
    }

    /// What buttons were told last.
    pub(super) fn told(&self) -> std::sync::MutexGuard<'_, HashMap<String, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, change: &Change, dirty: &mut HashSet<String>) {
        let (Change::Put(key) | Change::Deleted(key)) = change else {
            return;
        };
        let cluster = match key.kind {
            Kind::Button => {
                dirty.insert(key.name.clone());
                return;
            }
            Kind::Cluster => Some(key.name.as_str()),
            Kind::Run => key.name.rsplit_once('-').map(|(cluster, _)| cluster),
            _ => return,
        };
        let told = self.told();
        let owners = told
            .iter()
            .filter(|(_, told)| told.cluster.as_deref() == cluster);
        dirty.extend(owners.map(|(id, _)| id.clone()));
    }

    async fn all(&self, dirty: &mut HashSet<String>) {
        match self.store.list(Kind::Button).await {
            Ok(all) => dirty.extend(all.into_iter().map(|button| button.key.name)),
            Err(error) => tracing::error!("buttons can't be read: {error}"),
        }
    }
}

/// Publishes what waits, in order. What fails is said again when the broker is back.
async fn post(bus: Arc<dyn Bus>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.recv().await {
        let topic = message.topic.clone();
        if let Err(error) = bus.publish(message).await {
            tracing::warn!("a message at {topic} is lost: {error}");
        }
    }
}

async fn next(subscription: &mut Option<bramble_bus::Subscription>) -> Option<Message> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    }
}

pub(super) fn refused(refusal: &Refusal) -> Status {
    Status::Refused {
        reason: Text::lossy(&refusal.reason),
    }
}

/// The time.
pub(super) fn now() -> Result<UnixTime, NotHeard> {
    let seconds = u64::try_from(Timestamp::now().as_second()).ok();
    seconds.and_then(UnixTime::new).ok_or(NotHeard::Clock)
}
