//! What is shown, told at an MQTT broker.

use crate::args::LightsBrokerArgs;
use crate::error::CliError;
use crate::printer::Printer;
use bramble_bus::{Bus, Client, Link, Settings};
use bramble_lights::Panel;
use bramble_lights::outputs::bus::{publish, will};
use bramble_lights::outputs::message::Topic;

/// A broker that lights are told at.
pub struct Told {
    settings: Settings,
    topic: Topic,
}

impl Told {
    /// As the arguments say, if they do; connects to nothing yet.
    ///
    /// # Errors
    /// What can't be read, as wrong use.
    pub fn of(args: &LightsBrokerArgs, printer: &Printer) -> Result<Option<Self>, CliError> {
        let Some(way) = args.at.way() else {
            return Ok(None);
        };
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        // Of two clients with one name, a broker keeps the later.
        let client = format!("bramble-lights-{}-{}", host.trim(), std::process::id());
        let topic = args.broker_topic.clone();
        Ok(Some(Self {
            settings: Settings {
                will: Some(will(&topic)),
                ..way.settings(&client, printer)?
            },
            topic,
        }))
    }

    /// Connects, and again whenever the connection is lost.
    pub fn connect(self) -> Teller {
        Teller {
            client: Client::kept(self.settings),
            topic: self.topic,
        }
    }
}

/// A connection to the broker.
pub struct Teller {
    client: Client,
    topic: Topic,
}

impl Teller {
    /// Tells what a panel shows; never returns.
    pub async fn tell(&self, panel: &Panel, printer: &Printer) {
        let said = |text| printer.note(text);
        tokio::join!(
            publish(panel, &self.topic, &self.client, said),
            self.says_when_it_is_lost(printer),
        );
    }

    async fn says_when_it_is_lost(&self, printer: &Printer) {
        let mut link = self.client.link();
        let mut last = String::new();
        loop {
            match &*link.borrow_and_update() {
                Link::Down { why } if *why != last => {
                    printer.note(why.clone());
                    last.clone_from(why);
                }
                Link::Up => last.clear(),
                Link::Down { .. } | Link::Connecting => {}
            }
            if link.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says that nobody knows any more, and leaves.
    pub async fn leave(&self) {
        self.client.close().await;
    }
}
