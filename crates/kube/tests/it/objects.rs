//! Objects: plan, apply, nothing to do, drift, removal.

use crate::fixture::{LONG, apply, cluster, config_map, object, plan, step, waits};
use bramble_kube::{Error, Progress};
use bramble_machine::Verb;
use serde_json::json;
use std::time::{Duration, Instant};

const INVENTORY: &str = "/api/v1/namespaces/kube-system/configmaps/bramble-inventory";

#[tokio::test]
async fn what_is_applied_stays_untouched_until_it_drifts() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let deployment = |replicas: u32| {
        object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "drift" },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": "web" } },
                "template": {
                    "metadata": { "labels": { "app": "web" } },
                    "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
                },
            },
        }))
    };
    let service = object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "drift" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "name": "a", "port": 53, "protocol": "TCP" }, { "name": "b", "port": 53, "protocol": "UDP" }] },
    }));
    let namespace =
        object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "drift"}}));
    let secret = |value: &str| {
        object(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key", "namespace": "drift" },
            "stringData": { "password": value },
        }))
    };
    let wanted = step(
        "addon/drift",
        vec![
            namespace.clone(),
            deployment(1),
            service.clone(),
            secret("hunter2"),
        ],
    );
    let planned = plan(&api, &wanted).await;
    assert_eq!(planned.len(), 4, "{planned:?}");
    assert!(planned.iter().all(|p| p.verb == Verb::Create));
    assert!(!format!("{planned:?}").contains("hunter2"));
    assert!(planned[1].diff.as_ref().unwrap().contains("+  replicas: 1"));
    // A plan makes nothing.
    assert!(raw.get("/api/v1/namespaces/drift").await.is_none());
    assert_eq!(apply(&api, &wanted).await, [true; 4]);

    let paths = [
        "/api/v1/namespaces/drift",
        "/api/v1/namespaces/drift/services/web",
        "/api/v1/namespaces/drift/secrets/key",
    ];
    let web = "/apis/apps/v1/namespaces/drift/deployments/web";
    // Its controller writes its status for a moment.
    let settled = raw
        .until(web, |o| {
            o["status"]["observedGeneration"] == 1 && o["status"]["conditions"].is_array()
        })
        .await;
    assert!(plan(&api, &wanted).await.is_empty());
    let mut before = Vec::new();
    for path in paths {
        before.push(raw.version(path).await);
    }
    assert_eq!(apply(&api, &wanted).await, [false; 4]);
    for (path, before) in paths.into_iter().zip(before) {
        assert_eq!(raw.version(path).await, before, "{path}");
    }
    // Other tests write to the inventory too, but not all the time.
    let begin = Instant::now();
    loop {
        let before = raw.version(INVENTORY).await;
        apply(&api, &wanted).await;
        if raw.version(INVENTORY).await == before {
            break;
        }
        assert!(begin.elapsed() < LONG, "the inventory is written each time");
    }
    let now = raw.get(web).await.unwrap();
    assert_eq!(
        now["metadata"]["generation"],
        settled["metadata"]["generation"]
    );

    // Somebody scales it and changes the secret by hand.
    raw.merge(web, json!({"spec": {"replicas": 5}})).await;
    raw.merge(paths[2], json!({"stringData": {"password": "other"}}))
        .await;
    let planned = plan(&api, &wanted).await;
    assert_eq!(planned.len(), 2, "{planned:?}");
    assert_eq!(planned[0].verb, Verb::Update);
    assert_eq!(planned[0].summary, "spec.replicas 5 → 1");
    assert!(planned[0].diff.as_ref().unwrap().contains("-  replicas: 5"));
    let shown = format!("{:?}", planned[1]);
    assert!(shown.contains("*** (new)"), "{shown}");
    for value in ["hunter2", "other", "b3RoZXI", "aHVudGVyMg"] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert_eq!(apply(&api, &wanted).await, [false, true, false, true]);
    assert_eq!(raw.get(web).await.unwrap()["spec"]["replicas"], 1);
    assert!(plan(&api, &wanted).await.is_empty());

    // A field that is no longer named goes.
    let mut less = deployment(1);
    if let bramble_machine::api::ApiResource::Object { manifest, .. } = &mut less {
        manifest["spec"]["minReadySeconds"] = 7.into();
    }
    let more = step(
        "addon/drift",
        vec![namespace.clone(), less, service.clone(), secret("hunter2")],
    );
    assert_eq!(apply(&api, &more).await, [false, true, false, false]);
    assert_eq!(raw.get(web).await.unwrap()["spec"]["minReadySeconds"], 7);
    assert_eq!(apply(&api, &wanted).await, [false, true, false, false]);
    assert!(raw.get(web).await.unwrap()["spec"]["minReadySeconds"].is_null());
    api.remove_step("addon/drift", LONG, |_| {}).await.unwrap();
    assert!(raw.get("/api/v1/namespaces/drift").await.is_none());
}

