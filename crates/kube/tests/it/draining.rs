//! Draining, with and without a budget in the way.

use crate::fixture::{LONG, cluster, waits};
use bramble_kube::{DrainOptions, Error, Progress};
use serde_json::json;
use std::time::Duration;

fn options(limit: Duration, force: bool) -> DrainOptions {
    DrainOptions {
        limit,
        // No kubelet would confirm that they ended.
        grace: Some(Duration::ZERO),
        force,
    }
}

#[tokio::test]
async fn a_budget_holds_a_drain_up_until_it_allows_it() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let node = raw.node("drained", json!(null)).await;
    raw.namespace("drain").await;
    let pods = "/api/v1/namespaces/drain/pods";
    raw.post(
        "/apis/apps/v1/namespaces/drain/replicasets",
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"}, "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "x"}]}}}}),
    )
    .await;
    let list = raw
        .until(pods, |l| {
            l["items"].as_array().is_some_and(|i| i.len() == 1)
        })
        .await;
    let name = list["items"][0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let pod = format!("{pods}/{name}");
    raw.post(
        &format!("{pod}/binding"),
        json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "drained"}}),
    )
    .await;
    raw.merge(
        &format!("{pod}/status"),
        json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}),
    )
    .await;
    let budget = "/apis/policy/v1beta1/namespaces/drain/poddisruptionbudgets";
    raw.post(
        budget,
        json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
    )
    .await;
    raw.until(&format!("{budget}/web"), |o| {
        o["status"]["currentHealthy"] == 1
    })
    .await;

    let mut said: Vec<Progress> = Vec::new();
    let error = api
        .drain("drained", &options(Duration::from_secs(2), false), |p| {
            said.push(p)
        })
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Undrained { .. }), "{error:?}");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("kubernetes.upgrade.drainTimeout"), "{hint}");
    assert!(
        error.to_string().contains(&format!("drain/{name}")),
        "{error}"
    );
    assert!(
        error.to_string().contains("disruption budget web"),
        "{error}"
    );
    assert!(!waits(&said).is_empty());
    assert!(raw.get(&pod).await.is_some());
    assert_eq!(raw.get(&node).await.unwrap()["spec"]["unschedulable"], true);

    raw.delete(&format!("{budget}/web")).await;
    let gone = api
        .drain("drained", &options(LONG, false), |_| {})
        .await
        .unwrap();
    assert_eq!(gone, [format!("drain/{name}")]);
    assert!(raw.get(&pod).await.is_none());
    raw.delete("/api/v1/namespaces/drain").await;
    raw.delete(&node).await;
}

#[tokio::test]
async fn pods_that_would_be_lost_are_named_first() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let node = raw.node("lonely", json!(null)).await;
    let pod = |name: &str, annotations: serde_json::Value| {
        json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"nodeName": "lonely",
            "containers": [{"name": "app", "image": "x"}]}})
    };
    let pods = "/api/v1/namespaces/default/pods";
    raw.post(pods, pod("single", json!({}))).await;
    let error = api
        .drain("lonely", &options(LONG, false), |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Unmanaged { pods, .. } if pods == &["default/single"]),
        "{error:?}"
    );
    assert!(raw.get(&format!("{pods}/single")).await.is_some());
    let gone = api
        .drain("lonely", &options(LONG, true), |_| {})
        .await
        .unwrap();
    assert_eq!(gone, ["default/single"]);
    raw.delete(&node).await;

    let error = api
        .drain("nobody", &options(LONG, true), |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoNode(_)), "{error:?}");
}
