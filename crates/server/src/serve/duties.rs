//! What one daemon of a store does, and no other: runs, order among clusters, buttons.

use super::Error;
use super::buttons::{self, Hearing};
use super::home::Shared;
use crate::api::Ears;
use crate::buttons::{Handler, Orders};
use crate::controller;
use crate::leader::{self, Lost};
use crate::limit::Limits;
use crate::origins::Origins;
use crate::runs::Runs;
use crate::tls::Tls;
use axum_server::Handle;
use bramble_lights::Panel;
use bramble_store::{Store, Terms};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How soon it is tried again to hear buttons.
const AGAIN: Duration = Duration::from_secs(5);

/// How long requests may still take where the daemon ends by a fault, or another one may lead already.
const LOST: Duration = Duration::from_millis(500);

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
    /// The handler, as long as buttons are heard.
    handler: Arc<RwLock<Option<Arc<Handler>>>>,
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

    /// Who answers requests about buttons; `other` = which other daemon leads.
    pub(super) fn ears(&self, other: watch::Receiver<Option<String>>) -> Ears {
        Ears::Leader {
            handler: self.handler.clone(),
            other,
        }
    }

    /// Opens the bus; where the own broker listens, if there is one.
    pub(super) async fn open(&mut self) -> Result<Option<SocketAddr>, Error> {
        let (settings, store) = (self.settings.clone(), self.store.clone());
        let orders = self.orders.clone();
        let hearing = buttons::open(settings, store, orders, &self.tls, self.limits).await?;
        self.is_heard_by(Some(hearing.handler.clone()));
        let broker = hearing.broker;
        self.open = Some(hearing);
        Ok(broker)
    }

    fn is_heard_by(&self, handler: Option<Arc<Handler>>) {
        *self.handler.write().unwrap_or_else(PoisonError::into_inner) = handler;
    }

    /// Hears buttons until told to stop. A bus that can't be opened, that refuses a subscription or that ends is opened
    /// anew.
    async fn hear(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            if self.open.is_none()
                && let Err(error) = self.open().await
            {
                tracing::error!("buttons can't be heard: {error}");
            }
            if let Some(hearing) = self.open.take() {
                hearing.serve(&self.panel, stop.clone()).await;
                // A broker inside listens as long as its handler lives.
                self.is_heard_by(None);
            }
            // A sender that is gone tells to stop as well.
            let told = stop.wait_for(|stop| *stop);
            if tokio::time::timeout(AGAIN, told).await.is_ok() {
                return;
            }
            tracing::warn!("it is tried again to hear buttons");
        }
    }
}

impl Duties {
    /// Does all of it until told to stop; processes of runs go on then.
    ///
    /// # Errors
    /// When a part of it ends before: the rest has ended then, too.
    pub(super) async fn alone(self, stop: watch::Receiver<bool>) -> Result<(), Lost> {
        let hears = async {
            if let Some(ears) = self.ears {
                ears.hear(stop.clone()).await;
            } else {
                told(stop.clone()).await;
            }
        };
        let done = tokio::try_join!(
            lasting("carries out runs", &stop, self.runs.supervise(stop.clone())),
            lasting("keeps order", &stop, self.origins.keep(stop.clone())),
            lasting("hears buttons", &stop, hears),
        );
        done.map(drop)
    }

    /// Does all of it as long as this daemon leads those that share its home.
    pub(super) async fn among(
        self,
        shared: Shared,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Lost> {
        let Shared {
            kubernetes,
            replica,
        } = shared;
        // What was begun here and has been forgotten since: it may be long until this daemon leads and keeps order.
        let swept = tokio::select! {
            swept = self.runs.sweep() => swept.map(drop),
            () = told(stop.clone()) => Ok(()),
        };
        if let Err(error) = swept {
            tracing::error!("folders of old runs stay: {error}");
        }
        let candidate = kubernetes.candidate(replica.name(), Terms::default());
        let work = |told: watch::Receiver<bool>| async move {
            let declared = controller::control(kubernetes, self.runs.clone(), told.clone());
            let declared = lasting("makes what is declared", &told, declared);
            // Whoever leads sees that it ended too early.
            let _ = tokio::try_join!(self.alone(told.clone()), declared).map(drop);
        };
        leader::lead(candidate, &replica, stop, work).await
    }
}

/// Does what ends only when it is told to.
async fn lasting(
    what: &str,
    stop: &watch::Receiver<bool>,
    duty: impl Future<Output = ()>,
) -> Result<(), Lost> {
    duty.await;
    if is_told(stop) {
        return Ok(());
    }
    tracing::error!("what {what} has ended too early");
    Err(Lost::Work)
}

/// Whether it is told to stop; a sender that is gone tells so as well.
fn is_told(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Waits until it is told to stop.
async fn told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}

/// Sees `work` through, which ends when it is told to stop. Where it ends before, as by a fault of its own, or is lost,
/// the daemon answers to nobody any more: it would accept what it does not carry out.
pub(super) async fn until_over(
    work: impl Future<Output = Result<(), Lost>> + Send + 'static,
    handle: Handle<SocketAddr>,
) -> Result<(), Lost> {
    // A set of one task ends it when it goes.
    let mut work = JoinSet::from_iter([work]);
    let over = match work.join_next().await {
        Some(Ok(over)) => over,
        Some(Err(error)) => {
            tracing::error!("a part of the daemon failed: {error}");
            Err(Lost::Work)
        }
        None => Ok(()),
    };
    if over.is_err() {
        handle.graceful_shutdown(Some(LOST));
    }
    over
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::runs::{Runs, Settings};
    use crate::serve::Broker;
    use crate::tls;
    use bramble_bus::{Bus, Client};
    use bramble_button::signed::{Claimed, Key, request_topic, status_topic};
    use bramble_button::{Ask, Nonce, Report, Request, UnixTime};
    use bramble_secret::Secret;
    use bramble_store::record::{Button, Profile};
    use bramble_store::{Sqlite, Typed};
    use jiff::Timestamp;
    use std::time::Instant;

    const KEY: [u8; 32] = [7; 32];
    const LIMIT: Duration = Duration::from_secs(60);

    /// Whether a daemon that does this ends by itself.
    async fn ends(
        work: impl Future<Output = Result<(), Lost>> + Send + 'static,
    ) -> Result<(), Lost> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let handle = Handle::new();
        let server = axum_server::from_tcp(listener)
            .unwrap()
            .handle(handle.clone());
        let served = server.serve(axum::Router::new().into_make_service());
        let over = tokio::spawn(until_over(work, handle));
        tokio::time::timeout(LIMIT, served).await.unwrap().unwrap();
        over.await.unwrap()
    }

