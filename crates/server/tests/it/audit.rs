//! Who did what, part by part.

use crate::daemon::Daemon;
use bramble_store::Log;
use bramble_store::record::Role;

/// Numbers of the entries of an answer.
async fn numbers(daemon: &Daemon, token: &str, query: &str) -> Vec<u64> {
    let path = format!("/audit{query}");
    let answer = daemon.as_token(token, "GET", &path, None).await.is(200);
    let all = answer.json();
    let all = all.as_array().unwrap().iter();
    all.map(|entry| entry["number"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn it_is_read_from_its_newest_entry_back_and_nothing_falls_between() {
    let daemon = Daemon::new("").await;
    let token = daemon.token("anna", Role::Admin).await;
    let done = async || {
        let path = "/lights/acknowledge";
        daemon.as_token(&token, "POST", path, None).await.is(204);
    };
    assert!(numbers(&daemon, &token, "").await.is_empty());
    for _ in 0..5 {
        done().await;
    }
    let all = numbers(&daemon, &token, "").await;
    assert_eq!(all, [5, 4, 3, 2, 1]);
    assert_eq!(numbers(&daemon, &token, "?limit=2").await, [5, 4]);
    // What comes meanwhile moves no part.
    done().await;
    assert_eq!(numbers(&daemon, &token, "?before=4&limit=2").await, [3, 2]);
    assert_eq!(numbers(&daemon, &token, "?before=2&limit=2").await, [1]);
    assert!(numbers(&daemon, &token, "?before=1").await.is_empty());
    // And who follows it hears of that.
    assert_eq!(numbers(&daemon, &token, "?behind=4").await, [5, 6]);
    assert_eq!(numbers(&daemon, &token, "?behind=0&limit=1").await, [1]);
    // Old entries may be dropped.
    daemon.app.store.prune(&Log::Audit, 4).await.unwrap();
    assert_eq!(numbers(&daemon, &token, "").await, [6, 5]);
    assert!(numbers(&daemon, &token, "?before=5").await.is_empty());

    for wrong in ["?limit=0", "?limit=1001", "?before=2&behind=1"] {
        let path = format!("/audit{wrong}");
        daemon.as_token(&token, "GET", &path, None).await.is(422);
    }
    let path = "/audit?before=x";
    daemon.as_token(&token, "GET", path, None).await.is(400);
}
