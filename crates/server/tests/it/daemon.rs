//! A daemon without sockets, and what its API answers.

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::{Request, StatusCode, header};
use bramble_secret::Secret;
use bramble_server::api::{App, Limits, router};
use bramble_server::runs::{Runs, Settings};
use bramble_store::record::Role;
use bramble_store::{Sqlite, Store};
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tokio::sync::watch;
use tower::ServiceExt;

pub const FILE: &str = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  machines:\n    - { name: one, roles: [control-plane], address: 192.168.7.11 }\n";

pub struct Daemon {
    pub folder: tempfile::TempDir,
    pub app: App,
    pub router: Router,
    _stop: watch::Sender<bool>,
}

/// An answer: status, headers, body.
pub struct Answer {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if status >= 400 {
            let kind = &self.headers[header::CONTENT_TYPE];
            assert_eq!(kind, "application/problem+json", "{}", self.text);
            assert_eq!(self.json()["status"], status);
        }
        self
    }
}

impl Daemon {
    /// A daemon whose runs say this; `{}` is where the program is.
    pub async fn new(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{program}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let settings = Settings {
            data: folder.path().into(),
            program: path,
            tries: 1,
        };
        let runs = Runs::new(store.clone(), settings);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(runs.clone().supervise(stopped));
        let app = App::new(store, runs, Limits::default());
        let from = SocketAddr::from(([192, 0, 2, 7], 4711));
        let router = router(app.clone()).layer(MockConnectInfo(from));
        Self {
            folder,
            app,
            router,
            _stop: stop,
        }
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub async fn as_token(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json");
        let request = match token {
            "" => request,
            token => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        };
        let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        self.ask(request.body(body).unwrap()).await
    }

    /// A token of a fresh user.
    pub async fn token(&self, name: &str, role: Role) -> String {
        let password = Secret::new("correct horse");
        let auth = &self.app.auth;
        auth.make_user(name, &password, role).await.unwrap();
        let cookie = auth.log_in(name, &password).await.unwrap().cookie;
        let caller = auth.by_cookie(cookie.expose()).await.unwrap().unwrap();
        let made = auth.make_token(&caller, "test", role, None).await.unwrap();
        made.token.expose().to_owned()
    }
}
