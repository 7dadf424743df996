//! Documents as what they are about.

use bramble_store::record::{Actor, End, Progress, Run, State, Verb};
use bramble_store::{Error, Key, Kind, Sqlite, Store, Typed};
use serde_json::json;
use std::sync::Arc;

fn run() -> Run {
    Run {
        cluster: "home".into(),
        verb: Verb::Up,
        by: Actor::User("anna".into()),
        file: "kind: Cluster".into(),
        asked: "2026-11-26T10:00:00Z".parse().unwrap(),
        state: State::Accepted,
        cancel: false,
        started: None,
        ended: None,
        progress: Progress::default(),
        reason: None,
        tries: 0,
        host: None,
    }
}

#[tokio::test]
async fn a_record_is_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
    let made = store.add("home-1", run()).await.unwrap();
    assert_eq!(store.find::<Run>("home-1").await.unwrap(), Some(made));
    let ended = store
        .change::<Run, Error, _>("home-1", |run| {
            run.state = State::Ended(End::Failed);
            Ok(())
        })
        .await
        .unwrap();
    assert!(ended.it.state.is_over());
    assert_eq!(store.all::<Run>().await.unwrap(), [ended]);
    let none = store.need::<Run>("home-2").await;
    assert!(matches!(none, Err(Error::Missing(_))), "{none:?}");
}

#[tokio::test]
async fn no_change_is_lost_among_many() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
    let store = Arc::new(store);
    store.add("home-1", run()).await.unwrap();
    let all = (0..12).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .change::<Run, Error, _>("home-1", |run| {
                    run.tries += 1;
                    Ok(())
                })
                .await
                .is_ok()
        })
    });
    for one in all.collect::<Vec<_>>() {
        assert!(one.await.unwrap());
    }
    assert_eq!(store.need::<Run>("home-1").await.unwrap().it.tries, 12);
}

#[tokio::test]
async fn what_is_refused_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
    let before = store.add("home-1", run()).await.unwrap();
    let refused = store
        .change::<Run, Error, _>("home-1", |run| {
            run.tries = 9;
            Err(Error::Closed)
        })
        .await;
    assert!(matches!(refused, Err(Error::Closed)));
    assert_eq!(store.need::<Run>("home-1").await.unwrap(), before);
}

#[tokio::test]
async fn a_document_of_another_form_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
    let key = Key::new(Kind::Run, "home-1");
    store.create(&key, json!({ "verb": "fly" })).await.unwrap();
    let error = store.need::<Run>("home-1").await.unwrap_err();
    assert!(error.to_string().contains("run \"home-1\""), "{error}");
}

#[test]
fn only_the_end_of_a_run_is_a_hundred_per_cent() {
    let at = |done, total| {
        let step = String::new();
        Progress { done, total, step }.percent()
    };
    assert_eq!(at(0, 0), 0);
    assert_eq!(at(1, 3), 33);
    assert_eq!(at(3, 3), 99);
    assert_eq!(at(u32::MAX, 1), 99);
}
