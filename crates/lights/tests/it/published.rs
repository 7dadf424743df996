//! The lights at a broker: how often, what, and after what. Real brokers: the tests of `bramble` and its daemon.

use crate::common::{node, rules_of};
use async_trait::async_trait;
use bramble_bus::{Bus, Error, Link, Message, Subscription};
use bramble_lights::outputs::bus::publish;
use bramble_lights::signal::{Input, Signal, Source};
use bramble_lights::{Panel, outputs::message::Topic};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// A broker that writes down what is published when.
struct Board {
    link: watch::Sender<Link>,
    refuses: Mutex<bool>,
    asked: Mutex<usize>,
    heard: Mutex<Vec<(Instant, Message)>>,
}

#[async_trait]
impl Bus for Board {
    async fn publish(&self, message: Message) -> Result<(), Error> {
        *self.asked.lock().unwrap() += 1;
        if *self.refuses.lock().unwrap() {
            let topic = message.topic;
            return Err(Error::Denied {
                act: "publish to",
                topic,
            });
        }
        self.heard.lock().unwrap().push((Instant::now(), message));
        Ok(())
    }

    async fn subscribe(&self, _: &str) -> Result<Subscription, Error> {
        Err(Error::Down)
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    async fn close(&self) {}
}

struct World {
    panel: Arc<Panel>,
    bus: Arc<Board>,
    said: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn begin(link: Link) -> Self {
        let world = Self {
            panel: Panel::new(rules_of("")),
            bus: Arc::new(Board {
                link: watch::Sender::new(link),
                refuses: Mutex::new(false),
                asked: Mutex::default(),
                heard: Mutex::default(),
            }),
            said: Arc::default(),
        };
        let (panel, bus, said) = (world.panel.clone(), world.bus.clone(), world.said.clone());
        tokio::spawn(async move {
            let said = |text| said.lock().unwrap().push(text);
            publish(&panel, &Topic::DAEMON, &*bus, said).await;
        });
        world
    }

    fn lights(&self) -> Vec<String> {
        let heard = self.bus.heard.lock().unwrap();
        let light = |(_, message): &(Instant, Message)| {
            assert!(message.retain);
            assert_eq!(message.topic, "bramble/lights/daemon");
            let json: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            json["light"].as_str().unwrap().to_owned()
        };
        heard.iter().map(light).collect()
    }
}

fn happened(panel: &Panel, name: &str) -> Input {
    let signal = Signal::passing(Source::Kubewatch, "Pod", "Created", panel.now());
    Input::Signal(signal.of("default", name))
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_a_few_messages_and_the_newest_wins() {
    let world = World::begin(Link::Up);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lights(), ["green"]);
    let begin = Instant::now();
    // A thousand a second.
    for i in 0..2000 {
        world
            .panel
            .hear(happened(&world.panel, &format!("web-{i}")));
        if i == 999 {
            world.panel.hear(Input::Signal(node("one", "NotReady")));
        }
        sleep(Duration::from_millis(1)).await;
    }
    let times: Vec<Duration> = {
        let heard = world.bus.heard.lock().unwrap();
        heard.iter().skip(1).map(|(at, _)| *at - begin).collect()
    };
    assert!((6..=9).contains(&times.len()), "{times:?}");
    let red = world
        .lights()
        .iter()
        .position(|light| light == "red")
        .unwrap();
    // It was said after 1 s; what is told each 250 ms told it.
    assert!(times[red - 1] < Duration::from_millis(1300), "{times:?}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lights().last().unwrap(), "red");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_back_is_told_again() {
    let world = World::begin(Link::Connecting);
    sleep(Duration::from_secs(1)).await;
    assert!(world.lights().is_empty());
    world.bus.link.send_replace(Link::Up);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lights(), ["green"]);
    world
        .bus
        .link
        .send_replace(Link::Down { why: "gone".into() });
    world.panel.hear(Input::Signal(node("one", "NotReady")));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lights(), ["green"]);
    world.bus.link.send_replace(Link::Up);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lights(), ["green", "red"]);
    // Its last will is retained there: the same must be told once more.
    world
        .bus
        .link
        .send_replace(Link::Down { why: "gone".into() });
    sleep(Duration::from_secs(1)).await;
    world.bus.link.send_replace(Link::Up);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lights(), ["green", "red", "red"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_said_once_and_tried_ever_less_often() {
    let world = World::begin(Link::Down {
        why: "begin".into(),
    });
    *world.bus.refuses.lock().unwrap() = true;
    world.bus.link.send_replace(Link::Up);
    sleep(Duration::from_secs(600)).await;
    let said = world.said.lock().unwrap().clone();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("bramble/lights/daemon"), "{said:?}");
    let asked = *world.bus.asked.lock().unwrap();
    assert!((8..20).contains(&asked), "{asked}");
    *world.bus.refuses.lock().unwrap() = false;
    sleep(Duration::from_secs(61)).await;
    assert_eq!(world.lights(), ["green"]);
}
