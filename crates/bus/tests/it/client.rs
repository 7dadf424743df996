//! The client against Debian's mosquitto: TLS, password, access list.

use crate::mosquitto::Mosquitto;
use crate::socks::{PASSWORD, Proxy, USER};
use crate::world::{link, next, nothing, up};
use bramble_bus::{Bus, Client, Error, Link, Message, Settings};
use bramble_secret::Secret;
use std::sync::atomic::Ordering;

const HANDLER: (&str, &str) = ("handler", "one word");
const WATCHER: (&str, &str) = ("watcher", "another word");
const ACCESS: &str =
    "user handler\ntopic readwrite bramble/#\nuser watcher\ntopic read bramble/#\n";

fn broker() -> Mosquitto {
    Mosquitto::start(&[HANDLER, WATCHER], ACCESS)
}

fn settings(broker: &Mosquitto, (user, password): (&str, &str)) -> Settings {
    Settings {
        broker: broker.url().parse().unwrap(),
        client: user.into(),
        login: Some((user.into(), Secret::new(password))),
        authority: Some(broker.authority()),
        proxy: None,
        will: None,
    }
}

#[tokio::test]
async fn messages_go_both_ways() {
    let broker = broker();
    let bus = Client::once(settings(&broker, HANDLER)).await.unwrap();
    let mut heard = bus.subscribe("bramble/+/request").await.unwrap();
    let sent = broker
        .way()
        .publish(
            HANDLER,
            &[
                "-i",
                "x",
                "-q",
                "1",
                "-t",
                "bramble/one/request",
                "-m",
                "hello",
            ],
        )
        .await;
    assert!(sent.status.success());
    assert_eq!(
        next(&mut heard).await,
        Message::new("bramble/one/request", "hello")
    );
    bus.publish(Message::retained("bramble/one/status", "fine"))
        .await
        .unwrap();
    // Who comes later gets what is retained, as such.
    let late = Client::once(settings(&broker, WATCHER)).await.unwrap();
    let mut status = late.subscribe("bramble/one/status").await.unwrap();
    assert_eq!(
        next(&mut status).await,
        Message::retained("bramble/one/status", "fine")
    );
    bus.publish(Message::new("bramble/one/status", "better"))
        .await
        .unwrap();
    assert_eq!(
        next(&mut status).await,
        Message::new("bramble/one/status", "better")
    );
}

#[tokio::test]
async fn a_subscriber_that_is_gone_hears_nothing_and_others_go_on() {
    let broker = broker();
    let bus = Client::once(settings(&broker, HANDLER)).await.unwrap();
    let first = bus.subscribe("bramble/a").await.unwrap();
    let mut second = bus.subscribe("bramble/a").await.unwrap();
    drop(first);
    // Subscribing clears away who is gone.
    let mut other = bus.subscribe("bramble/b").await.unwrap();
    bus.publish(Message::new("bramble/a", "1")).await.unwrap();
    assert_eq!(next(&mut second).await.payload, b"1");
    drop(second);
    let mut third = bus.subscribe("bramble/a").await.unwrap();
    bus.publish(Message::new("bramble/a", "2")).await.unwrap();
    assert_eq!(next(&mut third).await.payload, b"2");
    nothing(&mut other).await;
}

#[tokio::test]
async fn a_wrong_password_is_said() {
    let broker = broker();
    let wrong = settings(&broker, (HANDLER.0, "wrong"));
    let error = Client::once(wrong.clone()).await.err().unwrap();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.is_final() && error.hint().is_some());
    let kept = Client::kept(wrong);
    let down = link(&kept, |link| matches!(link, Link::Down { .. })).await;
    assert!(format!("{down:?}").contains("refuses handler"), "{down:?}");
    kept.close().await;
}

