//! Lights at a real broker: retained, and a last will that says that nobody knows any more.

use crate::common::{Place, err};
use crate::lights::{DOWN, JSON, Lights, post};
use crate::mosquitto::Mosquitto;
use crate::served::Served;
use crate::world::{LIMIT, next};
use bramble_bus::{Bus, Client, Settings, Subscription};
use bramble_secret::Secret;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

const TELLER: (&str, &str) = ("teller", "a word of the teller");
const WATCHER: (&str, &str) = ("watcher", "a word of the watcher");
const ACCESS: &str =
    "user teller\ntopic readwrite bramble/#\ntopic write home/light\nuser watcher\ntopic read #\n";

/// A broker, and a place with what is needed to log in there.
fn world() -> (Mosquitto, Place) {
    let broker = Mosquitto::start(&[TELLER, WATCHER], ACCESS);
    let place = Place::new();
    let login = place.path("broker.login");
    std::fs::write(&login, format!("{}\n{}\n", TELLER.0, TELLER.1)).unwrap();
    std::fs::set_permissions(&login, std::fs::Permissions::from_mode(0o600)).unwrap();
    (broker, place)
}

fn way(broker: &Mosquitto) -> String {
    let (url, ca) = (broker.url(), broker.authority());
    let ca = ca.display();
    format!("--broker {url} --broker-ca {ca} --broker-login broker.login")
}

async fn listen(broker: &Mosquitto, topic: &str) -> (Client, Subscription) {
    let bus = Client::once(Settings {
        broker: broker.url().parse().unwrap(),
        client: "listener".into(),
        login: Some((WATCHER.0.into(), Secret::new(WATCHER.1))),
        authority: Some(broker.authority()),
        proxy: None,
        will: None,
    });
    let bus = bus.await.unwrap();
    let heard = bus.subscribe(topic).await.unwrap();
    (bus, heard)
}

async fn until(heard: &mut Subscription, light: &str) -> Value {
    let found = async {
        loop {
            let message = next(heard).await;
            let json: Value = serde_json::from_slice(&message.payload).unwrap();
            if json["light"] == light {
                return json;
            }
        }
    };
    tokio::time::timeout(LIMIT, found).await.expect(light)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_is_told_until_it_is_killed() {
    let (broker, place) = world();
    let topic = "home/light";
    let words = format!(
        "watch --listen 127.0.0.1:0 {} --broker-topic {topic}",
        way(&broker)
    );
    let mut lights = Lights::begin(&place, &words);
    let address = lights.address();
    let (_bus, mut heard) = listen(&broker, topic).await;
    until(&mut heard, "green").await;
    assert_eq!(post(&address, "alertmanager", JSON, DOWN), 204);
    let red = until(&mut heard, "red").await;
    assert_eq!(red["reasons"][0]["reason"], "Down");
    lights.child.kill().unwrap();
    let gone = until(&mut heard, "unknown").await;
    assert_eq!(gone["lamps"]["yellow"], "blink");
    // Who comes later is told the same.
    let args = ["-t", topic, "-C", "1", "-W", "10"];
    let late = broker.way().subscribe(WATCHER, &args).await;
    assert_eq!(serde_json::from_slice::<Value>(&late.stdout).unwrap(), gone);

    let lights = Lights::begin(&place, &words);
    until(&mut heard, "green").await;
    // It leaves as it should, and says so itself.
    lights.end();
    until(&mut heard, "unknown").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_is_told_by_its_broker() {
    let (broker, place) = world();
    let mut daemon = Served::start(&place, "127.0.0.1:0", &way(&broker));
    let (_bus, mut heard) = listen(&broker, "bramble/lights/daemon").await;
    until(&mut heard, "green").await;
    daemon.kill();
    until(&mut heard, "unknown").await;
    daemon.again(&place, &way(&broker));
    until(&mut heard, "green").await;
}

#[test]
fn what_is_no_topic_or_broker_is_said() {
    let place = Place::new();
    let said = |words: &str| {
        let words = format!("lights watch --listen 127.0.0.1:0 {words}");
        err(&place.bramble(&words).assert().code(2))
    };
    let topic = said("--broker mqtt://127.0.0.1:1 --broker-topic a/#");
    assert!(topic.contains("is no topic"), "{topic}");
    let broker = said("--broker http://x");
    assert!(broker.contains("mqtts://HOST"), "{broker}");
    let login = said("--broker mqtt://127.0.0.1:1 --broker-login none");
    assert!(login.contains("none"), "{login}");
    assert!(said("--broker-topic a").contains("--broker"));
}
