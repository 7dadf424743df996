//! The state table of the button, arrow by arrow: its own state machine against the handler, through real brokers. What needs
//! no broker (logo, Wi-Fi, clock, the long waits) is tried on a virtual clock, where the machine is.

use super::brokers::{Kind, OLD, OLD_TOPIC};
use super::world::{HANDLER, KEY, World};
use crate::world::{LIMIT, link, next, up};
use bramble_bus::{Link, Message};
use bramble_button::signed::Key;
use bramble_button::{Press, Protocol, Screen, Settings, Task};
use bramble_secret::Secret;
use bramble_simulator::{Dialled, Frame, Simulator};
use bramble_store::Typed;
use bramble_store::record::{Button, End};
use std::sync::Arc;
use tokio::sync::watch;

/// A button and its display.
struct Display {
    simulator: Simulator,
    frames: watch::Receiver<Frame>,
}

impl Display {
    fn new(settings: Settings, way: bramble_bus::Settings) -> Self {
        let simulator = Simulator::new(settings, Arc::new(Dialled(way)));
        let frames = simulator.frames();
        Self { simulator, frames }
    }

    /// Version 2.
    fn signed(world: &World) -> Self {
        Self::with_key(world, KEY)
    }

    fn with_key(world: &World, key: [u8; 32]) -> Self {
        let protocol = Protocol::Signed { key: Key::new(key) };
        Self::new(
            settings("dash01", protocol),
            world.broker.settings("dash01", key),
        )
    }

    /// The seed's grammar.
    fn seed(world: &World) -> Self {
        let topic = OLD_TOPIC.chars().collect();
        let plain = &world.broker.plain;
        let scheme = if plain.authority.is_some() {
            "mqtts"
        } else {
            "mqtt"
        };
        let way = bramble_bus::Settings {
            broker: format!("{scheme}://localhost:{}", plain.port)
                .parse()
                .unwrap(),
            client: "dash07".into(),
            login: Some((OLD.0.into(), Secret::new(OLD.1))),
            authority: plain.authority.clone(),
            proxy: None,
            will: None,
        };
        Self::new(settings("dash07", Protocol::Seed { topic }), way)
    }

    fn press(&self, press: Press) {
        self.simulator.press(press);
    }

    /// Waits for a screen.
    async fn shows(&mut self, is: impl Fn(&Screen) -> bool) -> Screen {
        let shown = self
            .frames
            .wait_for(|frame| frame.screen.as_ref().is_some_and(&is));
        let shown = tokio::time::timeout(LIMIT, shown).await;
        let frame = match shown {
            Ok(frame) => frame.unwrap().clone(),
            Err(_) => panic!("it shows {:?}", self.simulator.frames().borrow().lines()),
        };
        frame.screen.unwrap()
    }

    async fn says(&mut self, text: &[&str]) {
        let says = |screen: &Screen| screen.page().lines == text;
        self.shows(says).await;
    }
}

fn settings(id: &str, protocol: Protocol) -> Settings {
    Settings {
        id: id.parse().unwrap(),
        handler: HANDLER.parse().unwrap(),
        average_s: Settings::AVERAGE_S,
        protocol,
    }
}

fn works(wanted: Task) -> impl Fn(&Screen) -> bool {
    move |screen| matches!(screen, Screen::Working { task, .. } if *task == wanted)
}

fn is_ready(screen: &Screen) -> bool {
    matches!(screen, Screen::Ready { .. })
}

async fn ends(world: &World, end: End, why: Option<&str>) {
    let run = world.till.only().await;
    world.till.ends(&run, end, why).await;
}

