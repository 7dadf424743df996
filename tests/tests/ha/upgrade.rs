//! Raised to another release. Debian's source has one, v1.20.2: the bundle of v1.20.3 is built from it too, and
//! only its programs call themselves so. kubeadm, the kubelets and the API see two releases.

use super::client::Client;
use super::{PLANES, RECOVERY, spec, spec_with, whole};
use bramble_tests::kubectl::Kubectl;
use bramble_tests::{Site, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const BUDGET: &str = "\
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: { name: demo, namespace: default }
spec: { minAvailable: MIN, selector: { matchLabels: { app.kubernetes.io/name: demo } } }
";

fn budget(site: &Site, kubectl: &Kubectl, least: &str) {
    let file = site.write_beside("budget.yaml", &BUDGET.replace("MIN", least));
    kubectl.run(&["apply", "-f", &file.display().to_string()]);
}

/// A budget that forbids every eviction: what is to be drained stays as it was, and nobody comes after it.
pub fn a_budget_stops_it(site: &Site, kubectl: &Kubectl) {
    budget(site, kubectl, "100%");
    site.write(&spec_with(site, "v1.20.3", "40s"));
    let done = site.bramble(&["up"]).expect(1);
    done.says("default/demo-").says("budget demo");
    let nodes = kubectl.items(&["nodes"]);
    for node in &nodes {
        assert_eq!(
            node["spec"]["unschedulable"],
            Value::Null,
            "{}",
            node["metadata"]["name"]
        );
    }
    let old = nodes
        .iter()
        .filter(|n| n["status"]["nodeInfo"]["kubeletVersion"] == "v1.20.2");
    assert!(old.count() >= 2, "no worker was touched");
}

/// The rest of the way with a client that asks all the time and a controller that is killed after each
/// event: no request is lost, no node is drained twice once it is done, and never more are away than allowed.
pub fn no_request_is_lost_and_no_controller_needed(site: &Site, kubectl: &Kubectl) {
    budget(site, kubectl, "2");
    site.write(&spec(site, "v1.20.3"));
    let urls = site
        .machines()
        .iter()
        .map(|m| format!("http://{}:30080/", site.address(m)))
        .collect();
    let client = Client::new(urls, Duration::from_secs(5));
    let mut drained: Vec<String> = Vec::new();
    let mut served: Vec<String> = Vec::new();
    let mut killed = 0;
    // A controller that is always killed at the same place would never get further.
    let mut at: BTreeSet<String> = BTreeSet::new();
    loop {
        let mut running = site.start(&["up", "--output", "json"]);
        let event = running.event("of the upgrade, or the end", |e| {
            e["event"] == "end"
                || (e["event"] == "finished" && counts(e) && !at.contains(&place(e)))
        });
        at.insert(place(&event));
        if event["event"] == "end" {
            running.finish().expect(0);
            break;
        }
        let step = event["step"].as_str().unwrap_or_default();
        if let Some(node) = step.strip_prefix("drain/") {
            assert!(
                !served.iter().any(|s| s == node),
                "{node} was done and is drained again"
            );
            drained.push(node.to_owned());
        }
        served.extend(step.strip_prefix("serve/").map(str::to_owned));
        running.signal("KILL");
        running.finish();
        killed += 1;
        assert!(killed < 60, "it comes to an end");
        let away = away(kubectl);
        assert!(away.len() <= 1, "more are away than allowed: {away:?}");
    }
    eprintln!("the controller was killed {killed} times, last drains: {drained:?}");
    assert!(killed >= 8, "each event was one to be killed at");
    let asked = client.asked();
    drop(client);
    let lost: Vec<_> = asked.iter().filter_map(|a| a.failed.as_ref()).collect();
    assert!(
        lost.is_empty(),
        "{} of {} requests failed: {lost:?}",
        lost.len(),
        asked.len()
    );
    assert!(asked.len() > 200, "{} requests", asked.len());
    for node in kubectl.items(&["nodes"]) {
        let name = bramble_tests::kubectl::name(&node);
        let reports = &node["status"]["nodeInfo"]["kubeletVersion"];
        assert_eq!(reports, "v1.20.3", "{name}");
    }
    for plane in PLANES {
        let image = site.on(
            plane,
            "grep image: /etc/kubernetes/manifests/kube-apiserver.yaml",
        );
        assert!(image.contains("v1.20.3"), "{plane}: {image}");
        let snapshots = site.on(plane, "ls /var/lib/bramble-etcd");
        assert!(snapshots.contains("before-v1.20.3"), "{plane}: {snapshots}");
    }
    until("no node is cordoned", RECOVERY, || away(kubectl).is_empty());
    whole(site, kubectl);
    // There is no way back.
    site.write(&spec(site, "v1.20.2"));
    let done = site.bramble(&["plan"]).expect(1);
    done.says("it runs v1.20.3, the file says v1.20.2");
    site.write(&spec(site, "v1.20.3"));
    kubectl.run(&["delete", "poddisruptionbudget", "demo"]);
}

/// Where an event is.
fn place(event: &Value) -> String {
    format!("{} {}", event["machine"], event["step"])
}

/// Whether an event is one of the upgrade's.
fn counts(event: &Value) -> bool {
    let step = event["step"].as_str().unwrap_or_default();
    let parts = [
        "drain/",
        "serve/",
        "control-plane/upgrade",
        "control-plane/init",
        "worker/join",
    ];
    parts.iter().any(|part| step.starts_with(part))
}

/// Workers that take no pods.
fn away(kubectl: &Kubectl) -> Vec<String> {
    let nodes = kubectl.items(&["nodes"]);
    let cordoned = nodes.iter().filter(|n| n["spec"]["unschedulable"] == true);
    cordoned.map(bramble_tests::kubectl::name).collect()
}
