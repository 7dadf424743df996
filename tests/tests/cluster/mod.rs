//! A cluster's life: up, again, drift, restart, down. One cluster for all of it, in phases, since
//! making it takes longer than everything else.

mod drift;
pub mod network;
pub mod quiet;
mod refused;

use bramble_tests::kubectl::Kubectl;
use bramble_tests::listing::{LEFT, assert_all_same};
use bramble_tests::wait::answer;
use bramble_tests::{Listing, Site, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The file's part below `spec`.
const SPEC: &str =
    "kubernetes: { version: v1.20.2, podRange: 10.244.0.0/16, scheduleOnControlPlane: false, kubelet: { imageGC: { high: 100 } } }
addons: [demo]
";

/// How long the cluster may take to be itself again after something was taken from it.
const RECOVERY: Duration = Duration::from_secs(180);

#[test]
fn a_cluster_comes_up_lives_and_leaves_no_trace() {
    let mut site = Site::new("t-cluster", 11, &["one", "two", "three"]);
    site.machine("two").more = "labels: { example.org/shelf: left }".into();
    site.write(SPEC);
    site.lab_up();
    let before = Listing::all(&site, Listing::full);

    site.up();
    let kubectl = Kubectl::new(&site);
    is_whole(&site, &kubectl);
    let complete = "bash -lic 'complete -p kubectl' 2>/dev/null";
    assert!(
        site.on("one", complete).contains("kubectl"),
        "kubectl completes its words"
    );
    quiet::a_second_run_touches_nothing(&site, &kubectl);
    network::pods_reach_each_other_and_the_outside(&site, &kubectl);
    refused::what_is_fixed_stays(&site);
    refused::a_machine_without_its_record_is_alone_with_it(&site);
    drift::is_found_and_mended(&site, &kubectl);
    a_worker_leaves_and_comes_back(&site, &kubectl);
    restart(&site, &kubectl);
    an_addon_goes(&site, &kubectl);

    site.bramble(&["down", "--yes"]).expect(0);
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);
    let again = site.bramble(&["down", "--yes"]).expect(0);
    assert_eq!(again.stdout.trim(), "nothing to do");
}

/// Every node is ready, and the page is served by three machines and answers at each of them.
fn is_whole(site: &Site, kubectl: &Kubectl) {
    assert_eq!(kubectl.ready(), ["one", "three", "two"]);
    // A pod that is on its way out may still be called running.
    until(
        "the demo's replicas are on three machines",
        RECOVERY,
        || {
            let places: BTreeSet<String> = kubectl.demo().into_iter().map(|p| p.node).collect();
            places.len() == 3
        },
    );
    site.demo_answers();
}

/// A machine that was taken down joins again at once as a new node, with all that the file says of it.
fn a_worker_leaves_and_comes_back(site: &Site, kubectl: &Kubectl) {
    site.bramble(&["down", "--step", "base", "--yes"])
        .expect(1)
        .says("it is a running node, which needs base/packages");
    site.bramble(&["down", "--machine", "two", "--yes"])
        .expect(0);
    let nodes = kubectl.items(&["nodes"]);
    let nodes: Vec<String> = nodes.iter().map(bramble_tests::kubectl::name).collect();
    assert_eq!(nodes, ["one", "three"], "the node left with its machine");
    // Somebody in between would show another CA: here the expected hash is made a wrong one.
    let openssl = "printf '#!/bin/sh\\n/usr/bin/openssl \"$@\"\\n[ $1 != pkey ] || echo more\\n' > /usr/local/bin/openssl; chmod 755 /usr/local/bin/openssl";
    site.on("one", openssl);
    let wrong = site.bramble(&["up"]).expect(1);
    wrong.says("worker/join on two").says("public keys");
    site.on("one", "rm /usr/local/bin/openssl");
    site.up();
    site.nothing_to_do();
    until("the demo runs", RECOVERY, || kubectl.demo().len() == 3);
    is_whole(site, kubectl);
}

/// Everything comes back by itself when the machines were restarted one after the other, and when
/// the power was cut.
fn restart(site: &Site, kubectl: &Kubectl) {
    let before = boots(site);
    site.bramble(&["fleet", "reboot", "--yes"]).expect(0);
    for (before, after) in before.iter().zip(boots(site)) {
        assert_ne!(*before, after, "the machine was restarted");
    }
    comes_back(site, kubectl);

    let lab = site.lab();
    for machine in site.machines() {
        lab.kill(&machine).expect("the power is cut");
    }
    for machine in site.machines() {
        lab.start(&machine, RECOVERY, |_| {})
            .expect("the machine starts");
    }
    comes_back(site, kubectl);
}

/// When each machine was started.
fn boots(site: &Site) -> Vec<String> {
    let boot = |m: &String| site.on(m, "stat -c %Z /proc/1");
    site.machines().iter().map(boot).collect()
}

fn comes_back(site: &Site, kubectl: &Kubectl) {
    let url = format!("https://{}:6443/readyz", site.address("one"));
    answer("the API server", RECOVERY, || site.page(&url));
    // What the API knows of nodes and pods is from before the restart until they report again.
    let heartbeats = || {
        let leases = kubectl.items(&["leases", "-n", "kube-node-lease"]);
        let renewed = |l: &Value| {
            l["spec"]["renewTime"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        leases.iter().map(renewed).collect::<Vec<_>>()
    };
    let before = heartbeats();
    until("every node reports", RECOVERY, || {
        let now = heartbeats();
        now.len() == 3 && now.iter().all(|time| !before.contains(time))
    });
    until("every node is ready", RECOVERY, || {
        kubectl.ready().len() == 3
    });
    until("the demo runs", RECOVERY, || kubectl.demo().len() == 3);
    site.demo_answers();
    site.nothing_to_do();
}

/// What is taken out of the file is taken out of the cluster, and nothing else.
fn an_addon_goes(site: &Site, kubectl: &Kubectl) {
    site.write(&SPEC.replace("[demo]", "[]"));
    let changes = site.changes();
    assert!(
        changes.len() == 2 && changes.iter().all(|c| c.starts_with("- addon/demo ")),
        "{changes:?}"
    );
    site.up();
    until("the demo is gone", RECOVERY, || kubectl.demo().is_empty());
    assert_eq!(
        kubectl.run(&["get", "service", "demo", "--ignore-not-found"]),
        ""
    );
    assert_eq!(kubectl.ready().len(), 3);
    site.nothing_to_do();
}
