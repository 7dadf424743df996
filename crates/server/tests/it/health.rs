//! Whether the daemon says that it is there, also where its store does not answer.

use crate::daemon::Daemon;
use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use axum::response::IntoResponse;
use bramble_secret::Secret;
use bramble_server::api::{App, Limits, Refused, router};
use bramble_server::runs::{Runs, Settings};
use bramble_store::{Change, Document, Error, Key, Kind, Line, Log, Store};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast;
use tower::ServiceExt;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy)]
enum Away {
    Refuses,
    Silent,
    /// It reads, and keeps nothing more.
    Full,
}

impl Away {
    async fn answer<T>(&self) -> Result<T, Error> {
        match self {
            Away::Silent => std::future::pending().await,
            Away::Refuses => Err(Error::Closed),
            Away::Full => Err(Error::Full {
                folder: "/var/lib/bramble".into(),
                source: "no space left".into(),
            }),
        }
    }
}

#[async_trait]
impl Store for Away {
    async fn get(&self, _: &Key) -> Result<Option<Document>, Error> {
        match self {
            Away::Full => Ok(None),
            _ => self.answer().await,
        }
    }

    async fn list(&self, _: Kind) -> Result<Vec<Document>, Error> {
        match self {
            Away::Full => Ok(Vec::new()),
            _ => self.answer().await,
        }
    }

    async fn room(&self) -> Result<(), Error> {
        self.answer().await
    }

    async fn create(&self, _: &Key, _: Value) -> Result<Document, Error> {
        self.answer().await
    }

    async fn replace(&self, _: &Document) -> Result<Document, Error> {
        self.answer().await
    }

    async fn delete(&self, _: &Key, _: Option<&str>) -> Result<bool, Error> {
        self.answer().await
    }

    async fn append(&self, _: &Log, _: Vec<String>) -> Result<u64, Error> {
        self.answer().await
    }

    async fn read(&self, _: &Log, _: u64, _: usize) -> Result<Vec<Line>, Error> {
        self.answer().await
    }

    async fn read_back(&self, _: &Log, _: u64, _: usize) -> Result<Vec<Line>, Error> {
        self.answer().await
    }

    async fn prune(&self, _: &Log, _: u64) -> Result<(), Error> {
        self.answer().await
    }

    async fn forget(&self, _: &Log) -> Result<(), Error> {
        self.answer().await
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        broadcast::channel(1).1
    }
}

impl Away {
    async fn says(self) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(self);
        let settings = Settings {
            data: folder.path().into(),
            program: folder.path().join("program"),
            tries: 1,
        };
        let runs = Runs::new(store.clone(), settings);
        let router = router(App::new(store, runs, Limits::default()));
        let asked = Request::get("/api/v1/health").body(Body::empty()).unwrap();
        let answer = router.oneshot(asked).await.unwrap();
        assert_eq!(answer.status(), 200, "{self:?}");
        let text = axum::body::to_bytes(answer.into_body(), 4096)
            .await
            .unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

#[tokio::test]
async fn a_daemon_whose_store_is_away_is_there_all_the_same() {
    for away in [Away::Refuses, Away::Silent] {
        let said = away.says().await;
        assert_eq!(said["store"], "away");
        assert_eq!(said["first"], Value::Null);
    }
}

#[tokio::test]
async fn a_daemon_whose_disk_is_full_says_so() {
    assert_eq!(Away::Full.says().await["store"], "full");
    let refused = Refused::from(Away::Full.answer::<()>().await.unwrap_err());
    let answer = refused.into_response();
    assert_eq!(answer.status(), 507);
    let text = axum::body::to_bytes(answer.into_body(), 4096).await;
    let said: Value = serde_json::from_slice(&text.unwrap()).unwrap();
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.contains("/var/lib/bramble"), "{detail}");
    assert!(said["hint"].as_str().unwrap().contains("make room"));
}

#[tokio::test]
async fn it_says_whether_the_first_user_is_to_be_made() {
    let daemon = Daemon::new("").await;
    let said = async || {
        let answer = daemon.as_token("", "GET", "/health", None).await.is(200);
        answer.json()
    };
    let auth = &daemon.app.auth;
    let link = auth.first_link("alone").await.unwrap().unwrap();
    let before = said().await;
    assert_eq!(before["store"], "answers");
    assert_eq!(before["first"], true);
    let password = Secret::new("correct horse");
    let made = auth.make_first(link.expose(), "anna", &password).await;
    made.unwrap();
    assert_eq!(said().await["first"], false);
}
