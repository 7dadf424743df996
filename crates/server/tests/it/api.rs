//! The API, as its clients see it.

use crate::daemon::{Daemon, FILE};
use axum::body::Body;
use axum::http::{Method, Request, header};
use bramble_server::api::description;
use bramble_store::record::Role;
use serde_json::{Value, json};

/// All routes of the description: method, path with its parameters filled in, whether it is for everybody.
fn routes() -> Vec<(Method, String, bool)> {
    let text = description().unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut out = Vec::new();
    for (path, methods) in all["paths"].as_object().unwrap() {
        for (method, route) in methods.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            let path = path
                .replace("{name}", "home")
                .replace("{run}", "home-1")
                .replace("{id}", "abc");
            out.push((method, path, route["security"] == json!([{}])));
        }
    }
    assert!(out.len() > 20);
    out
}

#[tokio::test]
async fn without_rights_nothing_is_shown_or_changed() {
    let daemon = Daemon::new("").await;
    let viewer = daemon.token("vera", Role::Viewer).await;
    let operator = daemon.token("otto", Role::Operator).await;
    // What people do with their own, and what only looks.
    let own = [
        "/logout",
        "/me/password",
        "/tokens",
        "/tokens/abc",
        "/clusters/home/questions",
    ];
    // Who may make clusters may also press a button.
    let button = |path: &str| path.starts_with("/buttons") && !path.ends_with("/virtual");
    let admin = |path: &str| button(path) || path.starts_with("/templates");
    for (method, path, free) in routes() {
        if free {
            continue;
        }
        let answer = daemon.as_token("", method.as_str(), &path, None).await;
        assert_eq!(answer.status, 401, "{method} {path}");
        let answer = daemon
            .as_token("brt_x_y", method.as_str(), &path, None)
            .await;
        assert_eq!(answer.status, 401, "{method} {path}");
        if !method.is_safe() && !own.contains(&path.as_str()) {
            let answer = daemon.as_token(&viewer, method.as_str(), &path, None).await;
            assert_eq!(answer.status, 403, "{method} {path}");
        }
        if path.starts_with("/users") || path == "/audit" || (admin(&path) && !method.is_safe()) {
            let answer = daemon
                .as_token(&operator, method.as_str(), &path, None)
                .await;
            assert_eq!(answer.status, 403, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn garbage_gets_a_problem_and_no_failure_of_the_daemon() {
    let daemon = Daemon::new("").await;
    let admin = daemon.token("anna", Role::Admin).await;
    let bodies = [
        json!(null),
        json!([]),
        json!({ "x": 1 }),
        json!("\u{0}"),
        json!({ "name": 7 }),
    ];
    for (method, path, _) in routes() {
        if path.ends_with("/events") {
            continue;
        }
        for body in &bodies {
            let answer = daemon
                .as_token(&admin, method.as_str(), &path, Some(body.clone()))
                .await;
            let status = answer.status.as_u16();
            assert!(status < 500, "{method} {path} {body}: {}", answer.text);
        }
        let odd = path
            .replace("home", "%00%ff..%2f")
            .replace("abc", "%e2%98%83");
        let answer = daemon.as_token(&admin, method.as_str(), &odd, None).await;
        assert!(
            answer.status.as_u16() < 500,
            "{method} {odd}: {}",
            answer.text
        );
    }
    daemon
        .as_token(&admin, "GET", "/nowhere", None)
        .await
        .is(404);
}

#[tokio::test]
async fn a_browser_logs_in_and_no_other_page_speaks_for_it() {
    let daemon = Daemon::new("").await;
    let link = daemon.app.auth.first_link("one").await.unwrap().unwrap();
    let first = json!({ "link": link.expose(), "name": "anna", "password": "correct horse" });
    daemon
        .as_token("", "POST", "/first", Some(first.clone()))
        .await
        .is(204);
    daemon
        .as_token("", "POST", "/first", Some(first))
        .await
        .is(403);
    let post = |path: &str, origin: Option<&str>, cookie: &str, body: Value| {
        let mut request = Request::post(format!("/api/v1{path}"))
            .header(header::HOST, "bramble.home.arpa:8443")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        if !cookie.is_empty() {
            request = request.header(header::COOKIE, format!("a=b; {cookie}"));
        }
        daemon.ask(request.body(Body::from(body.to_string())).unwrap())
    };
    let us = Some("https://bramble.home.arpa:8443");
    let login = json!({ "name": "anna", "password": "correct horse" });
    post("/login", Some("https://evil.example"), "", login.clone())
        .await
        .is(403);
    let answer = post("/login", us, "", login).await.is(200);
    assert_eq!(answer.json(), json!({ "name": "anna", "role": "admin" }));
    let set = answer.headers[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    for word in [
        "__Host-bramble=",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
    ] {
        assert!(set.contains(word), "{set}");
    }
    let cookie = set.split(';').next().unwrap();
    let machine = json!({ "name": "one", "address": "192.0.2.1" });
    for origin in [
        None,
        Some("https://evil.example"),
        Some("null"),
        Some("http://bramble.home.arpa:8443"),
    ] {
        post("/machines", origin, cookie, machine.clone())
            .await
            .is(403);
    }
    post("/machines", us, cookie, machine).await.is(201);
    post("/logout", us, cookie, json!({})).await.is(204);
    post("/logout", us, cookie, json!({})).await.is(401);
}

#[tokio::test]
async fn passwords_are_not_guessed_for_ever() {
    let daemon = Daemon::new("").await;
    let guess = || {
        let request = Request::post("/api/v1/login")
            .header(header::HOST, "here")
            .header(header::ORIGIN, "https://here")
            .header(header::CONTENT_TYPE, "application/json");
        let body = json!({ "name": "anna", "password": "wrong horse" });
        daemon.ask(request.body(Body::from(body.to_string())).unwrap())
    };
    for _ in 0..10 {
        guess().await.is(401);
    }
    let answer = guess().await.is(429);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn a_file_with_mistakes_is_refused_with_their_places() {
    let daemon = Daemon::new("").await;
    let otto = daemon.token("otto", Role::Operator).await;
    let wrong = json!({ "file": FILE.replace("roles", "rolls") });
    let answer = daemon
        .as_token(&otto, "POST", "/clusters", Some(wrong))
        .await
        .is(422);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("bramble.yaml:6:") && detail.contains("rolls"),
        "{detail}"
    );
    let list = daemon
        .as_token(&otto, "GET", "/clusters", None)
        .await
        .is(200);
    assert_eq!(list.json(), json!([]));
}

#[tokio::test]
async fn nobody_overwrites_a_file_that_they_have_not_seen() {
    let daemon = Daemon::new("").await;
    let otto = daemon.token("otto", Role::Operator).await;
    let make = json!({ "file": FILE });
    let made = daemon
        .as_token(&otto, "POST", "/clusters", Some(make.clone()))
        .await
        .is(201)
        .json();
    daemon
        .as_token(&otto, "POST", "/clusters", Some(make))
        .await
        .is(409);
    let change = |version: &Value, file: String| {
        let body = json!({ "file": file, "version": version });
        let (daemon, otto) = (&daemon, &otto);
        async move {
            daemon
                .as_token(otto, "PUT", "/clusters/home", Some(body))
                .await
        }
    };
    let version = made["version"].clone();
    let file = format!("# mine\n{FILE}");
    change(&version, file.clone()).await.is(200);
    change(&version, FILE.into()).await.is(409);
    change(&version, FILE.replace("home", "away")).await.is(422);
    let one = daemon
        .as_token(&otto, "GET", "/clusters/home", None)
        .await
        .is(200);
    assert_eq!(one.json()["file"], file);
    let vera = daemon.token("vera", Role::Viewer).await;
    let one = daemon
        .as_token(&vera, "GET", "/clusters/home", None)
        .await
        .is(200);
    assert_eq!(one.json()["file"], Value::Null, "a viewer sees no file");
    let gone = daemon
        .as_token(&otto, "DELETE", "/clusters/home", None)
        .await;
    gone.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_live_and_a_second_one_named() {
    let said = "echo '{\"event\":\"begin\",\"steps\":1}'; while ! [ -e \"${0%/*}/go\" ]; do sleep 0.01; done
echo '{\"event\":\"end\",\"failed\":[],\"stopped\":false}'";
    let daemon = Daemon::new(said).await;
    let otto = daemon.token("otto", Role::Operator).await;
    let file = json!({ "file": FILE });
    daemon
        .as_token(&otto, "POST", "/clusters", Some(file))
        .await
        .is(201);
    let path = "/clusters/home/runs";
    let up = || Some(json!({ "verb": "up" }));
    let down = daemon
        .as_token(&otto, "POST", path, Some(json!({ "verb": "down" })))
        .await
        .is(422);
    assert!(
        down.json()["hint"]
            .as_str()
            .unwrap()
            .contains("\"confirm\":\"home\"")
    );
    let run = daemon
        .as_token(&otto, "POST", path, up())
        .await
        .is(202)
        .json();
    assert_eq!(run["name"], "home-1");
    let busy = daemon.as_token(&otto, "POST", path, up()).await.is(409);
    assert_eq!(busy.json()["run"], "home-1");
    daemon
        .as_token(&otto, "DELETE", "/runs/home-1", None)
        .await
        .is(409);
    // The stream is asked for before the end, and ends with it.
    let follow = daemon.as_token(&otto, "GET", "/runs/home-1/events", None);
    let go = async { std::fs::write(daemon.folder.path().join("go"), "").unwrap() };
    let (stream, ()) = tokio::join!(follow, go);
    let text = stream.is(200).text;
    assert!(text.contains("id: 1\ndata: {\"event\":\"begin\""), "{text}");
    assert!(text.contains("id: 2\ndata: {\"event\":\"end\""), "{text}");
    assert!(text.trim_end().ends_with("event: over\ndata: {}"), "{text}");
    let later = Request::get("/api/v1/runs/home-1/events")
        .header(header::AUTHORIZATION, format!("Bearer {otto}"))
        .header("last-event-id", "1");
    let text = daemon
        .ask(later.body(Body::empty()).unwrap())
        .await
        .is(200)
        .text;
    assert!(text.starts_with("id: 2\n"), "{text}");
    let run = daemon
        .as_token(&otto, "GET", "/runs/home-1", None)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&run["state"], &run["percent"]),
        (&json!("done"), &json!(100))
    );
    daemon
        .as_token(&otto, "POST", "/runs/home-1/cancel", None)
        .await
        .is(409);
    // Who did what is kept, and told to admins.
    let anna = daemon.token("anna", Role::Admin).await;
    let audit = daemon
        .as_token(&anna, "GET", "/audit", None)
        .await
        .is(200)
        .text;
    for what in ["cluster home made known", "run home-1 asked for"] {
        assert!(audit.contains(what), "{audit}");
    }
}

#[tokio::test]
async fn answers_say_that_nobody_else_may_frame_or_keep_them() {
    let daemon = Daemon::new("").await;
    let answer = daemon.as_token("", "GET", "/health", None).await.is(200);
    // A header for the whole host: others listen at its other ports.
    assert!(!answer.headers.contains_key("strict-transport-security"));
    for (name, word) in [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        let value = answer.headers[name].to_str().unwrap();
        assert!(value.contains(word), "{name}: {value}");
    }
}

#[tokio::test]
async fn the_page_leaves_the_api_its_problems() {
    let daemon = Daemon::new("").await;
    for (method, path) in [
        ("GET", "/api"),
        ("GET", "/api/"),
        ("GET", "/api/v1/nowhere"),
        ("GET", "/api/v2/clusters"),
        ("POST", "/clusters"),
        ("GET", "/assets/nothing.js"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let answer = daemon.ask(request.body(Body::empty()).unwrap()).await;
        let problem = answer.is(404).json();
        assert_eq!(problem["detail"], format!("there is no {path}"));
    }
}

/// Programs that are made from the description have one type and one function for each name in it.
#[test]
fn what_the_description_names_has_a_name_of_its_own() {
    let all: Value = serde_json::from_str(&description().unwrap()).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let paths = all["paths"].as_object().unwrap();
    for route in paths.values().flat_map(|m| m.as_object().unwrap().values()) {
        let id = route["operationId"].as_str().unwrap();
        assert!(seen.insert(id), "two operations are called {id}");
    }
    // What several modules call their types inside would be one type to everybody else.
    for name in ["View", "Wish", "Made", "Changed", "Named", "Entry"] {
        assert_eq!(all["components"]["schemas"][name], Value::Null, "{name}");
    }
}

#[test]
fn the_description_is_the_one_that_is_checked_in() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/openapi.json"
    );
    let now = description().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == now,
        "docs/reference/openapi.json is old: UPDATE=1 cargo test -p bramble-server description"
    );
}
