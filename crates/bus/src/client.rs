//! A connection to any broker: TCP or TLS, also through a SOCKS5 proxy.

mod address;
mod certificate;
mod connection;
mod relay;

pub use address::{Address, Proxy};

use crate::Bus;
use crate::error::Error;
use crate::message::{Link, Message};
use crate::subscription::{Subscriber, Subscription};
use async_trait::async_trait;
use bramble_secret::Secret;
use connection::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};

/// The pause before the first new attempt; doubled after each one that fails.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// A connection that lasted so long makes the next pause short again.
const LASTED: Duration = Duration::from_secs(10);

/// How a broker is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub broker: Address,
    /// The client's name; of two with one name, the broker keeps the later.
    pub client: String,
    /// User's name and password, if the broker wants them.
    pub login: Option<(String, Secret)>,
    /// File with the certificates, in PEM form, of the authorities that are trusted; `None`: those that browsers trust.
    pub authority: Option<PathBuf>,
    /// A SOCKS5 proxy (RFC 1928) on the way; it also looks the broker's name up.
    pub proxy: Option<Proxy>,
    /// What the broker publishes when the connection breaks, and the client itself when it leaves.
    pub will: Option<Message>,
}

/// A client of a broker.
pub struct Client {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
}

struct Shared {
    settings: Settings,
    link: watch::Sender<Link>,
    /// Held for the time of a subscription: none is missed by a connection that is just being made.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    subscribers: Vec<Subscriber>,
}

impl Client {
    /// Connects, and again whenever the connection is lost, until it is closed or dropped.
    pub fn kept(settings: Settings) -> Self {
        Self::begin(settings, None)
    }

    /// Connects once: what is lost stays lost.
    ///
    /// # Errors
    /// Why there is no connection: [`Error::Unreachable`], [`Error::Closed`], [`Error::Certificate`],
    /// [`Error::Refused`], [`Error::File`].
    pub async fn once(settings: Settings) -> Result<Self, Error> {
        let connection = Connection::open(&settings).await?;
        let client = Self::begin(settings, Some(connection));
        let mut link = client.link();
        // Its task lives as long as it does.
        let _ = link.wait_for(|link| *link != Link::Connecting).await;
        Ok(client)
    }

    fn begin(settings: Settings, only: Option<Connection>) -> Self {
        let (link, _) = watch::channel(Link::Connecting);
        let shared = Arc::new(Shared {
            settings,
            link,
            state: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let kept = shared.clone();
        tokio::spawn(async move {
            match only {
                Some(connection) => kept.serve(connection, stopped).await,
                None => kept.keep(stopped).await,
            }
            kept.state.lock().await.subscribers.clear();
            // Nobody may wait for it.
            let _ = end.send(true);
        });
        Self {
            shared,
            stop,
            ended,
        }
    }
}

impl Shared {
    /// Connects again and again.
    async fn keep(&self, mut stop: watch::Receiver<bool>) {
        let mut pause = FIRST;
        while !*stop.borrow() {
            let opened = tokio::select! {
                opened = Connection::open(&self.settings) => opened,
                () = told(&mut stop) => return,
            };
            match opened {
                Ok(connection) => {
                    let began = Instant::now();
                    self.serve(connection, stop.clone()).await;
                    if began.elapsed() >= LASTED {
                        pause = FIRST;
                    }
                }
                Err(error) => self.down(&error),
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(LONGEST),
                () = told(&mut stop) => return,
            }
        }
    }

    /// Uses a connection until it is lost or left.
    async fn serve(&self, connection: Connection, mut stop: watch::Receiver<bool>) {
        let connection = Arc::new(connection);
        if let Err(error) = self.install(&connection).await {
            connection.leave(None).await;
            return self.down(&error);
        }
        tokio::select! {
            why = connection.lost() => {
                self.state.lock().await.connection = None;
                tracing::warn!("the broker {} is lost: {why}", self.settings.broker);
                self.link.send_replace(Link::Down { why });
            }
            () = told(&mut stop) => {
                self.state.lock().await.connection = None;
                connection.leave(self.settings.will.clone()).await;
                self.link.send_replace(Link::Down { why: "it was left".into() });
            }
        }
    }

    /// Makes all subscriptions with a new connection, and says that it is there.
    async fn install(&self, connection: &Arc<Connection>) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        state.subscribers.retain(|s| !s.is_gone());
        for subscriber in &state.subscribers {
            connection.subscribe(subscriber.clone()).await?;
        }
        state.connection = Some(connection.clone());
        tracing::info!("the broker {} is connected", self.settings.broker);
        self.link.send_replace(Link::Up);
        Ok(())
    }

    fn down(&self, error: &Error) {
        tracing::warn!("{error}");
        self.link.send_replace(Link::Down {
            why: error.to_string(),
        });
    }
}

/// Waits until the client is to end.
async fn told(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone tells to stop as well.
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}

impl State {
    /// Ends at the broker what nobody listens to any more.
    async fn prune(&mut self) {
        let (gone, kept): (Vec<_>, Vec<_>) =
            self.subscribers.drain(..).partition(Subscriber::is_gone);
        self.subscribers = kept;
        let Some(connection) = &self.connection else {
            return;
        };
        for gone in gone {
            if self.subscribers.iter().all(|s| s.filter != gone.filter) {
                connection.unsubscribe(&gone.filter).await;
            }
        }
    }
}

#[async_trait]
impl Bus for Client {
    async fn publish(&self, message: Message) -> Result<(), Error> {
        let connection = self.shared.state.lock().await.connection.clone();
        connection.ok_or(Error::Down)?.publish(message).await
    }

    async fn subscribe(&self, filter: &str) -> Result<Subscription, Error> {
        let (subscriber, subscription) = Subscriber::new(filter);
        let mut state = self.shared.state.lock().await;
        state.prune().await;
        if let Some(connection) = &state.connection {
            connection.subscribe(subscriber.clone()).await?;
        }
        state.subscribers.push(subscriber);
        Ok(subscription)
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.shared.link.subscribe()
    }

    async fn close(&self) {
        self.stop.send_replace(true);
        // A task that is gone has ended.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}
