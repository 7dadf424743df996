//! A run with nothing to do does nothing.

use super::RECOVERY;
use bramble_tests::kubectl::{Kubectl, name};
use bramble_tests::listing::{VOLATILE, assert_all_same};
use bramble_tests::{Listing, Site, until};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is in the cluster's API and isn't a part of its own heartbeat.
const KINDS: &str = "deployments,daemonsets,services,configmaps,secrets,serviceaccounts,pods,replicasets,clusterroles,clusterrolebindings,roles,rolebindings";

pub fn a_second_run_touches_nothing(site: &Site, kubectl: &Kubectl) {
    site.nothing_to_do();
    let objects = versions(kubectl);
    let before = Listing::all(site, Listing::times);
    let done = site.up();
    assert_eq!(done.stdout.trim(), "nothing to do");
    assert_all_same(&before, &Listing::all(site, Listing::times), VOLATILE);
    assert_eq!(objects, versions(kubectl));
    cost_is_one_connection_and_one_program(site);
}

/// Every program that comes by SSH writes down its connection first.
const COUNT: &str = "set -e
echo 'echo \"$SSH_CONNECTION\" >> /run/programs; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"' > /run/count
echo 'ForceCommand /bin/sh /run/count' > /etc/ssh/sshd_config.d/00-count.conf
systemctl reload ssh
";

pub fn cost_is_one_connection_and_one_program(site: &Site) {
    let machines = site.machines();
    for machine in &machines {
        site.script(machine, COUNT);
    }
    for machine in &machines {
        // sshd doesn't listen for a moment while it takes its new configuration.
        let clear = || site.try_on(machine, ": > /run/programs").code == Some(0);
        until("sshd is back", RECOVERY, clear);
    }
    site.nothing_to_do();
    for machine in &machines {
        let text = site.on(machine, "cat /run/programs");
        let mut programs: Vec<&str> = text.lines().collect();
        // The last is the question itself. The control plane is asked for the admin's kubeconfig, too.
        programs.pop();
        let expected = if machine == "one" { 2 } else { 1 };
        assert_eq!(programs.len(), expected, "{machine}: {programs:?}");
        programs.dedup();
        assert_eq!(programs.len(), 1, "{machine}: one connection");
        site.on(
            machine,
            "rm /etc/ssh/sshd_config.d/00-count.conf; systemctl reload ssh",
        );
        let clear = || site.try_on(machine, "rm -f /run/programs /run/count").code == Some(0);
        until("sshd is back", RECOVERY, clear);
    }
}

/// The version of every object; of nodes, which report all the time, what was said about them.
fn versions(kubectl: &Kubectl) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    for object in kubectl.items(&[KINDS, "-A"]) {
        let meta = &object["metadata"];
        let id = format!("{} {} {}", object["kind"], meta["namespace"], name(&object));
        out.insert(id, meta["resourceVersion"].clone());
    }
    for node in kubectl.items(&["nodes"]) {
        let meta = &node["metadata"];
        let value = serde_json::json!([node["spec"], meta["labels"], meta["annotations"]]);
        out.insert(format!("node {}", name(&node)), value);
    }
    assert!(out.len() > 50, "a cluster has many objects: {}", out.len());
    out
}