#[tokio::test]
async fn what_a_step_no_longer_wants_is_removed_but_nothing_else() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    raw.namespace("prune").await;
    let path = |name: &str| format!("/api/v1/namespaces/prune/configmaps/{name}");
    // One was there before Bramble came.
    raw.post(
        "/api/v1/namespaces/prune/configmaps",
        json!({"metadata": {"name": "old"}, "data": {"k": "theirs"}}),
    )
    .await;
    let map = |name: &str| config_map("prune", name, json!({"k": "ours"}));
    let all = step("addon/prune", vec![map("a"), map("b"), map("old")]);
    assert_eq!(apply(&api, &all).await, [true, true, true]);
    assert!(
        api.steps()
            .await
            .unwrap()
            .contains(&"addon/prune".to_owned())
    );

    let less = step("addon/prune", vec![map("a")]);
    let planned = plan(&api, &less).await;
    assert_eq!(planned.len(), 1, "{planned:?}");
    assert_eq!(planned[0].id, "v1/ConfigMap:prune/b");
    assert_eq!(planned[0].verb, Verb::Remove);
    apply(&api, &less).await;
    assert!(
        raw.get(&path("b")).await.is_some(),
        "apply takes nothing away"
    );
    let removed = api
        .prune("addon/prune", &less.resources, LONG, |_| {})
        .await
        .unwrap();
    assert_eq!(removed, ["v1/ConfigMap:prune/b"]);
    assert!(raw.get(&path("b")).await.is_none());
    assert!(plan(&api, &less).await.is_empty());

    // Moving to another step is no change.
    let from = step("addon/prune", vec![]);
    let to = step("addon/prune2", vec![map("a")]);
    let planned = api.plan(&[from.clone(), to.clone()]).await.unwrap();
    assert!(planned.iter().all(Vec::is_empty), "{planned:?}");
    let version = raw.version(&path("a")).await;
    apply(&api, &from).await;
    apply(&api, &to).await;
    let removed = api.prune("addon/prune", &[], LONG, |_| {}).await.unwrap();
    assert!(removed.is_empty(), "{removed:?}");
    assert_eq!(raw.version(&path("a")).await, version);

    let removed = api.remove_step("addon/prune2", LONG, |_| {}).await.unwrap();
    assert_eq!(removed, ["v1/ConfigMap:prune/a"]);
    assert!(raw.get(&path("old")).await.is_some());
    let steps = api.steps().await.unwrap();
    assert!(
        !steps.iter().any(|s| s.starts_with("addon/prune")),
        "{steps:?}"
    );
}

#[tokio::test]
async fn a_kind_can_come_with_the_same_step() {
    let Some((_, api, _)) = cluster().await else {
        return;
    };
    let definition = object(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.test.bramble.dev", "creationTimestamp": null },
        "spec": {
            "group": "test.bramble.dev", "scope": "Namespaced",
            "names": { "kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList" },
            "versions": [{ "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": { "type": "object", "properties": { "a": { "type": "string" } } } } } } }],
        },
        "status": { "acceptedNames": { "kind": "", "plural": "" }, "conditions": [], "storedVersions": [] },
    }));
    // No namespace named: the default one.
    let thing = object(json!({
        "apiVersion": "test.bramble.dev/v1", "kind": "Thing", "metadata": { "name": "one" }, "spec": { "a": "b" },
    }));
    let wanted = step("addon/kind", vec![definition, thing.clone()]);
    let planned = plan(&api, &wanted).await;
    assert_eq!(planned.len(), 2);
    assert!(planned[1].summary.contains("kind"), "{planned:?}");
    assert_eq!(apply(&api, &wanted).await, [true, true]);
    assert!(plan(&api, &wanted).await.is_empty());
    let removed = api.remove_step("addon/kind", LONG, |_| {}).await.unwrap();
    assert_eq!(removed.len(), 2, "{removed:?}");

    let alone = step("addon/kind", vec![thing]);
    let mut said: Vec<Progress> = Vec::new();
    let short = Duration::from_millis(700);
    let error = api
        .apply(&alone, short, |p| said.push(p))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::UnknownKind { .. }), "{error:?}");
    assert!(error.to_string().contains("Thing"), "{error}");
    assert!(error.hint().is_some());
    assert!(waits(&said).iter().any(|w| w.contains("kind")), "{said:?}");
    api.remove_step("addon/kind", LONG, |_| {}).await.unwrap();
}

#[tokio::test]
async fn mistakes_in_manifests_are_found_by_the_plan() {
    let Some((_, api, _)) = cluster().await else {
        return;
    };
    let unknown = object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "wrong", "namespace": "default" },
        "spec": { "ports": [{ "port": 80 }], "fromTheFuture": true },
    }));
    let error = api.plan(&[step("s", vec![unknown])]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Manifest { id, .. } if id == "v1/Service:default/wrong"),
        "{error:?}"
    );
    assert!(error.to_string().contains("fromTheFuture"), "{error}");

    let invalid = object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "wrong", "namespace": "default" },
        "spec": { "ports": [{ "port": 99999 }] },
    }));
    let error = api.plan(&[step("s", vec![invalid])]).await.unwrap_err();
    assert!(error.to_string().contains("65535"), "{error}");

    let nameless = object(json!({"apiVersion": "v1", "kind": "Service"}));
    let error = api.plan(&[step("s", vec![nameless])]).await.unwrap_err();
    assert!(error.to_string().contains("metadata/name"), "{error}");
}
