//! Nodes: labels, annotations, taints, pod range, waiting.

use crate::fixture::{LONG, apply, cluster, plan, step, waits};
use bramble_kube::{Error, MANAGED, Progress};
use bramble_machine::Verb;
use bramble_machine::api::{ApiResource, NodeTaint};
use serde_json::json;
use std::time::Duration;

fn node(name: &str, labels: &[(&str, &str)]) -> ApiResource {
    let pairs = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    ApiResource::Node {
        name: name.into(),
        labels: pairs(labels),
        annotations: pairs(&[]),
        taints: None,
        pod_cidr: None,
    }
}

#[tokio::test]
async fn labels_come_drift_and_go_without_touching_others() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let path = raw.node("labels", json!(null)).await;
    let mut resource = node("labels", &[("rack", "7"), ("stranger", "ours")]);
    if let ApiResource::Node { annotations, .. } = &mut resource {
        annotations.insert("note".into(), "hello".into());
    }
    let wanted = step("nodes", vec![resource]);
    let planned = plan(&api, &wanted).await;
    assert_eq!(planned.len(), 1);
    assert_eq!(planned[0].verb, Verb::Update);
    assert_eq!(
        planned[0].summary,
        "label rack=7, label stranger=ours, annotation note=hello"
    );
    assert!(
        planned[0]
            .diff
            .as_ref()
            .unwrap()
            .contains("-label stranger=yes")
    );
    assert_eq!(apply(&api, &wanted).await, [true]);
    assert!(plan(&api, &wanted).await.is_empty());
    let version = raw.version(&path).await;
    assert_eq!(apply(&api, &wanted).await, [false]);
    assert_eq!(raw.version(&path).await, version);

    // Somebody changes ours and adds theirs.
    raw.merge(
        &path,
        json!({"metadata": {"labels": {"rack": "8", "theirs": "x"}}}),
    )
    .await;
    let planned = plan(&api, &wanted).await;
    assert_eq!(planned[0].summary, "label rack=7");
    assert_eq!(apply(&api, &wanted).await, [true]);

    // No longer named: back to what was there, theirs untouched.
    let less = step("nodes", vec![node("labels", &[("rack", "7")])]);
    assert_eq!(apply(&api, &less).await, [true]);
    let now = raw.get(&path).await.unwrap();
    assert_eq!(
        now["metadata"]["labels"],
        json!({"rack": "7", "stranger": "yes", "theirs": "x"})
    );
    assert!(now["metadata"]["annotations"].get("note").is_none());

    // The step goes: so does all it set, and its record.
    let none = step("nodes", vec![]);
    assert_eq!(plan(&api, &none).await[0].summary, "label rack removed");
    let removed = api.remove_step("nodes", LONG, |_| {}).await.unwrap();
    assert_eq!(removed, ["node:labels"]);
    let now = raw.get(&path).await.unwrap();
    assert_eq!(
        now["metadata"]["labels"],
        json!({"stranger": "yes", "theirs": "x"})
    );
    assert!(now["metadata"]["annotations"].get(MANAGED).is_none());
    raw.delete(&path).await;
}

#[tokio::test]
async fn taints_and_pod_range() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let spec = json!({"taints": [
        {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"},
        {"key": "disk", "value": "bad", "effect": "NoExecute"},
    ]});
    let path = raw.node("taints", spec).await;
    let resource = |taints: Option<Vec<NodeTaint>>, cidr: &str| ApiResource::Node {
        name: "taints".into(),
        labels: [].into(),
        annotations: [].into(),
        taints,
        pod_cidr: Some(cidr.into()),
    };
    let taint = NodeTaint {
        key: "gpu".into(),
        value: "yes".into(),
        effect: "NoSchedule".into(),
    };
    let keys = |node: &serde_json::Value| -> Vec<String> {
        node["spec"]["taints"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|t| t["key"].as_str().unwrap().to_owned())
            // The server adds this one to every new node.
            .filter(|k| k != "node.kubernetes.io/not-ready")
            .collect()
    };
    let wanted = step("taints", vec![resource(Some(vec![taint]), "10.244.9.0/24")]);
    assert_eq!(apply(&api, &wanted).await, [true]);
    let now = raw.get(&path).await.unwrap();
    assert_eq!(keys(&now), ["disk", "gpu"]);
    assert_eq!(now["spec"]["podCIDR"], "10.244.9.0/24");
    assert_eq!(now["spec"]["podCIDRs"], json!(["10.244.9.0/24"]));
    assert!(plan(&api, &wanted).await.is_empty());
    let version = raw.version(&path).await;
    assert_eq!(apply(&api, &wanted).await, [false]);
    assert_eq!(raw.version(&path).await, version);

    // `None` leaves them, an empty list takes ours away.
    let leave = step("taints", vec![resource(None, "10.244.9.0/24")]);
    assert!(plan(&api, &leave).await.is_empty());
    let none = step("taints", vec![resource(Some(vec![]), "10.244.9.0/24")]);
    assert_eq!(
        plan(&api, &none).await[0].summary,
        "taint gpu:NoSchedule removed"
    );
    assert_eq!(apply(&api, &none).await, [true]);
    assert_eq!(keys(&raw.get(&path).await.unwrap()), ["disk"]);

    let other = step("taints", vec![resource(None, "10.244.10.0/24")]);
    for error in [
        api.plan(std::slice::from_ref(&other)).await.unwrap_err(),
        api.apply(&other, LONG, |_| {}).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::PodCidr { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("10.244.9.0/24"));
    }
    raw.delete(&path).await;
}

