//! The part of a daemon that hears buttons.

use crate::buttons::{self, Doors, Handler, OldLogin, Orders, availability};
use crate::tls::Tls;
use bramble_bus::{Bus, Client, Embedded, Listen};
use bramble_button::Word;
use bramble_store::Store;
use std::net::SocketAddr;
use std::sync::Arc;

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
    pub bus: Arc<dyn Bus>,
    /// Where the own broker listens.
    pub broker: Option<SocketAddr>,
}

/// Opens the bus, and makes a handler for it.
pub(super) async fn open(
    settings: Buttons,
    store: Arc<dyn Store>,
    orders: Arc<dyn Orders>,
    tls: &Tls,
) -> Result<Hearing, super::Error> {
    let farewell = Some(availability(&settings.handler, false));
    let (bus, broker): (Arc<dyn Bus>, _) = match settings.broker {
        Broker::Own { tls: at, plain } => {
            let (plain, old) = plain.unzip();
            let listen = Listen {
                tls: at,
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                plain,
            };
            let doors = Arc::new(Doors::new(store.clone(), old));
            let secret = bramble_keys::password().map_err(crate::auth::Error::from)?;
            let broker = Embedded::open(&listen, doors, secret, farewell).await?;
            let at = broker.tls();
            (Arc::new(broker), Some(at))
        }
        Broker::Other(settings) => {
            let settings = bramble_bus::Settings {
                will: farewell,
                ..settings
            };
            (Arc::new(Client::kept(settings)), None)
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
    })
}