with_both! {
    a_press_ends_with_the_address_and_a_long_one_with_the_removal(world) {
        let mut display = Display::signed(&world);
        display.press(Press::Short);
        display.shows(works(Task::Provision)).await;
        let run = world.till.only().await;
        world.till.comes(&run, 5, 10, "base on one").await;
        let screen = display
            .shows(|s| matches!(s, Screen::Working { percent: 54, .. }))
            .await;
        let Screen::Working { step, cluster, .. } = screen else { panic!("{screen:?}") };
        assert_eq!(step.unwrap().as_str(), "base on one");
        ends(&world, End::Done, None).await;
        let screen = display.shows(is_ready).await;
        let Screen::Ready { cluster: ready, address } = screen else { panic!("{screen:?}") };
        assert_eq!((&ready, address.as_str()), (&cluster, "10.77.0.5:6443"));

        // A button that shows its result sleeps until it is pressed; this is another wake.
        let mut display = Display::signed(&world);
        display.press(Press::Long);
        display.says(&["Remove", cluster.as_str(), "Press to confirm."]).await;
        assert_eq!(world.till.orders().len(), 1, "nothing is removed unasked");
        display.press(Press::Short);
        display.shows(works(Task::Remove)).await;
        ends(&world, End::Done, None).await;
        display.shows(|s| matches!(s, Screen::Removed { .. })).await;
        let name = cluster.as_str();
        assert_eq!(world.till.orders(), [format!("Up {name}"), format!("Down {name}")]);
    }

    a_press_during_a_run_follows_it(world) {
        let mut display = Display::signed(&world);
        display.press(Press::Short);
        display.shows(works(Task::Provision)).await;
        drop(display);
        let mut display = Display::signed(&world);
        display.press(Press::Short);
        display.shows(works(Task::Provision)).await;
        ends(&world, End::Done, None).await;
        display.shows(is_ready).await;
        assert_eq!(world.till.orders().len(), 1);
    }

    a_failure_is_shown_with_its_reason(world) {
        let mut display = Display::signed(&world);
        display.press(Press::Short);
        display.shows(works(Task::Provision)).await;
        ends(&world, End::Failed, Some("no route to two")).await;
        let screen = display.shows(|s| matches!(s, Screen::Failed { .. })).await;
        let Screen::Failed { reason, .. } = screen else { panic!("{screen:?}") };
        assert_eq!(reason.as_str(), "no route to two");
    }

    an_order_that_is_refused_is_shown(world) {
        *world.till.refuses.lock().unwrap() = Some("0 of 3 machines are free".into());
        let mut display = Display::signed(&world);
        display.press(Press::Short);
        display.says(&["Refused", "0 of 3 machines are free"]).await;
    }

    another_key_gets_no_further_than_the_broker(world) {
        let mut display = Display::with_key(&world, [8; 32]);
        display.press(Press::Short);
        display.shows(|s| *s == Screen::BrokerRefused).await;
        assert!(world.till.orders().is_empty());
    }

    without_a_handler_it_is_unavailable(world) {
        world.stop().await;
        let mut display = Display::signed(&world);
        display.press(Press::Short);
        display.says(&["Handler", "unavailable"]).await;
        let mut old = Display::seed(&world);
        old.press(Press::Short);
        old.says(&["Handler", "unavailable"]).await;
    }

    an_old_button_ends_with_the_address(world) {
        let mut display = Display::seed(&world);
        display.press(Press::Short);
        display.shows(works(Task::Provision)).await;
        drop(display);
        // The next press joins.
        let mut display = Display::seed(&world);
        display.press(Press::Short);
        display.shows(works(Task::Provision)).await;
        ends(&world, End::Done, None).await;
        let screen = display.shows(is_ready).await;
        let Screen::Ready { cluster, address } = screen else { panic!("{screen:?}") };
        assert_eq!(address.as_str(), "10.77.0.5:6443");
        // A press later shows the same again, and makes nothing.
        let mut display = Display::seed(&world);
        display.press(Press::Short);
        let screen = display.shows(is_ready).await;
        assert_eq!(screen, Screen::Ready { cluster: cluster.clone(), address });
        assert_eq!(world.till.orders(), [format!("Up {cluster}")]);
    }

    an_old_button_shows_a_failure(world) {
        let mut display = Display::seed(&world);
        display.press(Press::Short);
        display.shows(works(Task::Provision)).await;
        ends(&world, End::Failed, Some("no route")).await;
        display.shows(|s| matches!(s, Screen::Failed { .. })).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_left_is_offline() {
    let world = World::new(Kind::Mosquitto).await;
    world.broker.bus.close().await;
    let mut display = Display::signed(&world);
    display.press(Press::Short);
    display
        .says(&["Handler", "unavailable", "It is offline."])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_with_another_key_does_not_know_the_button() {
    let world = World::new(Kind::Mosquitto).await;
    let change = |it: &mut Button| {
        it.key = hex::encode([8; 32]);
        Ok::<_, bramble_store::Error>(())
    };
    world.store.change("dash01", change).await.unwrap();
    let mut display = Display::signed(&world);
    display.press(Press::Short);
    display
        .says(&["Handler", "unavailable", "Button not known to it."])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_while_a_run_is_followed_is_found_again() {
    let mut world = World::new(Kind::Mosquitto).await;
    let mut display = Display::signed(&world);
    display.press(Press::Short);
    display.shows(works(Task::Provision)).await;
    world.broker.mosquitto.as_mut().unwrap().kill();
    let bus = world.broker.bus.clone();
    link(&*bus, |link| matches!(link, Link::Down { .. })).await;
    world.broker.mosquitto.as_mut().unwrap().again();
    up(&*bus).await;
    ends(&world, End::Done, None).await;
    display.shows(is_ready).await;
    assert_eq!(world.till.orders().len(), 1);
}

/// A handler of the seed's grammar that says just this, one answer for each `GetStatus` and the last for all further ones.
async fn scripted(world: &World, answers: &'static [&'static str]) {
    let mut topic = world.broker.bus.subscribe(OLD_TOPIC).await.unwrap();
    let way = world.broker.plain.clone();
    tokio::spawn(async move {
        let mut asked = 0;
        loop {
            let Message { payload, .. } = next(&mut topic).await;
            if !payload.ends_with(b"GetStatus") {
                continue;
            }
            let line = format!(
                "12:00:00 {HANDLER} {}",
                answers[asked.min(answers.len() - 1)]
            );
            asked += 1;
            // Not the button's client id: the broker would send it away.
            let args = ["-i", "script", "-t", OLD_TOPIC, "-m", &line];
            way.publish(OLD, &args).await;
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_nobody_confirms_is_given_up() {
    let mut world = World::new(Kind::Mosquitto).await;
    world.stop().await;
    scripted(&world, &["StatusAvailable"]).await;
    let mut display = Display::seed(&world);
    display.press(Press::Short);
    display.says(&["Requesting", "K8s cluster"]).await;
    display
        .says(&["Can't confirm", "provisioning", "request"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_unheard_has_no_known_result() {
    let mut world = World::new(Kind::Mosquitto).await;
    world.stop().await;
    scripted(&world, &["StatusProvisioning c1", "StatusAvailable"]).await;
    let mut display = Display::seed(&world);
    display.press(Press::Short);
    display.says(&["Ended,", "result unknown"]).await;
}
