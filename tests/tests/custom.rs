//! Runs that are cut off at the worst places, and a pod network of the operator's own.

use bramble_tests::kubectl::Kubectl;
use bramble_tests::listing::{LEFT, VOLATILE, assert_all_same};
use bramble_tests::{Listing, Running, Site, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const SPEC: &str = "podNetwork: { plugin: custom, dir: cni }
addons: [demo]
";

/// A bridge with addresses of the machine's range.
const CONF: &str = r#"{
  "cniVersion": "0.4.0",
  "name": "own",
  "plugins": [{
    "type": "bridge", "bridge": "own0", "isGateway": true,
    "ipam": { "type": "host-local", "ranges": [[{ "subnet": "@POD_RANGE@" }]], "routes": [{ "dst": "0.0.0.0/0" }] }
  }]
}
"#;

const PLUGIN: &str = "#!/bin/sh\necho own plug-in\n";
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn cut_off_runs_are_finished_or_taken_back() {
    let mut site = Site::new("t-custom", 12, &["one", "two"]);
    site.write(SPEC);
    site.write_beside("cni/conf/10-own.conflist", CONF);
    site.write_beside("cni/bin/own", PLUGIN);
    site.lab_up();
    let before = Listing::all(&site, Listing::full);

    cut(&site, "up", "KILL", "a copy is half done", |e| {
        e["event"] == "upload" && e["bytes"].as_u64() < e["total"].as_u64()
    });
    cut(&site, "up", "KILL", "packages are installed", |e| {
        is(e, "two", "runtime", "started") && resource(e).starts_with("packages:")
    });
    cut(
        &site,
        "up",
        "KILL",
        "the control plane is being made",
        |e| is(e, "one", "control-plane/init", "started") && resource(e) == "action:kubeadm-init",
    );
    // The machine itself is cut off, too: kubeadm can't finish on its own.
    site.lab().kill("one").expect("the power is cut");
    site.lab()
        .start("one", LIMIT, |_| {})
        .expect("the machine starts");
    cut(&site, "up", "KILL", "a worker is joining", |e| {
        is(e, "two", "worker/join", "started") && resource(e) == "action:kubeadm-join"
    });

    cut(
        &site,
        "down",
        "KILL",
        "the control plane is being taken away",
        |e| is(e, "one", "control-plane/init", "started"),
    );
    site.bramble(&["down", "--yes"]).expect(0);
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);

    let stopped = cut(&site, "up", "INT", "the control plane is being made", |e| {
        is(e, "one", "control-plane/init", "started") && resource(e) == "action:kubeadm-init"
    });
    let stopped = stopped.expect(130);
    stopped.says("stopping after the running steps");
    stopped.says("\"stopped\":true");
    no_token_is_said(&stopped.said());
    assert_eq!(
        site.on("one", "test -e /etc/kubernetes/admin.conf && echo made"),
        "made",
        "the running step was finished"
    );
    site.up();
    site.nothing_to_do();
    the_own_network_works(&site);
    a_changed_file_is_deployed_alone(&site);
    let bare = a_new_machine_touches_no_other_worker(&mut site);
    let before = before
        .into_iter()
        .chain([("three".to_owned(), bare)])
        .collect();

    site.bramble(&["down", "--yes"]).expect(0);
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);
}

/// Runs a command until an event fits, then sends it a signal.
#[track_caller]
fn cut(
    site: &Site,
    command: &str,
    signal: &str,
    what: &str,
    fits: impl Fn(&Value) -> bool,
) -> bramble_tests::Done {
    eprintln!("{command} until {what}, then {signal}");
    let mut args = vec![command, "--output", "json"];
    if command == "down" {
        args.push("--yes");
    }
    let mut running: Running = site.start(&args);
    running.event(what, fits);
    running.signal(signal);
    running.finish()
}

/// Join tokens (`abcdef.0123456789abcdef`) are secrets, and kubeadm likes to print them.
#[track_caller]
fn no_token_is_said(text: &str) {
    let mut words =
        text.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '.');
    let found = words.find(|w| {
        w.split_once('.')
            .is_some_and(|(id, secret)| id.len() == 6 && secret.len() == 16)
    });
    assert_eq!(found, None, "a join token was printed");
}

fn is(event: &Value, machine: &str, step: &str, what: &str) -> bool {
    event["machine"] == machine && event["step"] == step && event["event"] == what
}

fn resource(event: &Value) -> &str {
    event["resource"].as_str().unwrap_or_default()
}

fn the_own_network_works(site: &Site) {
    let kubectl = Kubectl::new(site);
    until("every node is ready", LIMIT, || kubectl.ready().len() == 2);
    let pods = kubectl.demo();
    let places: BTreeSet<&str> = pods.iter().map(|p| p.node.as_str()).collect();
    assert_eq!(places.len(), 2, "{pods:?}");
    for pod in &pods {
        let range = if pod.node == "one" {
            "10.244.11."
        } else {
            "10.244.12."
        };
        assert!(pod.address.starts_with(range), "{pod:?}");
        assert_eq!(site.on(&pod.node, "/opt/cni/bin/own"), "own plug-in");
        let page = bramble_tests::wait::answer("the pod", LIMIT, || {
            let done = site.try_on(&pod.node, &format!("ping -c 1 -W 2 {}", pod.address));
            if done.code == Some(0) {
                Ok(done.stdout)
            } else {
                Err(done.said())
            }
        });
        assert!(page.contains("1 received"), "{page}");
    }
}

fn a_changed_file_is_deployed_alone(site: &Site) {
    site.write_beside(
        "cni/conf/10-own.conflist",
        &CONF.replace("\"own\"", "\"mine\""),
    );
    let id = "pod-network/custom file:/etc/cni/net.d/10-own.conflist";
    assert_eq!(site.changes(), [format!("one {id}"), format!("two {id}")]);
    site.up();
    for machine in site.machines() {
        assert!(
            site.on(&machine, "cat /etc/cni/net.d/10-own.conflist")
                .contains("\"mine\"")
        );
    }
    std::fs::remove_file(site.folder().join("cni/bin/own")).expect("a file");
    let id = "retire file:/opt/cni/bin/own";
    assert_eq!(site.changes(), [format!("one {id}"), format!("two {id}")]);
    site.up();
    assert_eq!(
        site.on("two", "ls /opt/cni/bin/own 2>/dev/null || echo gone"),
        "gone"
    );
    site.nothing_to_do();
}

/// A third machine joins; gives its listing of before.
fn a_new_machine_touches_no_other_worker(site: &mut Site) -> Listing {
    site.add("three");
    site.write(SPEC);
    site.lab_up();
    let bare = Listing::full(site, "three");
    let before = Listing::times(site, "two");
    let changes = site.changes();
    let others: Vec<&String> = changes
        .iter()
        .filter(|c| !c.starts_with("three "))
        .collect();
    assert_eq!(
        others,
        [
            "one base/hosts block:/etc/hosts#hosts",
            "- nodes node:three",
            "- addon/demo apps/v1/Deployment:default/demo"
        ]
    );
    site.up();
    before.assert_same(&Listing::times(site, "two"), VOLATILE);
    site.nothing_to_do();
    let kubectl = Kubectl::new(site);
    assert_eq!(kubectl.ready(), ["one", "three", "two"]);
    assert_eq!(kubectl.demo().len(), 3);
    bare
}
