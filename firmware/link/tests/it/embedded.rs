//! The button at the broker that is part of Bramble's daemon, with certificates as the daemon makes them.

use crate::button::{Button, Told, told_the_time};
use async_trait::async_trait;
use bramble_bus::{Act, Bus, Embedded, Gate, Listen, Message, Visitor};
use bramble_button::signed::{Key, request_topic, status_topic};
use bramble_button::{ButtonId, Failure};
use bramble_button_settings::parse;
use std::sync::Arc;

const KEY: [u8; 32] = [7; 32];
const NAME: &str = "bramble.home.arpa";

/// Lets one button in, by the password that follows from its key.
struct Door(ButtonId);

#[async_trait]
impl Gate for Door {
    async fn admits(&self, visitor: &Visitor<'_>) -> bool {
        let key = Key::new(KEY);
        visitor.user == self.0.as_str()
            && visitor.client == visitor.user
            && visitor.password.expose() == key.password().expose()
    }

    async fn allows(&self, _user: &str, act: Act, topic: &str) -> bool {
        match act {
            Act::Publish => topic == request_topic(&self.0).as_str(),
            Act::Subscribe => {
                topic == status_topic(&self.0).as_str()
                    || topic == bramble_button::signed::HANDLER_TOPIC
            }
        }
    }
}

/// The broker, and a button that knows it; the folder keeps the certificates.
async fn world(key: &str) -> (Embedded, Button, tempfile::TempDir) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    told_the_time();
    let folder = tempfile::tempdir().unwrap();
    let authority = bramble_keys::authority("Bramble").unwrap();
    let names = [NAME.to_owned(), "192.0.2.1".to_owned()];
    let pair = bramble_keys::signed(&authority, NAME, &names).unwrap();
    let (certificate, key_file) = (folder.path().join("crt"), folder.path().join("key"));
    // As the daemon sends it: its own, and the authority's.
    std::fs::write(
        &certificate,
        format!("{}{}", pair.certificate, authority.certificate),
    )
    .unwrap();
    std::fs::write(&key_file, pair.key.expose()).unwrap();
    let listen = Listen {
        tls: "127.0.0.1:0".parse().unwrap(),
        certificate,
        key: key_file,
        plain: None,
    };
    let door = Arc::new(Door("dash01".parse().unwrap()));
    let secret = bramble_keys::password().unwrap();
    let broker = Embedded::open(&listen, door, secret, None).await.unwrap();
    let text = format!(
        "id = dash01\nhandler = bramble\nkey = {key}\nwifi = x\nbroker = {NAME}\n{}",
        authority.certificate
    );
    let button = Button {
        board: parse(&text).unwrap(),
        address: broker.tls(),
    };
    (broker, button, folder)
}

#[tokio::test]
async fn a_button_talks_with_the_daemons_broker() {
    let (broker, button, _folder) = world(&"07".repeat(32)).await;
    let mut requests = broker.subscribe("bramble/v2/+/request").await.unwrap();
    let status = button.status();
    let ended = button
        .with(|mut heard, say| {
            let (broker, button) = (&broker, &button);
            async move {
                assert_eq!(heard.recv().await, Some(Told::Up));
                say.send(button.message(b"a request")).unwrap();
                let request = requests.next().await.unwrap();
                assert_eq!(request.payload, b"a request");
                let message = Message {
                    topic: status.clone(),
                    payload: b"an answer".to_vec(),
                    retain: false,
                };
                broker.publish(message).await.unwrap();
                assert_eq!(
                    heard.recv().await,
                    Some(Told::Heard(status, b"an answer".to_vec()))
                );
            }
        })
        .await;
    assert_eq!(ended, None);
}

#[tokio::test]
async fn another_key_is_refused() {
    let (_broker, button, _folder) = world(&"08".repeat(32)).await;
    assert_eq!(button.ends().await, Failure::Refused);
}
