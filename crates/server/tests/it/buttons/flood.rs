//! Arbitrary bytes, and good messages in any order and number: never a panic, never two runs at once.

use super::brokers::{Kind, OLD_TOPIC};
use super::world::{Device, KEY, World, provision, said, seconds, teardown};
use crate::world::up;
use bramble_bus::Message;
use bramble_button::signed::Key;
use bramble_button::{Ask, Nonce, Request, UnixTime};
use bramble_store::record::End;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Requests that there are to be sent, from several wakes.
const REQUESTS: usize = 24;

#[derive(Debug, Clone)]
enum Event {
    /// Bytes at a topic.
    Garbage(usize, Vec<u8>),
    /// A message that was once right, with some bytes changed.
    Damaged(usize, usize, u8),
    /// A request, perhaps not for the first time.
    Sent(usize),
    /// A request, over HTTPS.
    Posted(usize),
    /// A line of an old button.
    Line(usize),
    /// The run ends.
    Ended(bool),
    /// The handler begins anew.
    Restarted,
}

fn event() -> impl Strategy<Value = Event> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        2 => (0..4_usize, bytes).prop_map(|(at, bytes)| Event::Garbage(at, bytes)),
        2 => (0..REQUESTS, 0..200_usize, any::<u8>()).prop_map(|(a, b, c)| Event::Damaged(a, b, c)),
        8 => (0..REQUESTS).prop_map(Event::Sent),
        3 => (0..REQUESTS).prop_map(Event::Posted),
        3 => (0..4_usize).prop_map(Event::Line),
        3 => any::<bool>().prop_map(Event::Ended),
        1 => Just(Event::Restarted),
    ]
}

/// The requests of a case: six wakes from now, four requests each; a later case begins later.
fn requests(begin: u64) -> Vec<Request> {
    let request = |index: usize| {
        let (wake, number) = (index / 4, index % 4);
        let ask = match number {
            0 => Ask::Status,
            1 | 2 => provision(&format!("dash01-{begin}-{wake}")),
            _ => teardown(&format!("dash01-{begin}-{}", wake / 2)),
        };
        Request {
            button: "dash01".parse().unwrap(),
            time: UnixTime::new(begin + wake as u64).unwrap(),
            nonce: Nonce::new([u8::try_from(wake).unwrap() + 1; 14], number as u16),
            ask,
        }
    };
    (0..REQUESTS).map(request).collect()
}

const LINES: [&str; 4] = [
    "10:15:00 Dash07 GetStatus",
    "101500 Dash07 ProvisionCluster dash07-101500",
    "10:15:00 Dash07 ProvisionCluster $(reboot)",
    "10:15:00 MyHandler StatusAvailable",
];

async fn happens(world: &mut World, requests: &[Request], event: Event) {
    let signed = |index: usize| requests[index].signed(&Key::new(KEY)).unwrap().to_vec();
    match event {
        Event::Garbage(at, bytes) => {
            let topics = [
                "bramble/v2/dash01/request",
                "bramble/v2/x/request",
                "bramble/v2//request",
                OLD_TOPIC,
            ];
            world.inject(Message::new(topics[at], bytes)).await;
        }
        Event::Damaged(index, at, with) => {
            let mut bytes = signed(index);
            let at = at % bytes.len();
            bytes[at] = with;
            // Unchanged, it is as good as it was.
            if bytes != signed(index) {
                world.inject(said(&requests[index], bytes.clone())).await;
                let _ = world.handler.heard("dash01", &bytes).await;
            }
        }
        Event::Sent(index) => world.inject(said(&requests[index], signed(index))).await,
        Event::Posted(index) => {
            let _ = world.handler.heard("dash01", &signed(index)).await;
        }
        Event::Line(index) => world.inject(Message::new(OLD_TOPIC, LINES[index])).await,
        Event::Ended(well) => {
            let end = if well { End::Done } else { End::Failed };
            for run in world.till.under_way().await {
                let number = world.till.orders().len();
                // Its name has the number of its cluster's runs.
                for number in 1..=number {
                    let name = format!("{}-{number}", run.cluster);
                    let open = |run: &bramble_store::record::Run| !run.state.is_over();
                    use bramble_store::Typed;
                    let found = world.store.find::<bramble_store::record::Run>(&name).await;
                    if found.unwrap().is_some_and(|found| open(&found.it)) {
                        world.till.ends(&name, end, Some("it broke")).await;
                    }
                }
            }
        }
        Event::Restarted => world.restart().await,
    }
}

#[test]
fn there_are_never_two_runs_of_a_button() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    });
    let cases = proptest::collection::vec(event(), 1..40);
    let done = runner.run(&cases, |events| {
        runtime.block_on(async {
            let mut world = World::new(Kind::Embedded).await;
            let requests = requests(seconds());
            for event in events {
                happens(&mut world, &requests, event).await;
                // The till refuses a second run of a button by a panic; here it is looked at, too.
                let open = world.till.under_way().await;
                assert!(open.len() <= 2, "one for each button: {open:?}");
            }
            // It still answers.
            up(&*world.broker.bus).await;
            let mut device = Device::new(world.broker.bus.clone()).await;
            device.wakes();
            let late = Request {
                time: UnixTime::new(seconds() + 60).unwrap(),
                ..device.request(Ask::Status)
            };
            device.send(&late).await;
            device.answer(&late).await;
            let orders = world.till.orders();
            let of_signed = orders.iter().filter(|order| order.contains(" dash01-"));
            assert!(of_signed.count() <= REQUESTS, "{orders:?}");
        });
        Ok(())
    });
    done.unwrap();
}
