//! A press over HTTPS: no session, but a signature.

use super::brokers::Kind;
use super::world::{KEY, World, provision, seconds};
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::{Request as Http, StatusCode};
use bramble_button::signed::{Claimed, Key};
use bramble_button::{Ask, Nonce, Report, Request, Status, UnixTime};
use bramble_server::api::{App, Ears, Limits, router};
use bramble_server::runs::{Runs, Settings};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tower::ServiceExt;

pub fn api(world: &World) -> axum::Router {
    let leads = Ears::Leader {
        handler: Arc::new(Some(world.handler.clone()).into()),
        other: watch::channel(None).1,
    };
    hearing(world, leads)
}

fn hearing(world: &World, ears: Ears) -> axum::Router {
    let settings = Settings {
        data: "/nonexistent".into(),
        program: "/bin/false".into(),
        tries: 1,
    };
    let runs = Runs::new(world.store.clone(), settings);
    let mut app = App::new(world.store.clone(), runs, Limits::default());
    app.buttons = ears;
    router(app).layer(MockConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))))
}

async fn post(api: &axum::Router, id: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let request = Http::post(format!("/api/v1/buttons/{id}/press"));
    let request = request.body(Body::from(body)).unwrap();
    let response = api.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 100_000)
        .await
        .unwrap();
    (status, body.to_vec())
}

fn request(number: u16, ask: Ask) -> Request {
    Request {
        button: "dash01".parse().unwrap(),
        time: UnixTime::new(seconds()).unwrap(),
        nonce: Nonce::new([5; 14], number),
        ask,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_request_is_answered_with_the_signed_report_once() {
    let world = World::new(Kind::Embedded).await;
    let api = api(&world);
    let request = request(1, provision("dash01-a"));
    let signed = request.signed(&Key::new(KEY)).unwrap().to_vec();
    let (status, body) = post(&api, "dash01", signed.clone()).await;
    assert_eq!(status, 200);
    let report = Claimed::<Report>::read(&body).unwrap();
    let report = report.proven(&Key::new(KEY)).unwrap();
    assert_eq!(report.re, Some(request.nonce));
    assert!(matches!(report.status, Status::Provisioning(_)));
    let (status, body) = post(&api, "dash01", signed).await;
    assert_eq!(status, 409, "{}", String::from_utf8_lossy(&body));
    assert_eq!(world.till.orders(), ["Up dash01-a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_presses_at_a_daemon_that_does_not_lead_is_told_where_to() {
    let world = World::new(Kind::Embedded).await;
    let (leader, other) = watch::channel(None);
    let handler = Arc::default();
    let api = hearing(&world, Ears::Leader { handler, other });
    let told = async || {
        let signed = request(1, provision("dash01-a")).signed(&Key::new(KEY));
        let (status, body) = post(&api, "dash01", signed.unwrap().to_vec()).await;
        assert_eq!(status, 503);
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap();
        [&said["detail"], &said["hint"]].map(|text| text.as_str().unwrap().to_owned())
    };
    let [_, hint] = told().await;
    assert!(hint.contains("kubectl get lease bramble"), "{hint}");
    leader.send_replace(Some("hall-2f61".into()));
    let [detail, _] = told().await;
    assert!(detail.contains("daemon hall-2f61 leads"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_signature_nothing_happens_and_not_often() {
    let world = World::new(Kind::Embedded).await;
    let api = api(&world);
    let request = request(1, provision("dash01-a"));
    let forged = request.signed(&Key::new([8; 32])).unwrap().to_vec();
    assert_eq!(post(&api, "dash01", forged.clone()).await.0, 403);
    let signed = request.signed(&Key::new(KEY)).unwrap().to_vec();
    assert_eq!(post(&api, "dash02", signed).await.0, 422);
    assert_eq!(post(&api, "dash01", b"{}".to_vec()).await.0, 422);
    for _ in 0..20 {
        post(&api, "dash01", forged.clone()).await;
    }
    assert_eq!(post(&api, "dash01", forged).await.0, 429);
    assert!(world.till.orders().is_empty());
    // Who can sign is not kept out by who can't.
    let signed = self::request(2, Ask::Status)
        .signed(&Key::new(KEY))
        .unwrap();
    assert_eq!(post(&api, "dash01", signed.to_vec()).await.0, 200);
}
