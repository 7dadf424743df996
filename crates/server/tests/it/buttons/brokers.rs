//! The two kinds of broker that everything is tried with.

use super::world::KEY;
use crate::mosquitto::{Mosquitto, Way};
use crate::world::Certificates;
use bramble_bus::{Bus, Client, Embedded, Listen, Message, Settings};
use bramble_button::signed::Key;
use bramble_secret::Secret;
use bramble_server::api::Limits;
use bramble_server::buttons::{Doors, OldLogin};
use bramble_store::Store;
use std::path::PathBuf;
use std::sync::Arc;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Mosquitto,
}

pub const OLD: (&str, &str) = ("olds", "a word of olds");
pub const OLD_TOPIC: &str = "DashButton";
const HANDLER: (&str, &str) = ("handler", "a word of the handler");

const ACCESS: &str = "\
user handler
topic readwrite bramble/#
topic readwrite DashButton
user olds
topic readwrite DashButton
pattern write bramble/v2/%u/request
pattern read bramble/v2/%u/status
pattern read bramble/v2/handler
";

/// A broker; it ends with the value.
pub struct Broker {
    pub bus: Arc<dyn Bus>,
    pub way: Way,
    /// Where old buttons go.
    pub plain: Way,
    pub mosquitto: Option<Mosquitto>,
    _certificates: Option<Certificates>,
}

impl Broker {
    pub async fn open(kind: Kind, store: Arc<dyn Store>, will: Message) -> Self {
        match kind {
            Kind::Embedded => Self::embedded(store, will).await,
            Kind::Mosquitto => Self::mosquitto(will),
        }
    }

    async fn embedded(store: Arc<dyn Store>, will: Message) -> Self {
        let certificates = Certificates::new();
        let listen = Listen {
            tls: "127.0.0.1:0".parse().unwrap(),
            certificate: certificates.file("broker.pem"),
            key: certificates.file("broker.key"),
            plain: Some("127.0.0.1:0".parse().unwrap()),
        };
        let old = OldLogin {
            topic: OLD_TOPIC.into(),
            user: OLD.0.into(),
            password: Secret::new(OLD.1),
        };
        let doors = Arc::new(Doors::new(store, Some(old), Limits::default()));
        let secret = bramble_keys::password().unwrap();
        let bus = Embedded::open(&listen, doors, secret, Some(will))
            .await
            .unwrap();
        let way = Way {
            port: bus.tls().port(),
            authority: Some(certificates.file("ca.pem")),
        };
        let plain = Way {
            port: bus.plain().unwrap().port(),
            authority: None,
        };
        Self {
            bus: Arc::new(bus),
            way,
            plain,
            mosquitto: None,
            _certificates: Some(certificates),
        }
    }

    fn mosquitto(will: Message) -> Self {
        let password = Key::new(KEY).password();
        let users = [HANDLER, OLD, ("dash01", password.expose())];
        let broker = Mosquitto::start(&users, ACCESS);
        let bus = Client::kept(Settings {
            broker: broker.url().parse().unwrap(),
            client: HANDLER.0.into(),
            login: Some((HANDLER.0.into(), Secret::new(HANDLER.1))),
            authority: Some(broker.authority()),
            proxy: None,
            will: Some(will),
        });
        Self {
            bus: Arc::new(bus),
            way: broker.way(),
            plain: broker.way(),
            mosquitto: Some(broker),
            _certificates: None,
        }
    }

    /// How a button reaches it.
    pub fn settings(&self, id: &str, key: [u8; 32]) -> Settings {
        Settings {
            broker: format!("mqtts://localhost:{}", self.way.port)
                .parse()
                .unwrap(),
            client: id.into(),
            login: Some((id.into(), Secret::new(Key::new(key).password().expose()))),
            authority: self.way.authority.clone() as Option<PathBuf>,
            proxy: None,
            will: None,
        }
    }
}
