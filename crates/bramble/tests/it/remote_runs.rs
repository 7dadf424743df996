//! `bramble --server URL runs` with a daemon, whose program is a script that does what `bramble up` does.

use crate::common::{GOOD, Place, err, json, out};
use crate::daemon::Daemon;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// Goes on where a file `go` comes beside it, and fails beside `fail`, where the machine is away.
const PROGRAM: &str = r#"#!/bin/sh
here=${0%/*}
end() {
    printf '{"event":"end","changes":%s,"failed":[],"skipped":[],"stopped":%s,"unreachable":%s,"obstacles":[],"took":1.2}\n' "$1" "$2" "$3"
}
say() { printf '{"at":0.1,"machine":"one","step":"base",%s}\n' "$1"; }
stopped() {
    end 0 true '{}'
    exit 130
}
trap stopped INT
echo '{"event":"begin","changes":2,"steps":1,"later":0}'
say '"event":"started","title":"base packages"'
waited=0
until [ -e "$here/go" ]; do
    # A test that has died asks for nothing any more.
    [ $waited -lt 3000 ] || exit 1
    waited=$((waited + 1))
    sleep 0.02
done
if [ -e "$here/fail" ]; then
    end 0 false '{"one":"no route to host"}'
    exit 4
fi
say '"event":"finished","changes":2,"took":0.5'
end 2 false '{}'
"#;

impl Daemon {
    async fn up(&self) {
        self.post("/clusters/home/runs", &json!({ "verb": "up" }))
            .await;
    }

    fn touch(&self, name: &str) {
        std::fs::write(self.place.path(name), "").unwrap();
    }

    /// The same as a plain command, to be steered while it runs.
    fn process(&self, token: &str, arguments: &str) -> Command {
        let mut command = self.place.process(Place::program());
        command
            .args(arguments.split_whitespace())
            .env("BRAMBLE_SERVER", &self.url)
            .env("BRAMBLE_SERVER_CA", self.place.path("ca.pem"))
            .env("BRAMBLE_TOKEN", token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_followed_and_end_as_they_do() {
    let daemon = Daemon::new(PROGRAM).await;
    let token = daemon.token("operator").await;
    let none = daemon.bramble(&token, "runs").assert().success();
    assert_eq!(out(&none), "");
    assert!(err(&none).contains("remembers no run of home"));
    let said = err(&daemon
        .bramble(&token, "runs follow latest")
        .assert()
        .code(2));
    assert!(said.contains("remembers no run of home"), "{said}");

    daemon.touch("go");
    daemon.up().await;
    let followed = daemon
        .bramble(&token, "runs follow home-1")
        .assert()
        .success();
    let said = err(&followed);
    assert!(
        said.contains("home-1: up home, asked for by anna"),
        "{said}"
    );
    assert!(said.contains("starts: base packages"), "{said}");
    assert_eq!(out(&followed), "home: 2 changes, 1.2 s\n");

    daemon.touch("fail");
    daemon.up().await;
    let latest = daemon
        .bramble(&token, "runs follow latest")
        .assert()
        .code(4);
    let said = err(&latest);
    assert!(said.contains("home-2: up home"), "{said}");
    assert!(said.contains("one can't be reached"), "{said}");
    let again = format!("bramble --server {} --cluster home up", daemon.url);
    assert!(said.contains(&again), "{said}");
    let mut events = daemon.bramble(&token, "runs follow home-2 --output json");
    let events = out(&events.assert().code(4));
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "begin");
    assert_eq!(events.last().unwrap()["event"], "end");

    // Who may only look sees them as well.
    let viewer = daemon.token("viewer").await;
    let list = out(&daemon.bramble(&viewer, "runs").assert().success());
    let rows: Vec<Vec<&str>> = list
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0][..4], ["RUN", "CLUSTER", "DOES", "STATE"]);
    assert_eq!(rows[1][..4], ["home-2", "home", "up", "failed"]);
    assert_eq!(rows[2][..4], ["home-1", "home", "up", "done"]);
    assert_eq!(rows[2].last(), Some(&"anna"));
    let mut all = daemon.bramble(&viewer, "runs list --output json");
    let all = json(&all.env_remove("BRAMBLE_CLUSTER").assert().success());
    assert_eq!(all[1]["name"], "home-1");
    assert_eq!(all[1]["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_the_run_and_cancel_stops_it() {
    let daemon = Daemon::new(PROGRAM).await;
    let token = daemon.token("operator").await;
    daemon.up().await;
    let mut following = daemon
        .process(&token, "runs follow latest")
        .spawn()
        .unwrap();
    let mut said = BufReader::new(following.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("starts: base packages") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended");
    }
    let number = following.id().to_string();
    let kill = Command::new("kill").args(["-s", "INT", &number]).status();
    assert!(kill.unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("home-1 goes on"), "{rest}");
    for word in ["follow", "cancel"] {
        let how = format!("bramble --server {} runs {word} home-1", daemon.url);
        assert!(rest.contains(&how), "{rest}");
    }
    let mut list = daemon.bramble(&token, "runs --output json");
    let list = json(&list.assert().success());
    assert_eq!(
        (&list[0]["state"], &list[0]["cancel"]),
        (&json!("running"), &json!(false))
    );

    // Who wants another run meanwhile is told how this one is followed.
    let said = err(&daemon.bramble(&token, "up").assert().code(5));
    assert!(said.contains("runs follow latest"), "{said}");
    let viewer = daemon.token("viewer").await;
    let cancel = "runs cancel home-1";
    let said = err(&daemon.bramble(&viewer, cancel).assert().code(1));
    assert!(said.contains("this is for operators"), "{said}");
    let said = out(&daemon.bramble(&token, cancel).assert().success());
    assert!(said.contains("home-1 stops after the steps"), "{said}");
    let said = err(&daemon
        .bramble(&token, "runs follow home-1")
        .assert()
        .code(130));
    assert!(
        said.contains("stopped before everything was done"),
        "{said}"
    );
    let said = err(&daemon.bramble(&token, cancel).assert().code(1));
    assert!(said.contains("the run home-1 is over"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_nobody_knows_are_wrong_use() {
    let daemon = Daemon::new(PROGRAM).await;
    let token = daemon.token("operator").await;
    for words in ["runs follow home-7", "runs cancel home-7"] {
        let said = err(&daemon.bramble(&token, words).assert().code(2));
        assert!(said.contains("knows no run home-7"), "{words}: {said}");
    }
    let said = err(&daemon
        .bramble(&token, "runs --cluster red")
        .assert()
        .code(2));
    assert!(said.contains("knows no cluster red"), "{said}");
    // A run of another cluster than the one that was named is not stopped.
    for words in [
        "--cluster red runs cancel home-7",
        "--cluster red runs follow home-7",
    ] {
        let said = err(&daemon.bramble(&token, words).assert().code(2));
        assert!(said.contains("home-7 is no run of red"), "{words}: {said}");
    }
    for words in [
        "runs follow ../clusters",
        "runs cancel home",
        "runs cancel latest",
    ] {
        let said = err(&daemon.bramble(&token, words).assert().code(2));
        assert!(said.contains("such as home-7"), "{words}: {said}");
    }
}

#[test]
fn without_a_daemon_there_are_none() {
    let place = Place::with(GOOD);
    for words in [
        "runs",
        "runs list",
        "runs follow latest",
        "runs cancel home-1",
    ] {
        let said = err(&place.bramble(words).assert().code(2));
        assert!(said.contains("a daemon's"), "{words}: {said}");
        assert!(
            said.contains("bramble --server URL runs"),
            "{words}: {said}"
        );
    }
}
