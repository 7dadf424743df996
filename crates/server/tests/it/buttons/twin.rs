//! The virtual button: pressed in the browser, and looked at there.

use super::brokers::Kind;
use super::press::api;
use super::world::World;
use crate::world::LIMIT;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bramble_secret::Secret;
use bramble_server::auth::Auth;
use bramble_store::record::{End, Role};
use futures::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

async fn token(world: &World, name: &str, role: Role) -> String {
    let auth = Auth::new(world.store.clone());
    let password = Secret::new("correct horse");
    auth.make_user(name, &password, role).await.unwrap();
    let cookie = auth.log_in(name, &password).await.unwrap().cookie;
    let caller = auth.by_cookie(cookie.expose()).await.unwrap().unwrap();
    let made = auth.make_token(&caller, "test", role, None).await.unwrap();
    made.token.expose().to_owned()
}

async fn press(api: &axum::Router, token: &str, id: &str, body: &'static str) -> StatusCode {
    let request = Request::post(format!("/api/v1/buttons/{id}/virtual"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap();
    api.clone().oneshot(request).await.unwrap().status()
}

/// Reads events until one says this.
async fn shows(body: &mut axum::body::BodyDataStream, line: &str) -> Value {
    let mut last = Value::Null;
    let reading = async {
        let mut text = String::new();
        loop {
            let chunk = body.next().await.expect("it goes on").unwrap();
            text += std::str::from_utf8(&chunk).unwrap();
            while let Some((event, rest)) = text.split_once("\n\n") {
                let data = event
                    .strip_prefix("data: ")
                    .map(serde_json::from_str::<Value>);
                text = rest.to_owned();
                let Some(Ok(data)) = data else { continue };
                let lines = data["text"].as_array().unwrap();
                if lines.iter().any(|l| l.as_str().unwrap().contains(line)) || line.is_empty() {
                    return data;
                }
                last = data["text"].clone();
            }
        }
    };
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(data) => data,
        Err(_) => panic!("it does not show {line:?} but {last}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_in_the_browser_is_a_press() {
    let world = World::new(Kind::Embedded).await;
    let api = api(&world);
    let operator = token(&world, "otto", Role::Operator).await;
    let request = Request::get("/api/v1/buttons/dash01/virtual/screen")
        .header(header::AUTHORIZATION, format!("Bearer {operator}"))
        .body(Body::empty())
        .unwrap();
    let response = api.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body().into_data_stream();
    let asleep = shows(&mut body, "").await;
    assert_eq!(asleep["awake"], false);
    let pixels = STANDARD.decode(asleep["screen"].as_str().unwrap()).unwrap();
    assert_eq!(pixels, [0; 1024]);

    let pressed = press(&api, &operator, "dash01", r#"{"press":"short"}"#).await;
    assert_eq!(pressed, 204);
    let working = shows(&mut body, "Provisioning").await;
    assert_eq!(working["awake"], true);
    assert_eq!(working["deafFor"], Value::Null);
    let pixels = STANDARD
        .decode(working["screen"].as_str().unwrap())
        .unwrap();
    assert!(pixels.iter().any(|byte| *byte != 0));
    let run = world.till.only().await;
    world.till.ends(&run, End::Done, None).await;
    let ready = shows(&mut body, "10.77.0.5:6443").await;
    // Its last screen: who presses now learns why nothing happens.
    let deaf = ready["deafFor"].as_u64().expect("it says for how long");
    assert!((1..=30_000).contains(&deaf), "{deaf}");
    assert_eq!(world.till.orders().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_only_look_presses_nothing() {
    let world = World::new(Kind::Embedded).await;
    let api = api(&world);
    let viewer = token(&world, "vera", Role::Viewer).await;
    let short = r#"{"press":"short"}"#;
    assert_eq!(press(&api, &viewer, "dash01", short).await, 403);
    let operator = token(&world, "otto", Role::Operator).await;
    assert_eq!(press(&api, &operator, "dash99", short).await, 404);
    assert_eq!(
        press(&api, &operator, "dash01", r#"{"press":"hard"}"#).await,
        422
    );
    assert!(world.till.orders().is_empty());
}