#[tokio::test]
async fn a_stranger_s_certificate_is_refused() {
    let (broker, other) = (broker(), broker());
    let mut settings = settings(&broker, HANDLER);
    settings.authority = Some(other.authority());
    let error = Client::once(settings.clone()).await.err().unwrap();
    assert!(matches!(error, Error::Certificate { .. }), "{error}");
    settings.authority = Some(other.certificates.file("passwords"));
    let error = Client::once(settings).await.err().unwrap();
    assert!(matches!(error, Error::File { .. }), "{error}");
}

#[tokio::test]
async fn what_the_access_list_forbids_is_said() {
    let broker = broker();
    let bus = Client::once(settings(&broker, WATCHER)).await.unwrap();
    let error = bus
        .publish(Message::new("bramble/x", "no"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    assert!(
        error.to_string().contains("publish to bramble/x"),
        "{error}"
    );
}

#[tokio::test]
async fn a_broker_that_was_killed_is_found_again() {
    let mut broker = broker();
    let bus = Client::kept(settings(&broker, HANDLER));
    // Before there is a connection, too.
    let mut heard = bus.subscribe("bramble/#").await.unwrap();
    up(&bus).await;
    bus.publish(Message::new("bramble/x", "1")).await.unwrap();
    assert_eq!(next(&mut heard).await.payload, b"1");
    broker.kill();
    link(&bus, |link| matches!(link, Link::Down { .. })).await;
    let error = bus
        .publish(Message::new("bramble/x", "lost"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Down), "{error}");
    broker.again();
    up(&bus).await;
    bus.publish(Message::new("bramble/x", "2")).await.unwrap();
    assert_eq!(next(&mut heard).await.payload, b"2");
    bus.close().await;
    assert!(heard.next().await.is_none());
}

#[tokio::test]
async fn through_a_proxy_and_its_end_is_the_last_will() {
    let broker = broker();
    let proxy = Proxy::start().await;
    let mut through: bramble_bus::Proxy = proxy.url().parse().unwrap();
    let mut settings = settings(&broker, HANDLER);
    settings.will = Some(Message::retained("bramble/handler", "gone"));
    settings.proxy = Some(through.clone());
    let error = Client::once(settings.clone()).await.err().unwrap();
    assert!(
        error.to_string().contains("the proxy socks5h://"),
        "{error}"
    );
    assert_eq!(proxy.passed.load(Ordering::Relaxed), 0);

    through.login = Some((USER.into(), Secret::new(PASSWORD)));
    settings.proxy = Some(through);
    let bus = Client::once(settings).await.unwrap();
    assert_eq!(proxy.passed.load(Ordering::Relaxed), 1);
    bus.publish(Message::retained("bramble/handler", "here"))
        .await
        .unwrap();
    let watcher = Client::once(self::settings(&broker, WATCHER))
        .await
        .unwrap();
    let mut heard = watcher.subscribe("bramble/handler").await.unwrap();
    assert_eq!(next(&mut heard).await.payload, b"here");
    proxy.cut();
    assert_eq!(next(&mut heard).await.payload, b"gone");
    link(&bus, |link| matches!(link, Link::Down { .. })).await;
}

#[tokio::test]
async fn who_leaves_or_is_dropped_says_its_farewell() {
    let broker = broker();
    let mut settings = settings(&broker, HANDLER);
    settings.will = Some(Message::retained("bramble/handler", "gone"));
    let watcher = Client::once(self::settings(&broker, WATCHER))
        .await
        .unwrap();
    let mut heard = watcher.subscribe("bramble/handler").await.unwrap();
    let bus = Client::once(settings.clone()).await.unwrap();
    bus.close().await;
    assert_eq!(next(&mut heard).await.payload, b"gone");
    drop(Client::once(settings).await.unwrap());
    assert_eq!(next(&mut heard).await.payload, b"gone");
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    crate::world::provider();
    let broker = format!("mqtt://127.0.0.1:{}", crate::world::free_port());
    let error = Client::once(Settings {
        broker: broker.parse().unwrap(),
        client: "x".into(),
        login: None,
        authority: None,
        proxy: None,
        will: None,
    })
    .await
    .err()
    .unwrap();
    assert!(error.to_string().contains(&broker), "{error}");
    assert!(!error.is_final());
}
