//! A store, a handler, a broker and buttons.

use super::brokers::{Broker, Kind, OLD_TOPIC};
use super::till::Till;
use crate::world::{LIMIT, next, up};
use bramble_bus::{Bus, Client, Message, Subscription};
use bramble_button::signed::{Claimed, Key, request_topic, status_topic};
use bramble_button::{Ask, Nonce, Report, Request, Status, UnixTime};
use bramble_server::buttons::{Handler, Settings, availability};
use bramble_store::record::{Button, Profile};
use bramble_store::{Sqlite, Store, Typed};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub const KEY: [u8; 32] = [7; 32];
pub const HANDLER: &str = "MyHandler";

/// A handler at work, and what ends it.
type Serving = (
    watch::Sender<bool>,
    JoinHandle<Result<(), bramble_bus::Error>>,
);

pub struct World {
    pub store: Arc<dyn Store>,
    pub till: Arc<Till>,
    pub broker: Broker,
    pub handler: Arc<Handler>,
    serving: Option<Serving>,
    _folder: tempfile::TempDir,
}

impl World {
    /// A world with the button `dash01`, which may take its cluster down, and the old button `dash07`.
    pub async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        register(&store, "dash01", &hex::encode(KEY), true).await;
        register(&store, "dash07", "", false).await;
        let will = availability(&HANDLER.parse().unwrap(), false);
        let broker = Broker::open(kind, store.clone(), will).await;
        let till = Till::new(store.clone(), folder.path());
        let handler = handler(&store, &till, &broker);
        let mut world = Self {
            store,
            till,
            broker,
            handler,
            serving: None,
            _folder: folder,
        };
        world.serve();
        up(&*world.broker.bus).await;
        // It has subscribed once it has said that it is there.
        let mut word = world
            .broker
            .bus
            .subscribe("bramble/v2/handler")
            .await
            .unwrap();
        next(&mut word).await;
        world
    }

    fn serve(&mut self) {
        let (stop, stopped) = watch::channel(false);
        self.serving = Some((stop, tokio::spawn(self.handler.clone().serve(stopped))));
    }

    /// Ends the handler, and begins with another on the same store.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.handler = handler(&self.store, &self.till, &self.broker);
        self.serve();
    }

    pub async fn stop(&mut self) {
        if let Some((stop, task)) = self.serving.take() {
            stop.send(true).unwrap();
            task.await.unwrap().unwrap();
        }
    }

    /// The button, connected to the broker as one.
    pub async fn device(&self) -> Device {
        let bus = Client::once(self.broker.settings("dash01", KEY))
            .await
            .unwrap();
        Device::new(Arc::new(bus)).await
    }

    /// Says something at a topic, as somebody who may.
    pub async fn inject(&self, message: Message) {
        self.broker.bus.publish(message).await.unwrap();
    }
}

fn handler(store: &Arc<dyn Store>, till: &Arc<Till>, broker: &Broker) -> Arc<Handler> {
    let settings = Settings {
        handler: HANDLER.parse().unwrap(),
        old: Some(OLD_TOPIC.into()),
    };
    Handler::new(store.clone(), till.clone(), broker.bus.clone(), settings)
}

pub async fn register(store: &Arc<dyn Store>, id: &str, key: &str, teardown: bool) {
    let button = Button {
        key: key.into(),
        profile: Profile {
            template: "small".into(),
            plugin: None,
            lifetime: None,
            teardown,
        },
        cluster: None,
        last: 0,
        nonce: String::new(),
        created: Timestamp::now(),
    };
    store.add(id, button).await.unwrap();
}

/// Seconds since 1970.
pub fn seconds() -> u64 {
    Timestamp::now().as_second().try_into().unwrap()
}

/// A button as its handler sees it.
pub struct Device {
    pub bus: Arc<dyn Bus>,
    status: Subscription,
    wake: u8,
    number: u16,
    time: u64,
}

impl Device {
    pub async fn new(bus: Arc<dyn Bus>) -> Self {
        let status = bus.subscribe("bramble/v2/dash01/status").await.unwrap();
        Self {
            bus,
            status,
            wake: 0,
            number: 0,
            time: seconds(),
        }
    }

    /// The same button, connected anew.
    pub async fn again(self, world: &World) -> Self {
        let Self { bus, status, .. } = world.device().await;
        Self {
            bus,
            status,
            ..self
        }
    }

    /// Another press: other random bytes, and a later second.
    pub fn wakes(&mut self) {
        self.wake += 1;
        self.number = 0;
        self.time = seconds().max(self.time + 1);
    }

    pub fn request(&mut self, ask: Ask) -> Request {
        self.number += 1;
        Request {
            button: "dash01".parse().unwrap(),
            time: UnixTime::new(self.time).unwrap(),
            nonce: Nonce::new([self.wake; 14], self.number),
            ask,
        }
    }

    pub async fn send(&self, request: &Request) {
        let payload = request.signed(&Key::new(KEY)).unwrap();
        self.bus
            .publish(said(request, payload.to_vec()))
            .await
            .unwrap();
    }

    /// Asks, and gives the answer.
    pub async fn asks(&mut self, ask: Ask) -> Status {
        let request = self.request(ask);
        self.send(&request).await;
        self.answer(&request).await
    }

    pub async fn answer(&mut self, request: &Request) -> Status {
        loop {
            let report = self.report().await;
            if report.re == Some(request.nonce) {
                return report.status;
            }
        }
    }

    /// The next report that is signed.
    pub async fn report(&mut self) -> Report {
        loop {
            let message = next(&mut self.status).await;
            let claimed = Claimed::<Report>::read(&message.payload);
            if let Some(Ok(report)) = claimed.map(|claimed| claimed.proven(&Key::new(KEY))) {
                return report;
            }
        }
    }

    /// Waits for a status that is so.
    pub async fn until(&mut self, is: impl Fn(&Status) -> bool) -> Status {
        let found = async {
            loop {
                let status = self.report().await.status;
                if is(&status) {
                    return status;
                }
            }
        };
        tokio::time::timeout(LIMIT, found)
            .await
            .expect("it is told in time")
    }

    /// What has come so far.
    pub async fn drain(&mut self) -> Vec<Message> {
        let mut all = Vec::new();
        let quiet = crate::world::QUIET;
        while let Ok(Some(message)) = tokio::time::timeout(quiet, self.status.next()).await {
            all.push(message);
        }
        all
    }
}

/// A message of a button.
pub fn said(request: &Request, payload: Vec<u8>) -> Message {
    Message::new(request_topic(&request.button).to_string(), payload)
}

pub fn provision(name: &str) -> Ask {
    Ask::Provision {
        cluster: name.parse().unwrap(),
    }
}

pub fn teardown(name: &str) -> Ask {
    Ask::Teardown {
        cluster: name.parse().unwrap(),
    }
}

pub fn topic_of(id: &str) -> String {
    status_topic(&id.parse().unwrap()).to_string()
}