    #[tokio::test]
    async fn a_daemon_whose_work_fails_answers_to_nobody_and_ends_with_an_error() {
        let failed = ends(async { panic!("a duty") }).await;
        assert_eq!(failed, Err(Lost::Work));
        let (_stop, stopped) = watch::channel(false);
        let early = ends(async move { lasting("carries out runs", &stopped, async {}).await });
        assert_eq!(early.await, Err(Lost::Work));
    }

    #[tokio::test]
    async fn work_that_is_told_to_stop_ends_without_an_error() {
        let (stop, stopped) = watch::channel(false);
        let duty = async move { lasting("keeps order", &stopped, told(stopped.clone())).await };
        let over = tokio::spawn(until_over(duty, Handle::new()));
        stop.send(true).unwrap();
        assert_eq!(over.await.unwrap(), Ok(()));
    }

    async fn register(store: &Arc<dyn Store>) {
        let button = Button {
            key: hex::encode(KEY),
            profile: Profile {
                template: "small".into(),
                plugin: None,
                lifetime: None,
                teardown: false,
            },
            cluster: None,
            last: 0,
            nonce: String::new(),
            created: Timestamp::now(),
        };
        store.add("dash01", button).await.unwrap();
    }

    /// Waits until a button gets an answer.
    async fn is_answered(broker: SocketAddr, authority: std::path::PathBuf, wake: u8) {
        let settings = bramble_bus::Settings {
            broker: format!("mqtts://localhost:{}", broker.port())
                .parse()
                .unwrap(),
            client: "dash01".into(),
            login: Some((
                "dash01".into(),
                Secret::new(Key::new(KEY).password().expose()),
            )),
            authority: Some(authority),
            proxy: None,
            will: None,
        };
        let begin = Instant::now();
        let id: bramble_button::ButtonId = "dash01".parse().unwrap();
        for number in 1.. {
            assert!(begin.elapsed() < LIMIT, "the button gets no answer");
            tokio::time::sleep(Duration::from_millis(200)).await;
            let Ok(bus) = Client::once(settings.clone()).await else {
                continue;
            };
            let seconds = u64::try_from(Timestamp::now().as_second()).unwrap();
            let request = Request {
                button: id.clone(),
                time: UnixTime::new(seconds + u64::from(wake)).unwrap(),
                nonce: Nonce::new([wake; 14], number),
                ask: Ask::Status,
            };
            let mut status = bus.subscribe(&status_topic(&id)).await.unwrap();
            let payload = request.signed(&Key::new(KEY)).unwrap().to_vec();
            let said = bramble_bus::Message::new(request_topic(&id).to_string(), payload);
            let _ = bus.publish(said).await;
            let answered = async {
                while let Some(message) = status.next().await {
                    let claimed = Claimed::<Report>::read(&message.payload);
                    let report = claimed.and_then(|c| c.proven(&Key::new(KEY)).ok());
                    if report.is_some_and(|report| report.re == Some(request.nonce)) {
                        return true;
                    }
                }
                false
            };
            let answered = tokio::time::timeout(Duration::from_secs(1), answered).await;
            bus.close().await;
            if answered == Ok(true) {
                return;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn buttons_are_heard_again_after_their_bus_has_ended() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        register(&store).await;
        let names = ["localhost".to_owned()];
        let tls = tls::ensure(&folder.path().join("tls"), "localhost", &names).unwrap();
        let settings = Settings {
            data: folder.path().into(),
            program: "/bin/false".into(),
            tries: 1,
        };
        let orders = Origins::new(store.clone(), Runs::new(store.clone(), settings));
        // The same place each time, as a daemon's is.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        let told = buttons::Buttons {
            handler: "MyHandler".parse().unwrap(),
            broker: Broker::Own {
                tls: at,
                plain: None,
            },
            old: None,
        };
        let panel = Panel::new(bramble_lights::Rules::default());
        let limits = Limits::default();
        let mut ears = Hearers::new(told, store, orders, tls.clone(), panel, limits);
        ears.open().await.unwrap();
        let bus = ears.open.as_ref().unwrap().bus.clone();
        let (stop, stopped) = watch::channel(false);
        let hearing = tokio::spawn(ears.hear(stopped));
        is_answered(at, tls.authority.clone(), 1).await;
        bus.close().await;
        drop(bus);
        is_answered(at, tls.authority, 2).await;
        stop.send(true).unwrap();
        hearing.await.unwrap();
    }
}
