//! Who did what, part by part.

use crate::daemon::Daemon;
use axum::body::Body;
use axum::http::{Request, header};
use bramble_store::Log;
use bramble_store::record::Role;
use serde_json::{Value, json};

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

#[tokio::test]
async fn the_first_user_and_changed_passwords_are_noted() {
    let daemon = Daemon::new("").await;
    let link = daemon.app.auth.first_link("alone").await.unwrap().unwrap();
    let browser = async |method: &str, path: &str, cookie: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, "here")
            .header(header::ORIGIN, "https://here")
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/json");
        daemon
            .ask(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    let (old, new) = ("correct horse", "battery staple");
    let first = json!({ "link": link.expose(), "name": "anna", "password": old });
    browser("POST", "/first", "", first).await.is(204);
    let login = json!({ "name": "anna", "password": old });
    let answer = browser("POST", "/login", "", login).await.is(200);
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let change = json!({ "old": old, "new": new });
    browser("PUT", "/me/password", cookie, change).await.is(204);
    let answer = browser("GET", "/audit", cookie, Value::Null).await.is(200);
    let told = |entry: &Value| {
        let word = |key: &str| entry[key].as_str().unwrap().to_owned();
        [word("who"), word("by"), word("what")]
    };
    let all: Vec<_> = answer.json().as_array().unwrap().iter().map(told).collect();
    let noted = [
        ["anna", "session", "own password changed"],
        ["anna", "link", "user anna made, the first"],
    ];
    assert_eq!(all, noted);
    assert!(!answer.text.contains(old) && !answer.text.contains(new));
}

#[tokio::test]
async fn it_keeps_the_last_ten_thousand_entries() {
    let daemon = Daemon::new("").await;
    let token = daemon.token("anna", Role::Admin).await;
    let store = &daemon.app.store;
    let old = vec!["{}".to_owned(); 10_198];
    store.append(&Log::Audit, old).await.unwrap();
    for first in [1, 201] {
        let path = "/lights/acknowledge";
        daemon.as_token(&token, "POST", path, None).await.is(204);
        let kept = store.read(&Log::Audit, 0, 1).await.unwrap();
        assert_eq!(kept[0].at, first);
    }
    assert_eq!(numbers(&daemon, &token, "?limit=2").await, [10_200, 10_199]);
}
