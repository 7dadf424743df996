//! Version 2: each against the embedded broker and against Debian's mosquitto.

use super::brokers::Kind;
use super::world::{KEY, World, provision, said, seconds, teardown, topic_of};
use crate::world::{LIMIT, link, next, nothing, up};
use bramble_bus::{Link, Message};
use bramble_button::signed::{Availability, Claimed, Key};
use bramble_button::{Ask, Nonce, Report, Request, Status, UnixTime};
use bramble_store::record::{Button, Cluster, End, Phase};
use bramble_store::{Kind as Record, Typed};
use std::sync::atomic::Ordering;
use std::time::Duration;

fn is_failed(status: &Status) -> bool {
    matches!(status, Status::Failed { .. })
}

fn is_ready(status: &Status) -> bool {
    matches!(status, Status::Provisioned { .. })
}

/// Brings `dash01` to a cluster that is ready.
async fn ready(world: &World, device: &mut super::world::Device, name: &str) {
    device.asks(provision(name)).await;
    let run = world.till.only().await;
    world.till.ends(&run, End::Done, None).await;
    device.until(is_ready).await;
}

with_both! {
    a_press_becomes_a_run_that_is_followed_to_its_address(world) {
        let mut device = world.device().await;
        device.wakes();
        assert_eq!(device.asks(Ask::Status).await, Status::Available);
        let status = device.asks(provision("dash01-a")).await;
        let Status::Provisioning(progress) = status else { panic!("{status:?}") };
        assert_eq!((progress.cluster.as_str(), progress.percent), ("dash01-a", Some(0)));
        assert_eq!(world.till.orders(), ["Up dash01-a"]);
        world.till.comes("dash01-a-1", 3, 10, "base on one").await;
        let status = device
            .until(|s| matches!(s, Status::Provisioning(p) if p.percent == Some(30)))
            .await;
        let Status::Provisioning(progress) = status else { panic!("{status:?}") };
        assert_eq!(progress.step.unwrap().as_str(), "base on one");
        // All of the steps are not yet a success.
        world.till.comes("dash01-a-1", 10, 10, "nodes").await;
        device.until(|s| matches!(s, Status::Provisioning(p) if p.percent == Some(99))).await;
        world.till.ends("dash01-a-1", End::Done, None).await;
        let status = device.until(is_ready).await;
        let Status::Provisioned { cluster, address } = status else { panic!("{status:?}") };
        assert_eq!(cluster.unwrap().as_str(), "dash01-a");
        assert_eq!(address.as_str(), "10.77.0.5:6443");
        // Who comes later hears it from the broker.
        world.stop().await;
        let mut late = world.device().await;
        assert!(is_ready(&late.report().await.status));
        assert_eq!(world.till.orders().len(), 1);
    }

    ten_presses_at_once_are_one_run(world) {
        let mut device = world.device().await;
        let mut requests = Vec::new();
        for press in 0..10 {
            device.wakes();
            requests.push(device.request(provision(&format!("dash01-{press}"))));
        }
        let sent = requests.iter().map(|request| async {
            device.send(request).await;
            // The broker may say it twice.
            device.send(request).await;
        });
        futures::future::join_all(sent).await;
        let by_https = requests.iter().map(|request| {
            let signed = request.signed(&Key::new(KEY)).unwrap();
            let handler = world.handler.clone();
            async move { handler.heard("dash01", &signed).await.is_ok() }
        });
        futures::future::join_all(by_https).await;
        device.wakes();
        let status = device.asks(Ask::Status).await;
        assert!(matches!(status, Status::Provisioning(_)), "{status:?}");
        assert_eq!(world.till.orders().len(), 1, "{:?}", world.till.orders());
        world.till.only().await;
    }

    what_was_heard_before_or_long_ago_does_nothing(world) {
        let mut device = world.device().await;
        device.wakes();
        let request = device.request(provision("dash01-a"));
        device.send(&request).await;
        device.answer(&request).await;
        let run = world.till.only().await;
        world.till.ends(&run, End::Done, None).await;
        device.until(is_ready).await;
        // Taken down meanwhile: a press would make another.
        world.store
            .change("dash01-a", |it: &mut Cluster| {
                it.phase = Phase::Gone;
                Ok::<_, bramble_store::Error>(())
            })
            .await
            .unwrap();
        device.until(|s| matches!(s, Status::Removed { .. })).await;
        device.send(&request).await;
        let payload = request.signed(&Key::new(KEY)).unwrap().to_vec();
        world.inject(Message { retain: true, ..said(&request, payload) }).await;
        world.restart().await;
        for time in [seconds() - 86_400, seconds() + 600] {
            let request = Request {
                time: UnixTime::new(time).unwrap(),
                nonce: Nonce::new([99; 14], 1),
                ..request.clone()
            };
            device.send(&request).await;
        }
        let came = device.drain().await;
        let answers = came
            .iter()
            .filter_map(|message| Claimed::<Report>::read(&message.payload))
            .filter(|report| report.unproven().re == Some(Nonce::new([99; 14], 1)));
        assert_eq!(answers.count(), 0);
        assert_eq!(world.till.orders().len(), 1);
    }

    strangers_get_an_unsigned_refusal_and_no_run(world) {
        let mut device = world.device().await;
        for (id, key) in [("dash01", [8; 32]), ("dash99", KEY)] {
            let mut heard = world.broker.bus.subscribe(&topic_of(id)).await.unwrap();
            let before = tokio::time::timeout(crate::world::QUIET, heard.next()).await;
            assert_eq!(before.is_ok(), id == "dash01", "only a known button has something retained");
            let request = Request { button: id.parse().unwrap(), ..device.request(provision("x")) };
            let payload = request.signed(&Key::new(key)).unwrap().to_vec();
            world.inject(said(&request, payload)).await;
            let message = next(&mut heard).await;
            assert!(!message.retain);
            let report = Claimed::<Report>::read(&message.payload).unwrap();
            assert_eq!(report.unproven().re, Some(request.nonce));
            assert!(matches!(report.unproven().status, Status::Refused { .. }));
            assert!(report.proven(&Key::new(key)).is_err());
            let mut late = world.broker.bus.subscribe(&topic_of(id)).await.unwrap();
            if id == "dash99" {
                nothing(&mut late).await;
            }
        }
        // At another button's topic, or an old one's, even a good signature counts for nothing.
        let request = device.request(provision("x"));
        let payload = request.signed(&Key::new(KEY)).unwrap().to_vec();
        world.inject(Message::new("bramble/v2/dash07/request", payload)).await;
        device.wakes();
        assert_eq!(device.asks(Ask::Status).await, Status::Available);
        assert!(world.till.orders().is_empty());
    }

    a_failure_is_told_and_the_next_press_tries_again(world) {
        let mut device = world.device().await;
        device.wakes();
        device.asks(provision("dash01-a")).await;
        let run = world.till.only().await;
        world.till.ends(&run, End::Failed, Some("base on two: no route")).await;
        let status = device.until(is_failed).await;
        let Status::Failed { cluster, reason } = status else { panic!("{status:?}") };
        assert_eq!(cluster.unwrap().as_str(), "dash01-a");
        assert_eq!(reason.as_str(), "base on two: no route");
        device.wakes();
        assert!(is_failed(&device.asks(Ask::Status).await));
        let status = device.asks(provision("dash01-b")).await;
        // The same cluster, which still has its machines.
        let Status::Provisioning(progress) = status else { panic!("{status:?}") };
        assert_eq!(progress.cluster.as_str(), "dash01-a");
        assert_eq!(world.till.orders(), ["Up dash01-a", "Up dash01-a"]);
    }

    an_order_that_is_refused_leaves_the_button_as_it_was(world) {
        let mut device = world.device().await;
        device.wakes();
        *world.till.refuses.lock().unwrap() = Some("0 of 3 machines are free".into());
        let status = device.asks(provision("dash01-a")).await;
        let Status::Refused { reason } = status else { panic!("{status:?}") };
        assert_eq!(reason.as_str(), "0 of 3 machines are free");
        assert_eq!(device.asks(Ask::Status).await, Status::Available);
        *world.till.refuses.lock().unwrap() = None;
        device.wakes();
        let status = device.asks(provision("dash01-b")).await;
        assert!(matches!(status, Status::Provisioning(_)), "{status:?}");
    }

    only_the_confirmed_cluster_of_a_button_that_may_is_removed(world) {
        let mut device = world.device().await;
        device.wakes();
        ready(&world, &mut device, "dash01-a").await;
        let status = device.asks(teardown("dash02-a")).await;
        assert!(matches!(status, Status::Refused { .. }), "{status:?}");
        let may = |teardown| move |it: &mut Button| {
            it.profile.teardown = teardown;
            Ok::<_, bramble_store::Error>(())
        };
        world.store.change("dash01", may(false)).await.unwrap();
        let status = device.asks(teardown("dash01-a")).await;
        assert!(matches!(status, Status::Refused { .. }), "{status:?}");
        assert_eq!(world.till.orders().len(), 1);
        world.store.change("dash01", may(true)).await.unwrap();
        let status = device.asks(teardown("dash01-a")).await;
        assert!(matches!(status, Status::Removing(_)), "{status:?}");
        // A press during the removal follows it.
        device.wakes();
        let status = device.asks(provision("dash01-b")).await;
        assert!(matches!(status, Status::Removing(_)), "{status:?}");
        let run = world.till.only().await;
        world.till.ends(&run, End::Done, None).await;
        device.until(|s| matches!(s, Status::Removed { .. })).await;
        assert_eq!(world.till.orders(), ["Up dash01-a", "Down dash01-a"]);
    }

    a_name_that_is_taken_gets_a_number(world) {
        let mut device = world.device().await;
        device.wakes();
        let long = format!("dash01-{}", "x".repeat(56));
        ready(&world, &mut device, &long).await;
        device.asks(teardown(&long)).await;
        let run = world.till.only().await;
        world.till.ends(&run, End::Done, None).await;
        device.until(|s| matches!(s, Status::Removed { .. })).await;
        device.wakes();
        let status = device.asks(provision(&long)).await;
        let Status::Provisioning(progress) = status else { panic!("{status:?}") };
        let name = progress.cluster.as_str();
        assert!(name.len() == 63 && name.ends_with("x-2"), "{name}");
    }

    progress_is_told_twice_a_second_at_most(world) {
        let mut device = world.device().await;
        device.wakes();
        device.asks(provision("dash01-a")).await;
        let began = std::time::Instant::now();
        for done in 0..60 {
            world.till.comes("dash01-a-1", done, 100, "step").await;
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        world.till.ends("dash01-a-1", End::Done, None).await;
        let mut reports = 1;
        let told = async {
            while !is_ready(&device.report().await.status) {
                reports += 1;
            }
        };
        tokio::time::timeout(LIMIT, told).await.expect("the end is not lost");
        let most = began.elapsed().as_millis() / 500 + 2;
        assert!(reports >= 3, "it moves: {reports}");
        assert!(reports <= most, "{reports} of {most}");
    }

    another_handler_goes_on_where_the_last_one_stopped(world) {
        let mut device = world.device().await;
        device.wakes();
        let request = device.request(provision("dash01-a"));
        device.send(&request).await;
        device.answer(&request).await;
        world.restart().await;
        device.send(&request).await;
        let run = world.till.only().await;
        world.till.ends(&run, End::Done, None).await;
        device.until(is_ready).await;
        assert_eq!(world.till.orders().len(), 1);
    }

    a_button_that_is_removed_is_nobody(world) {
        let mut device = world.device().await;
        device.wakes();
        ready(&world, &mut device, "dash01-a").await;
        let key = bramble_store::Key::new(Record::Button, "dash01");
        world.store.delete(&key, None).await.unwrap();
        let mut status = world.broker.bus.subscribe(&topic_of("dash01")).await.unwrap();
        // What was retained is taken back.
        loop {
            if next(&mut status).await.payload.is_empty() {
                break;
            }
        }
        if world.broker.mosquitto.is_none() {
            link(&*device.bus, |link| matches!(link, Link::Down { .. })).await;
            let settings = world.broker.settings("dash01", KEY);
            assert!(bramble_bus::Client::once(settings).await.is_err());
        }
        assert_eq!(world.till.orders().len(), 1);
    }

    a_handler_that_leaves_says_so(world) {
        let topic = "bramble/v2/handler";
        let watch = world.device().await;
        let mut word = watch.bus.subscribe(topic).await.unwrap();
        let read = |message: Message| Availability::read(&message.payload).unwrap().available;
        assert!(read(next(&mut word).await));
        if world.broker.mosquitto.is_some() {
            world.broker.bus.close().await;
            assert!(!read(next(&mut word).await));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_during_a_run_has_the_result_when_it_is_back() {
    let mut world = World::new(Kind::Mosquitto).await;
    let mut device = world.device().await;
    device.wakes();
    device.asks(provision("dash01-a")).await;
    let broker = world.broker.mosquitto.as_mut().unwrap();
    broker.kill();
    let bus = world.broker.bus.clone();
    link(&*bus, |link| matches!(link, Link::Down { .. })).await;
    let run = world.till.only().await;
    world.till.ends(&run, End::Done, None).await;
    world.broker.mosquitto.as_mut().unwrap().again();
    up(&*bus).await;
    let mut device = device.again(&world).await;
    device.until(is_ready).await;
    device.wakes();
    assert!(is_ready(&device.asks(Ask::Status).await));
    assert_eq!(world.till.orders().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_goes_on_with_an_order_of_which_nobody_heard() {
    let world = World::new(Kind::Embedded).await;
    let mut device = world.device().await;
    world.till.mute.store(true, Ordering::SeqCst);
    let refused = device.asks(provision("dash01-a")).await;
    assert!(matches!(refused, Status::Refused { .. }), "{refused:?}");
    device.wakes();
    device.asks(provision("dash01-b")).await;
    assert_eq!(world.till.orders(), ["Up dash01-a"]);
    let clusters = world.store.all::<Cluster>().await.unwrap();
    assert_eq!(clusters.len(), 1, "{clusters:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_takes_long_is_kept_and_told() {
    let world = World::new(Kind::Embedded).await;
    let mut device = world.device().await;
    world.till.open.send_replace(false);
    let late = device.asks(provision("dash01-a")).await;
    assert!(matches!(late, Status::Refused { .. }), "{late:?}");
    device.wakes();
    let again = device.asks(provision("dash01-b")).await;
    assert!(matches!(again, Status::Refused { .. }), "{again:?}");
    world.till.open.send_replace(true);
    device
        .until(|status| matches!(status, Status::Provisioning(at) if at.cluster.as_str() == "dash01-a"))
        .await;
    assert_eq!(world.till.orders(), ["Up dash01-a"]);
}
