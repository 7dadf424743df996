//! The seed's grammar: `mosquitto_pub` says what the CCPDashButton says, and hears what its handler said.

use super::brokers::{Kind, OLD, OLD_TOPIC};
use super::world::World;
use crate::mosquitto::said;
use crate::world::{next, nothing};
use bramble_bus::{Message, Subscription};
use bramble_store::record::End;

const BUTTON: &str = "Dash07";

struct Old {
    world: World,
    topic: Subscription,
}

impl Old {
    async fn new(kind: Kind) -> Self {
        let world = World::new(kind).await;
        let topic = world.broker.bus.subscribe(OLD_TOPIC).await.unwrap();
        Self { world, topic }
    }

    /// A button says something.
    async fn says(&mut self, line: &str) {
        let args = ["-i", BUTTON, "-t", OLD_TOPIC, "-m", line];
        let done = self.world.broker.plain.publish(OLD, &args).await;
        assert!(done.status.success(), "{}", self::said(&done));
        assert_eq!(next(&mut self.topic).await.payload, line.as_bytes());
    }

    /// What the handler says next, without the time.
    async fn hears(&mut self) -> String {
        let message = next(&mut self.topic).await;
        assert!(!message.retain);
        let line = String::from_utf8(message.payload).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), 8, "{line}");
        rest.strip_prefix("MyHandler ").unwrap().to_owned()
    }

    async fn ends(&self, end: End, why: Option<&str>) {
        let run = self.world.till.only().await;
        self.world.till.ends(&run, end, why).await;
    }
}

