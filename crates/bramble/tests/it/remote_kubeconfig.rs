//! `bramble --server URL kubeconfig` with a daemon, whose program is a script that says what `bramble` says.

use crate::common::{err, json, out};
use crate::daemon::Daemon;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// Answers with the file beside it; says besides, and ends, as others there tell.
const PROGRAM: &str = "#!/bin/sh\n\
    cd \"$(dirname \"$0\")\" && echo \"$*\" >asked && cat answer && cat beside >&2 && exit \"$(cat code)\"\n";

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

/// A daemon whose program gives that answer.
async fn daemon() -> Daemon {
    let daemon = Daemon::new(PROGRAM).await;
    says(&daemon, &answer_text(), "", 0);
    daemon
}

/// What its program says from now on.
fn says(daemon: &Daemon, answer: &str, beside: &str, code: u8) {
    std::fs::write(daemon.place.path("answer"), answer).unwrap();
    std::fs::write(daemon.place.path("beside"), beside).unwrap();
    std::fs::write(daemon.place.path("code"), code.to_string()).unwrap();
}

fn answer_text() -> String {
    answer().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_into_the_kubeconfig_of_this_computer_and_out_again() {
    let daemon = self::daemon().await;
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
    let daemon = self::daemon().await;
    let place = &daemon.place;
    let token = daemon.token("operator").await;
    let into = "kubeconfig --into config";

    let mut behind = answer();
    behind["remark"] = json!("192.168.7.11 is behind the router: use the VPN");
    says(&daemon, &behind.to_string(), "", 0);
    let said = err(&daemon.bramble(&token, into).assert().success());
    assert!(
        said.contains("note: 192.168.7.11 is behind the router"),
        "{said}"
    );
    let before = place.read("config");

    says(
        &daemon,
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
    says(&daemon, "{ \"kubeconfig\": \"of-home\" }", "", 0);
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
    let daemon = self::daemon().await;
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
