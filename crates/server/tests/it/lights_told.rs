//! The daemon's lights at its broker: the one inside, and mosquitto.

use crate::mosquitto::{Mosquitto, Way, said};
use crate::serve::settings;
use crate::world::{LIMIT, next};
use bramble_bus::{Bus, Client, Subscription};
use bramble_button::signed::Key;
use bramble_secret::Secret;
use bramble_server::{Broker, Buttons, Error, Serving, Settings, serve};
use serde_json::{Value, json};
use std::path::Path;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

const TOPIC: &str = "bramble/lights/daemon";
const HANDLER: (&str, &str) = ("handler", "a word of the handler");
const WATCHER: (&str, &str) = ("watcher", "a word of the watcher");
const ACCESS: &str = "\
user handler
topic readwrite bramble/#
user watcher
topic read bramble/#
";

struct Daemon {
    serving: Serving,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Error>>,
}

impl Daemon {
    async fn start(data: &Path, broker: Broker) -> Self {
        let settings = Settings {
            buttons: Some(Buttons {
                handler: "handler".parse().unwrap(),
                broker,
                old: None,
            }),
            ..settings(data, &["127.0.0.1", "localhost"])
        };
        let (stop, stopped) = watch::channel(false);
        let (ready, started) = oneshot::channel();
        let told = move |serving: Serving| assert!(ready.send(serving).is_ok());
        let task = tokio::spawn(serve(settings, told, stopped));
        let serving = started.await.expect("it starts");
        Self {
            serving,
            stop,
            task,
        }
    }

    /// Makes the first user, and asks as them.
    async fn admin(&self) -> Admin {
        let authority = std::fs::read(&self.serving.authority).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([authority]);
        let client = builder.build().unwrap();
        let origin = format!("https://{}", self.serving.address);
        let mut admin = Admin {
            client,
            origin,
            cookie: String::new(),
        };
        let link = self.serving.first.as_ref().unwrap().expose();
        let first = json!({ "link": link, "name": "anna", "password": "correct horse" });
        admin.post("/first", &first).await;
        let login = json!({ "name": "anna", "password": "correct horse" });
        let answer = admin.post("/login", &login).await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        admin.cookie = cookie.split(';').next().unwrap().to_owned();
        admin
    }

    async fn end(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

struct Admin {
    client: reqwest::Client,
    origin: String,
    cookie: String,
}

impl Admin {
    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let post = self.client.post(format!("{}/api/v1{path}", self.origin));
        let post = post.header("origin", &self.origin);
        let post = post.header("cookie", &self.cookie).json(body);
        let answer = post.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }

    async fn alert(&self, status: &str) {
        let alert = json!({ "version": "4", "groupKey": "a", "alerts": [{ "status": status, "fingerprint": "a",
            "labels": { "alertname": "Down", "severity": "critical" } }] });
        let token = json!({ "label": "hook", "role": "operator" });
        let made: Value = self.post("/tokens", &token).await.json().await.unwrap();
        let url = format!("{}/api/v1/hooks/alertmanager", self.origin);
        let sent = self
            .client
            .post(url)
            .bearer_auth(made["token"].as_str().unwrap());
        assert_eq!(sent.json(&alert).send().await.unwrap().status(), 204);
    }
}

/// Waits until the lights are told as so.
async fn until(heard: &mut Subscription, light: &str) -> Value {
    let found = async {
        loop {
            let message = next(heard).await;
            assert_eq!(message.topic, TOPIC);
            let json: Value = serde_json::from_slice(&message.payload).unwrap();
            if json["light"] == light {
                return json;
            }
        }
    };
    tokio::time::timeout(LIMIT, found).await.expect(light)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buttons_read_them_at_the_broker_inside_and_never_write() {
    let folder = tempfile::tempdir().unwrap();
    let own = Broker::Own {
        tls: ([127, 0, 0, 1], 0).into(),
        plain: None,
    };
    let daemon = Daemon::start(folder.path(), own).await;
    let admin = daemon.admin().await;
    let button = json!({ "id": "board", "profile": { "template": "lab" } });
    let made: Value = admin.post("/buttons", &button).await.json().await.unwrap();
    let key = hex::decode(made["key"].as_str().unwrap()).unwrap();
    let password = Key::new(key.try_into().unwrap()).password();
    let login = ("board", password.expose());
    let way = Way {
        port: daemon.serving.broker.unwrap().port(),
        authority: Some(daemon.serving.authority.clone()),
    };
    let one = ["-t", TOPIC, "-C", "1", "-W", "10", "-q", "1"];
    let read = way.subscribe(login, &one).await;
    assert!(
        said(&read).contains("\"light\":\"green\""),
        "{}",
        said(&read)
    );
    let lie = ["-V", "mqttv5", "-t", TOPIC, "-r", "-q", "1", "-m", "{}"];
    let written = way.publish(login, &lie).await;
    assert!(
        said(&written).contains("Not authorized"),
        "{}",
        said(&written)
    );
    // What is there now is still what the daemon said.
    admin.alert("firing").await;
    let bus = Client::once(bramble_bus::Settings {
        broker: format!("mqtts://localhost:{}", way.port).parse().unwrap(),
        client: "board".into(),
        login: Some(("board".into(), Secret::new(password.expose()))),
        authority: Some(daemon.serving.authority.clone()),
        proxy: None,
        will: None,
    })
    .await
    .unwrap();
    let mut heard = bus.subscribe(TOPIC).await.unwrap();
    let red = until(&mut heard, "red").await;
    assert_eq!(red["reasons"][0]["reason"], "Down");
    admin.alert("resolved").await;
    until(&mut heard, "green").await;
    // Its broker ends with it, so that nobody believes what it said.
    daemon.end().await;
    let over = async { while heard.next().await.is_some() {} };
    tokio::time::timeout(LIMIT, over).await.expect("it is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_broker_says_that_the_daemon_is_gone() {
    let broker = Mosquitto::start(&[HANDLER, WATCHER], ACCESS);
    let connect = |(user, password): (&str, &str)| bramble_bus::Settings {
        broker: broker.url().parse().unwrap(),
        client: user.into(),
        login: Some((user.into(), Secret::new(password))),
        authority: Some(broker.authority()),
        proxy: None,
        will: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let other = Broker::Other(connect(HANDLER));
    let daemon = Daemon::start(folder.path(), other).await;
    let watcher = Client::once(connect(WATCHER)).await.unwrap();
    let mut heard = watcher.subscribe(TOPIC).await.unwrap();
    until(&mut heard, "green").await;
    daemon.admin().await.alert("firing").await;
    until(&mut heard, "red").await;
    daemon.end().await;
    until(&mut heard, "unknown").await;
    watcher.close().await;
}
