//! A broker in this process. The library's own accept loops aren't used: in them a stranger who connects and stays
//! silent in the TLS handshake keeps everybody else out. Here each connection has a task and limits of its own.

mod gate;
mod listener;
mod visits;

pub use gate::{Act, Gate, Visitor};

use crate::Bus;
use crate::client::{Address, Client, Settings};
use crate::error::Error;
use crate::message::{Link, Message};
use crate::subscription::Subscription;
use async_trait::async_trait;
use bramble_secret::Secret;
use gate::Own;
use listener::Broker;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where an embedded broker listens.
#[derive(Debug, Clone)]
pub struct Listen {
    /// With TLS.
    pub tls: SocketAddr,
    /// Its certificate and those up to the authority, in PEM form.
    pub certificate: PathBuf,
    /// The key of it, in PEM form.
    pub key: PathBuf,
    /// Without TLS, for devices that can't do better.
    pub plain: Option<SocketAddr>,
}

/// A broker in this process, and a connection to it.
pub struct Embedded {
    client: Client,
    broker: Arc<Broker>,
    tls: SocketAddr,
    plain: Option<SocketAddr>,
    /// Listens as long as it lives.
    _listeners: JoinSet<()>,
}

impl Embedded {
    /// Opens a broker. What it retains is gone when it is closed. A TLS provider must be installed in the process.
    ///
    /// - `secret`: the password of this process's own client; nobody else needs to know it.
    /// - `will`: what is published when this process leaves, or its client is lost.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Listen`]; [`Error::Unreachable`] where this computer's own address is blocked.
    pub async fn open(
        listen: &Listen,
        gate: Arc<dyn Gate>,
        secret: Secret,
        will: Option<Message>,
    ) -> Result<Self, Error> {
        let broker = Arc::new(Broker::new());
        let mut listeners = JoinSet::new();
        let acceptor = listener::acceptor(&listen.certificate, &listen.key)?;
        let tls = broker
            .listen(listen.tls, Some(acceptor), gate.clone(), &mut listeners)
            .await?;
        let plain = match listen.plain {
            None => None,
            Some(at) => Some(broker.listen(at, None, gate, &mut listeners).await?),
        };
        let own: Arc<dyn Gate> = Arc::new(Own(secret.clone()));
        let inside = (Ipv4Addr::LOCALHOST, 0).into();
        let inside = broker.listen(inside, None, own, &mut listeners).await?;
        broker.clone().sweep(&mut listeners);
        let client = Client::once(Settings {
            broker: Address::plain(inside),
            client: Own::NAME.into(),
            login: Some((Own::NAME.into(), secret)),
            authority: None,
            proxy: None,
            will,
        })
        .await?;
        Ok(Self {
            client,
            broker,
            tls,
            plain,
            _listeners: listeners,
        })
    }

    /// Where it listens with TLS.
    pub fn tls(&self) -> SocketAddr {
        self.tls
    }

    /// Where it listens without.
    pub fn plain(&self) -> Option<SocketAddr> {
        self.plain
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.broker.visits.dismiss_all();
    }
}

#[async_trait]
impl Bus for Embedded {
    async fn publish(&self, message: Message) -> Result<(), Error> {
        self.client.publish(message).await
    }

    async fn subscribe(&self, filter: &str) -> Result<Subscription, Error> {
        self.client.subscribe(filter).await
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.client.link()
    }

    fn dismiss(&self, name: &str) {
        self.broker.visits.dismiss(name);
    }

    async fn close(&self) {
        self.client.close().await;
        self.broker.visits.dismiss_all();
    }
}