#[tokio::test]
async fn applying_waits_for_the_node_and_says_what_it_says() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let wanted = step("late", vec![node("late", &[("a", "b")])]);
    let planned = plan(&api, &wanted).await;
    assert_eq!(planned[0].verb, Verb::Create);
    assert_eq!(planned[0].summary, "waits for the node to join");

    let short = Duration::from_millis(700);
    let error = api.apply(&wanted, short, |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Expired { .. }));
    assert!(error.to_string().contains("node late to join"), "{error}");

    let path = raw.node("late", json!(null)).await;
    raw.ready("late", "False").await;
    let mut said: Vec<Progress> = Vec::new();
    let error = api
        .apply(&wanted, short, |p| said.push(p))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ready is False"), "{error}");
    assert!(said.contains(&Progress::Changed {
        id: "node:late".into()
    }));
    assert!(waits(&said)[0].contains("ready is False"), "{said:?}");

    let later = raw.clone();
    let become_ready = async {
        later.ready("late", "True").await;
    };
    let (done, ()) = tokio::join!(api.apply(&wanted, LONG, |_| {}), become_ready);
    assert!(!done.unwrap()[0].changed);
    api.node_ready("late", Duration::ZERO, |_| {})
        .await
        .unwrap();
    let name = "late".into();
    let gone = step("nodes/leave", vec![ApiResource::NoNode { name }]);
    let planned = api.plan(std::slice::from_ref(&gone)).await.unwrap();
    let what: Vec<(&str, Verb)> = planned[0].iter().map(|p| (p.id.as_str(), p.verb)).collect();
    assert_eq!(what, [("node:late", Verb::Remove)]);
    let pods = "/api/v1/namespaces/default/pods";
    let left = json!({"metadata": {"name": "left"}, "spec": {"nodeName": "late",
        "containers": [{"name": "app", "image": "x"}]}});
    raw.post(pods, left).await;
    assert!(api.apply(&gone, LONG, |_| {}).await.unwrap()[0].changed);
    assert!(
        raw.get(&format!("{pods}/left")).await.is_none(),
        "its pods go with it"
    );
    assert!(!api.apply(&gone, LONG, |_| {}).await.unwrap()[0].changed);
    let planned = api.plan(std::slice::from_ref(&gone)).await.unwrap();
    assert_eq!(planned[0].len(), 0);
    assert!(raw.get(&path).await.is_none());
}

#[tokio::test]
async fn writes_of_others_in_between_are_respected() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let path = raw.node("busy", json!(null)).await;
    let noise = async {
        for i in 0..40 {
            let labels = json!({ "metadata": { "labels": { "noise": i.to_string() } } });
            raw.merge(&path, labels).await;
        }
    };
    let wanted: Vec<_> = (0..10)
        .map(|i| step("busy", vec![node("busy", &[("count", &i.to_string())])]))
        .collect();
    let ours = async {
        for step in &wanted {
            apply(&api, step).await;
        }
    };
    tokio::join!(noise, ours);
    let labels = raw.get(&path).await.unwrap()["metadata"]["labels"].clone();
    assert_eq!(
        labels,
        json!({"count": "9", "noise": "39", "stranger": "yes"})
    );
    raw.delete(&path).await;
}
