//! `bramble --server URL kubeconfig` with a daemon, whose program is a script that says what `bramble` says.

use crate::common::{Place, err, json, out};
use assert_cmd::Command;
use bramble_server::{Home, Serving, Settings, serve};
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use tokio::sync::{oneshot, watch};

/// Answers with the file beside it; says besides, and ends, as others there tell.
const PROGRAM: &str = "#!/bin/sh\n\
    cd \"$(dirname \"$0\")\" && echo \"$*\" >asked && cat answer && cat beside >&2 && exit \"$(cat code)\"\n";

const FILE: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  machines:
    - { name: one, roles: [control-plane], address: 192.168.7.11 }
";

const OTHER: &str = "\
apiVersion: v1
kind: Config
clusters:
- { name: work, cluster: { server: \"https://10.0.0.1:6443\" } }
contexts:
- { name: work, context: { cluster: work, user: work } }
users:
- { name: work, user: { token: of-work } }
current-context: work
";

/// What `kubeconfig --print --output json` says.
fn answer() -> Value {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "home",
        "clusters": [{ "name": "home", "cluster": {
            "server": "https://192.168.7.11:6443", "certificate-authority-data": "Q0E=" } }],
        "contexts": [{ "name": "home", "context": { "cluster": "home", "user": "home" } }],
        "users": [{ "name": "home", "user": { "token": "of-home" } }],
    });
    let server = "https://192.168.7.11:6443";
    json!({ "context": "home", "server": server, "kubeconfig": config.to_string() })
}

/// A daemon in this process that knows the cluster `home`.
struct Daemon {
    place: Place,
    url: String,
    cookie: String,
    client: reqwest::Client,
    _stop: watch::Sender<bool>,
}

impl Daemon {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let place = Place::new();
        let program = place.path("program");
        std::fs::write(&program, PROGRAM).unwrap();
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
        daemon.says(&answer_text(), "", 0);
        daemon
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let request = self.client.post(format!("{}/api/v1{path}", self.url));
        let request = request
            .header(ORIGIN, &self.url)
            .header(COOKIE, &self.cookie);
        let answer = request.json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer
    }

    /// A token of somebody with that role.
    async fn token(&self, role: &str) -> String {
        let wish = json!({ "label": role, "role": role });
        let made: Value = self.post("/tokens", &wish).await.json().await.unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    /// What its program says from now on.
    fn says(&self, answer: &str, beside: &str, code: u8) {
        std::fs::write(self.place.path("answer"), answer).unwrap();
        std::fs::write(self.place.path("beside"), beside).unwrap();
        std::fs::write(self.place.path("code"), code.to_string()).unwrap();
    }

    /// A call of Bramble that has this daemon carry it out.
    fn bramble(&self, token: &str, arguments: &str) -> Command {
        let mut command = self.place.bramble(arguments);
        command
            .env("BRAMBLE_SERVER", &self.url)
            .env("BRAMBLE_SERVER_CA", self.place.path("ca.pem"))
            .env("BRAMBLE_CLUSTER", "home")
            .env("BRAMBLE_TOKEN", token);
        command
    }
}

fn answer_text() -> String {
    answer().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_into_the_kubeconfig_of_this_computer_and_out_again() {
    let daemon = Daemon::new().await;
    let place = &daemon.place;
    let token = daemon.token("operator").await;
    std::fs::write(place.path("config"), OTHER).unwrap();
    let into = "kubeconfig --into config";

    let text = out(&daemon.bramble(&token, into).assert().success());
    let lines = [
        "config: updated; everything else in it is kept: context home, https://192.168.7.11:6443",
        "kubectl --kubeconfig config --context home get nodes",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    let words = place.read("asked");
    assert!(
        words.starts_with("kubeconfig --print --output=json "),
        "{words}"
    );
    let merged = place.read("config");
    for part in ["of-work", "of-home", "https://192.168.7.11:6443"] {
        assert!(merged.contains(part), "{part}: {merged}");
    }
    assert!(merged.contains("current-context: work"), "{merged}");
    let mode = std::fs::metadata(place.path("config"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);

    let mut again = daemon.bramble(&token, &format!("{into} --current --output json"));
    let again = json(&again.assert().success());
    assert_eq!(
        (&again["context"], &again["changed"]),
        (&json!("home"), &json!(true))
    );
    assert!(place.read("config").contains("current-context: home"));

    // The daemon knows nothing of this file: it need not be there for it.
    let gone = out(&daemon
        .bramble(&token, "kubeconfig --remove --into config")
        .assert()
        .success());
    assert!(gone.contains("home is taken out"), "{gone}");
    assert!(!place.read("config").contains("of-home"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_said_as_it_is_here() {
    let daemon = Daemon::new().await;
    let place = &daemon.place;
    let token = daemon.token("operator").await;
    let into = "kubeconfig --into config";

    let mut behind = answer();
    behind["remark"] = json!("192.168.7.11 is behind the router: use the VPN");
    daemon.says(&behind.to_string(), "", 0);
    let said = err(&daemon.bramble(&token, into).assert().success());
    assert!(
        said.contains("note: 192.168.7.11 is behind the router"),
        "{said}"
    );
    let before = place.read("config");

    daemon.says(
        "{ \"error\": \"one: no route to host\" }",
        "error: one: no route to host",
        4,
    );
    let failed = daemon.bramble(&token, into).assert().code(4);
    assert!(err(&failed).contains("error: one: no route to host"));
    assert_eq!(out(&failed), "");
    let mut failed = daemon.bramble(&token, &format!("{into} --output json"));
    assert_eq!(
        json(&failed.assert().code(4))["error"],
        "one: no route to host"
    );
    daemon.says("{ \"kubeconfig\": \"of-home\" }", "", 0);
    let said = err(&daemon.bramble(&token, into).assert().code(1));
    assert!(
        said.contains("no kubeconfig") && !said.contains("of-home"),
        "{said}"
    );

    std::fs::remove_file(place.path("asked")).unwrap();
    let said = err(&daemon
        .bramble(&token, "kubeconfig --into nope/x")
        .assert()
        .code(2));
    assert!(said.contains("there is no folder nope"), "{said}");
    let viewer = daemon.token("viewer").await;
    let said = err(&daemon.bramble(&viewer, into).assert().code(1));
    assert!(said.contains("this is for operators"), "{said}");
    assert!(!place.path("asked").exists(), "nobody was asked");
    assert_eq!(place.read("config"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_cluster_is_told_which_there_are() {
    let daemon = Daemon::new().await;
    let token = daemon.token("viewer").await;
    let status = || {
        let mut command = daemon.bramble(&token, "status");
        command.env_remove("BRAMBLE_CLUSTER");
        command
    };
    let said = err(&status().assert().code(2));
    assert!(said.contains("--cluster NAME is one of: home"), "{said}");
    // A name is a part of the API's paths, and chooses no other one.
    let said = err(&status().env("BRAMBLE_CLUSTER", "../x").assert().code(2));
    assert!(said.contains("no name of a cluster"), "{said}");
    std::fs::write(daemon.place.path("ca.pem"), "correct horse").unwrap();
    let said = err(&status().assert().code(2));
    assert!(said.contains("none in PEM"), "{said}");
}
