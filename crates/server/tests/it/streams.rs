//! Streams, and how long they last.

use crate::daemon::{Daemon, FILE};
use axum::body::Body;
use axum::http::{Request, header};
use bramble_server::api::router;
use bramble_store::record::Role;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked again here whether somebody may look.
const AGAIN: Duration = Duration::from_millis(10);

/// A stream that stays open as long as its follower may look.
const OPEN: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_right_to_it() {
    let daemon = Daemon::new("while ! [ -e \"${0%/*}/go\" ]; do sleep 0.01; done").await;
    let otto = daemon.token("otto", Role::Operator).await;
    let file = Some(json!({ "file": FILE }));
    let made = daemon.as_token(&otto, "POST", "/clusters", file).await;
    made.is(201);
    let up = Some(json!({ "verb": "up" }));
    let run = daemon.as_token(&otto, "POST", "/clusters/home/runs", up);
    run.await.is(202);
    let mut app = daemon.app.clone();
    app.known_again = AGAIN;
    let router = router(app);
    for (number, path) in ["/events", "/lights/events", "/runs/home-1/events"]
        .into_iter()
        .enumerate()
    {
        let name = format!("vera{number}");
        let token = daemon.token(&name, Role::Viewer).await;
        let request = Request::get(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request = request.body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut read = tokio::spawn(axum::body::to_bytes(answer.into_body(), usize::MAX));
        let early = timeout(OPEN, &mut read).await;
        assert!(early.is_err(), "{path} ends although {name} may look");
        let id = token.split('_').nth(1).unwrap();
        let auth = &daemon.app.auth;
        match number {
            0 => auth.delete_user(&name).await.unwrap(),
            _ => auth.delete_token(id, None).await.unwrap(),
        }
        let over = timeout(LIMIT, read).await;
        assert!(over.is_ok(), "{path} goes on without a right");
    }
    std::fs::write(daemon.folder.path().join("go"), "").unwrap();
}
