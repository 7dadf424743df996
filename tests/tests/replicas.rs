//! Several daemons, with what they know in a Kubernetes API that Bramble made: all of it real.

use bramble_tests::kubectl::Kubectl;
use bramble_tests::site::VERSION;
use bramble_tests::{Daemon, Site, wait};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

/// What another daemon may need until it leads.
const TAKEOVER: SignedDuration = SignedDuration::from_secs(20);

/// How long it may take until that is seen here.
const LIMIT: Duration = Duration::from_secs(60);

/// What the Lease says; nothing where there is none yet.
fn lease(kubectl: &Kubectl, what: &str) -> String {
    let what = format!("jsonpath={{.spec.{what}}}");
    let asked = ["-n", "bramble", "get", "lease", "bramble", "-o", &what];
    let said = kubectl.try_run(&asked).unwrap_or_default();
    said.trim().to_owned()
}

/// The events of a run.
fn events(daemon: &Daemon, run: &str) -> Vec<Value> {
    let asked = Command::new("curl")
        .args(["-sS", "--max-time", "20", "--cacert"])
        .arg(daemon.authority())
        .arg("-b")
        .arg(daemon.folder().join("cookies"))
        .arg(format!("{}/api/v1/runs/{run}/events", daemon.url()))
        .output()
        .expect("curl runs");
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    let lines = said.lines().filter_map(|line| line.strip_prefix("data:"));
    lines
        .filter_map(|line| serde_json::from_str(line.trim()).ok())
        .collect()
}

/// What each try of a run changed: machine and resource. A try makes the lab first, and looks then at what is to be done
/// in it: it begins twice.
fn changed(events: &[Value]) -> Vec<BTreeSet<(String, String)>> {
    let mut begins: Vec<BTreeSet<_>> = Vec::new();
    for event in events {
        let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("begin") => begins.push(BTreeSet::new()),
            // Whether the package archive answers is asked anew by whoever needs it.
            Some("changed") if !word("resource").starts_with("reach:") => {
                let changed = begins.last_mut().expect("a beginning comes first");
                changed.insert((word("machine"), word("resource")));
            }
            _ => {}
        }
    }
    let tries = begins.chunks(2);
    tries
        .map(|pair| pair.iter().flatten().cloned().collect())
        .collect()
}

/// One daemon is killed in the middle of a run. The other one leads in time, and brings the run to its end; nothing is
/// done twice.
#[test]
fn another_daemon_finishes_the_run_of_one_that_is_killed() {
    let site = Site::new("t-crown", 67, &["one"]);
    site.write("");
    site.lab_up();
    site.up();
    let kubectl = Kubectl::new(&site);
    let crds = site.bramble(&["serve", "crds"]).expect(0);
    let crds = site.write_beside("crds.yaml", &crds.stdout);
    kubectl.run(&["apply", "-f", &crds.display().to_string()]);
    kubectl.run(&["create", "namespace", "bramble"]);
    let kubeconfig = site.folder().join("kubeconfig").display().to_string();
    let shared = ["--store", "kubernetes", "--kubeconfig", &kubeconfig];
    let shared = [&shared[..], &["--namespace", "bramble"]].concat();

    let mut first = Daemon::sharing("t-heir", 17_446, &shared, true);
    wait::until("the first one leads", LIMIT, || {
        lease(&kubectl, "holderIdentity") == first.replica()
    });
    let other = Daemon::sharing("t-heir", 17_448, &shared, false);
    let spec = json!({ "kubernetes": { "version": VERSION } });
    let template =
        json!({ "name": "small", "origin": "lab", "controlPlanes": 1, "workers": 1, "spec": spec });
    other.api("POST", "/templates", Some(&template));
    let wish = json!({ "name": "t-heir", "template": "small" });
    other.api("POST", "/clusters/from-template", Some(&wish));
    // Asked of the one that does not lead.
    other.api(
        "POST",
        "/clusters/t-heir/runs",
        Some(&json!({ "verb": "up" })),
    );
    other.until_run("a third is done", "t-heir-1", |run| {
        run["percent"].as_u64().is_some_and(|percent| percent >= 33)
    });
    let killed = Timestamp::now();
    first.kill();
    wait::until("the other one leads", LIMIT, || {
        lease(&kubectl, "holderIdentity") == other.replica()
    });
    let leads: Timestamp = lease(&kubectl, "acquireTime").parse().expect("a time");
    let took = leads.duration_since(killed);
    eprintln!("another one leads after {:.1} s", took.as_secs_f64());
    assert!(took < TAKEOVER, "{took:?}");

    let run = other.until_run("it is over", "t-heir-1", |run| !run["ended"].is_null());
    assert_eq!(run["state"], "done", "{run}");
    let events = events(&other, "t-heir-1");
    let tries = changed(&events);
    assert_eq!(tries.len(), 2, "two tries: {tries:?}");
    assert!(!tries[0].is_empty() && !tries[1].is_empty(), "{tries:?}");
    let twice: Vec<_> = tries[0].intersection(&tries[1]).collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
    let shown = kubectl.run(&["-n", "bramble", "get", "clusters"]);
    assert!(shown.contains("Ready"), "{shown}");

    // The one that was killed comes back, knows all of it, and does not lead.
    first.start();
    let cluster = first.api("GET", "/clusters/t-heir", None);
    assert_eq!(cluster["phase"], "Ready");
    first.api(
        "POST",
        "/clusters/t-heir/runs",
        Some(&json!({ "verb": "down", "confirm": "t-heir" })),
    );
    let gone = first.until_run("it is down", "t-heir-2", |run| !run["ended"].is_null());
    assert_eq!(gone["state"], "done", "{gone}");
    assert_eq!(lease(&kubectl, "holderIdentity"), other.replica());
    assert!(other.labs().is_empty(), "{:?}", other.labs());
}