async fn a_press(kind: Kind) {
    let mut old = Old::new(kind).await;
    old.says("10:15:00 Dash07 GetStatus").await;
    assert_eq!(old.hears().await, "StatusAvailable");
    // Without colons, as the seed sends it; the name comes again tomorrow.
    old.says("101501 Dash07 ProvisionCluster dash07-101501")
        .await;
    let answer = old.hears().await;
    let name = answer
        .strip_prefix("StatusProvisioning ")
        .unwrap()
        .to_owned();
    assert!(name.starts_with("dash07-20"), "{name}");
    old.says("10:15:01 Dash07 GetStatus").await;
    assert_eq!(old.hears().await, answer);
    // A second press, also of what is the same, follows.
    old.says("101501 Dash07 ProvisionCluster dash07-101501")
        .await;
    assert_eq!(old.hears().await, answer);
    assert_eq!(old.world.till.orders(), [format!("Up {name}")]);
    // Nothing of the progress is told: the grammar has no word for it.
    old.world
        .till
        .comes(&format!("{name}-1"), 5, 10, "base")
        .await;
    nothing(&mut old.topic).await;
    old.ends(End::Done, None).await;
    assert_eq!(old.hears().await, "StatusProvisioned 10.77.0.5:6443");
    old.says("10:20:00 Dash07 GetStatus").await;
    assert_eq!(old.hears().await, "StatusAvailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_gets_the_seed_s_answers_from_the_embedded_broker() {
    a_press(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_gets_the_seed_s_answers_from_mosquitto() {
    a_press(Kind::Mosquitto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_told_then_it_is_available_again() {
    let mut old = Old::new(Kind::Embedded).await;
    old.says("101501 Dash07 ProvisionCluster x").await;
    old.hears().await;
    old.ends(End::Failed, Some("no route to two")).await;
    assert_eq!(old.hears().await, "StatusFailed no-route-to-two");
    assert_eq!(old.hears().await, "StatusAvailable");
    old.says("10:15:01 Dash07 GetStatus").await;
    assert_eq!(old.hears().await, "StatusAvailable");
    old.says("101601 Dash07 ProvisionCluster y").await;
    assert!(old.hears().await.starts_with("StatusProvisioning dash07-"));
    let orders = old.world.till.orders();
    assert_eq!(orders[0], orders[1], "the same cluster is tried again");
    old.ends(End::Done, None).await;
    assert_eq!(old.hears().await, "StatusProvisioned 10.77.0.5:6443");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_whose_cluster_is_ready_is_told_its_address_again() {
    let mut old = Old::new(Kind::Embedded).await;
    old.says("101501 Dash07 ProvisionCluster x").await;
    let answer = old.hears().await;
    old.ends(End::Done, None).await;
    old.hears().await;
    old.says("10:16:00 Dash07 GetStatus").await;
    assert_eq!(old.hears().await, "StatusAvailable");
    // An old button must see that it is made before it believes that it is.
    old.says("101601 Dash07 ProvisionCluster y").await;
    assert_eq!(old.hears().await, answer);
    old.says("10:16:01 Dash07 GetStatus").await;
    assert_eq!(old.hears().await, answer);
    assert_eq!(old.hears().await, "StatusProvisioned 10.77.0.5:6443");
    assert_eq!(old.world.till.orders().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_refused_is_a_failure() {
    let mut old = Old::new(Kind::Embedded).await;
    *old.world.till.refuses.lock().unwrap() = Some("no machine is free".into());
    old.says("101501 Dash07 ProvisionCluster x").await;
    assert_eq!(old.hears().await, "StatusFailed no-machine-is-free");
    assert_eq!(old.hears().await, "StatusAvailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_garbage_and_what_is_retained_get_no_answer() {
    let mut old = Old::new(Kind::Mosquitto).await;
    for line in [
        "10:15:00 Dash99 GetStatus",
        "10:15:00 Dash99 ProvisionCluster x",
        // A button that can sign isn't believed without.
        "10:15:00 dash01 ProvisionCluster x",
        "10:15:00 Dash07",
        "ProvisionCluster x",
        "*",
        "10:15:00 MyHandler ProvisionCluster x",
        "10:15:00 Dash07 StatusAvailable",
    ] {
        old.says(line).await;
    }
    let retained = Message::retained(OLD_TOPIC, "10:15:00 Dash07 ProvisionCluster x");
    old.world.broker.bus.close().await;
    let args = [
        "-i",
        BUTTON,
        "-r",
        "-t",
        OLD_TOPIC,
        "-m",
        "10:15:00 Dash07 ProvisionCluster x",
    ];
    let done = old.world.broker.plain.publish(OLD, &args).await;
    assert!(done.status.success());
    let settings = old.world.broker.settings("dash01", super::world::KEY);
    let again = bramble_bus::Client::kept(bramble_bus::Settings {
        client: "again".into(),
        login: Some((OLD.0.into(), bramble_secret::Secret::new(OLD.1))),
        ..settings
    });
    let again: std::sync::Arc<dyn bramble_bus::Bus> = std::sync::Arc::new(again);
    let mut topic = again.subscribe(OLD_TOPIC).await.unwrap();
    // A handler that comes later gets it from the broker.
    let handler = bramble_server::buttons::Handler::new(
        old.world.store.clone(),
        old.world.till.clone(),
        again.clone(),
        bramble_server::buttons::Settings {
            handler: "MyHandler".parse().unwrap(),
            old: Some(OLD_TOPIC.into()),
        },
    );
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(handler.serve(stopped));
    assert_eq!(next(&mut topic).await, retained);
    while let Ok(Some(message)) = tokio::time::timeout(crate::world::QUIET, topic.next()).await {
        // Each of its subscribers gets it.
        assert_eq!(message, retained);
    }
    assert!(old.world.till.orders().is_empty());
}

/// Whoever tries passwords is soon not listened to, also where one is right; who can sign is let in from there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_password_can_not_be_guessed() {
    let mut old = Old::new(Kind::Embedded).await;
    let args = [
        "-i",
        BUTTON,
        "-t",
        OLD_TOPIC,
        "-m",
        "10:15:00 Dash07 GetStatus",
    ];
    // Who knows it is never too often there.
    for _ in 0..15 {
        old.says("10:15:00 Dash07 GetStatus").await;
        assert_eq!(old.hears().await, "StatusAvailable");
    }
    // Ten may be wrong, the next closes the door.
    for n in 0..11 {
        let guess = format!("guess {n}");
        let done = old.world.broker.plain.publish((OLD.0, &guess), &args).await;
        assert!(!done.status.success(), "{n}");
    }
    let done = old.world.broker.plain.publish(OLD, &args).await;
    assert!(!done.status.success(), "{}", self::said(&done));
    nothing(&mut old.topic).await;
    let _ = old.world.device().await;
}
