//! Certificates, ports, and waiting with a limit.

use bramble_bus::{Bus, Link, Message, Subscription};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;
use tokio::time::timeout;

/// No test waits longer for anything.
pub const LIMIT: Duration = Duration::from_secs(20);

/// So long nothing must happen that must not happen.
pub const QUIET: Duration = Duration::from_millis(400);

pub fn provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A folder with an authority's certificate, and a broker's with its key.
pub struct Certificates {
    pub folder: tempfile::TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        Self::of(&["localhost", "127.0.0.1"])
    }

    /// For a broker of these names.
    pub fn of(names: &[&str]) -> Self {
        provider();
        let folder = tempfile::tempdir().unwrap();
        let authority = bramble_keys::authority("Test").unwrap();
        let owned: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let broker = bramble_keys::signed(&authority, names[0], &owned).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("ca.pem", &authority.certificate);
        write("broker.pem", &broker.certificate);
        write("broker.key", broker.key.expose());
        Self { folder }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Waits for the link to be so.
pub async fn link(bus: &dyn Bus, is: impl Fn(&Link) -> bool) -> Link {
    let mut link = bus.link();
    let found = timeout(LIMIT, link.wait_for(|link| is(link))).await;
    found.expect("the link changes in time").unwrap().clone()
}

pub async fn up(bus: &dyn Bus) {
    link(bus, |link| *link == Link::Up).await;
}

/// The next message.
pub async fn next(subscription: &mut Subscription) -> Message {
    let next = timeout(LIMIT, subscription.next()).await;
    next.expect("a message comes in time")
        .expect("the bus is open")
}

/// Nothing comes.
pub async fn nothing(subscription: &mut Subscription) {
    if let Ok(message) = timeout(QUIET, subscription.next()).await {
        panic!("{message:?}");
    }
}
