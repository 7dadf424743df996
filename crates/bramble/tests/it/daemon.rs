//! A daemon in the tests' own process, whose program is a script that says what `bramble` says.

use crate::common::Place;
use assert_cmd::Command;
use bramble_server::{Home, Serving, Settings, serve};
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use tokio::sync::{oneshot, watch};

const FILE: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  machines:
    - { name: one, roles: [control-plane], address: 192.168.7.11 }
";

/// A daemon in this process that knows the cluster `home`.
pub struct Daemon {
    pub place: Place,
    pub url: String,
    cookie: String,
    client: reqwest::Client,
    _stop: watch::Sender<bool>,
}

impl Daemon {
    /// Starts it with a script as its program.
    pub async fn new(script: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let place = Place::new();
        let program = place.path("program");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            data: place.path("data"),
            home: Home::Folder,
            names: vec!["127.0.0.1".into()],
            program,
            kubernetes: None,
            limits: Default::default(),
            buttons: None,
            watches_clusters: false,
        };
        let (stop, stopped) = watch::channel(false);
        let (ready, started) = oneshot::channel();
        let told = move |serving: Serving| assert!(ready.send(serving).is_ok());
        tokio::spawn(serve(settings, told, stopped));
        let serving = started.await.expect("it starts");
        let authority = std::fs::read(&serving.authority).unwrap();
        std::fs::write(place.path("ca.pem"), &authority).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([authority]);
        let mut daemon = Self {
            url: format!("https://{}", serving.address),
            client: client.build().unwrap(),
            cookie: String::new(),
            place,
            _stop: stop,
        };
        let link = serving.first.expect("nobody is there yet");
        let first = json!({ "link": link.expose(), "name": "anna", "password": "correct horse" });
        daemon.post("/first", &first).await;
        let login = json!({ "name": "anna", "password": "correct horse" });
        let answer = daemon.post("/login", &login).await;
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        daemon.cookie = cookie.split(';').next().unwrap().to_owned();
        daemon.post("/clusters", &json!({ "file": FILE })).await;
        daemon
    }

    /// Sends something as its first user; refusals are none.
    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let request = self.client.post(format!("{}/api/v1{path}", self.url));
        let request = request
            .header(ORIGIN, &self.url)
            .header(COOKIE, &self.cookie);
        let answer = request.json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }

    /// A token of somebody with that role.
    pub async fn token(&self, role: &str) -> String {
        let wish = json!({ "label": role, "role": role });
        let made: Value = self.post("/tokens", &wish).await.json().await.unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    /// A call of Bramble that has this daemon carry it out.
    pub fn bramble(&self, token: &str, arguments: &str) -> Command {
        let mut command = self.place.bramble(arguments);
        command
            .env("BRAMBLE_SERVER", &self.url)
            .env("BRAMBLE_SERVER_CA", self.place.path("ca.pem"))
            .env("BRAMBLE_CLUSTER", "home")
            .env("BRAMBLE_TOKEN", token);
        command
    }
}
