//! A run with nothing to do does nothing.

use bramble_tests::kubectl::{Kubectl, name};
use bramble_tests::listing::{VOLATILE, assert_all_same};
use bramble_tests::{Listing, Site};
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
