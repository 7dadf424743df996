//! The part of a daemon that hears buttons, and tells its lights where they meet.

use crate::buttons::{self, Doors, Handler, OldLogin, Orders, availability};
use crate::limit::Limits;
use crate::tls::Tls;
use bramble_bus::{Bus, Client, Embedded, Listen};
use bramble_button::Word;
use bramble_lights::Panel;
use bramble_lights::outputs::bus::{publish, will};
use bramble_lights::outputs::message::Topic;
use bramble_store::Store;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// How buttons are heard.
#[derive(Debug, Clone)]
pub struct Buttons {
    /// The handler's name: the one that buttons believe.
    pub handler: Word,
    /// The broker.
    pub broker: Broker,
    /// The topic of buttons that speak only the seed's grammar; `None`: they aren't heard.
    pub old: Option<String>,
}

/// Where buttons and handler meet.
#[derive(Debug, Clone)]
pub enum Broker {
    /// A broker in this process.
    Own {
        /// Where it listens with TLS.
        tls: SocketAddr,
        /// Where it listens without, for old buttons: who they are, and where.
        plain: Option<(SocketAddr, OldLogin)>,
    },
    /// Another one. Its last will is set here.
    Other(bramble_bus::Settings),
}

/// A handler that is about to serve, and what it is connected by.
pub(super) struct Hearing {
    pub handler: Arc<Handler>,
    pub(super) bus: Arc<dyn Bus>,
    /// Where the own broker listens.
    pub broker: Option<SocketAddr>,
    /// The lights' own connection: a broker tells one last will for each. At the broker inside they need none, it ends
    /// with the daemon.
    lights: Option<Client>,
}

impl Hearing {
    /// Answers buttons and tells the lights until told to stop, or until the bus ends; then says the farewells and
    /// leaves.
    pub async fn serve(self, panel: &Panel, stop: watch::Receiver<bool>) {
        let topic = Topic::DAEMON;
        let lights: &dyn Bus = match &self.lights {
            Some(own) => own,
            None => &*self.bus,
        };
        let said = |text: String| tracing::warn!("{text}");
        tokio::select! {
            served = self.handler.serve(stop) => if let Err(error) = served {
                tracing::error!("the broker does not let buttons be heard: {error}");
            },
            () = publish(panel, &topic, lights, said) => {}
        }
        let tells = async {
            // Who listens at the broker inside loses it, and knows.
            if let Some(own) = &self.lights {
                own.close().await;
            }
        };
        tokio::join!(tells, self.bus.close());
    }
}

/// Opens the bus, and makes a handler for it.
pub(super) async fn open(
    settings: Buttons,
    store: Arc<dyn Store>,
    orders: Arc<dyn Orders>,
    tls: &Tls,
    limits: Limits,
) -> Result<Hearing, super::Error> {
    let farewell = Some(availability(&settings.handler, false));
    let (bus, broker, lights): (Arc<dyn Bus>, _, _) = match settings.broker {
        Broker::Own { tls: at, plain } => {
            let (plain, old) = plain.unzip();
            let listen = Listen {
                tls: at,
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                plain,
            };
            let doors = Arc::new(Doors::new(store.clone(), old, limits));
            let secret = bramble_keys::password().map_err(crate::auth::Error::from)?;
            let broker = Embedded::open(&listen, doors, secret, farewell).await?;
            let at = broker.tls();
            (Arc::new(broker), Some(at), None)
        }
        Broker::Other(settings) => {
            let settings = bramble_bus::Settings {
                will: farewell,
                ..settings
            };
            let lights = bramble_bus::Settings {
                client: format!("{}-lights", settings.client),
                will: Some(will(&Topic::DAEMON)),
                ..settings.clone()
            };
            let lights = Some(Client::kept(lights));
            (Arc::new(Client::kept(settings)), None, lights)
        }
    };
    let told = buttons::Settings {
        handler: settings.handler,
        old: settings.old,
    };
    Ok(Hearing {
        handler: Handler::new(store, orders, bus.clone(), told),
        bus,
        broker,
        lights,
    })
}
