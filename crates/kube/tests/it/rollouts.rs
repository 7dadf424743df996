//! Waiting for rollouts, and why they don't end.

use crate::fixture::{LONG, Raw, cluster, step, waits};
use bramble_kube::{Error, Progress};
use bramble_machine::api::ApiResource;
use serde_json::{Value, json};
use std::time::Duration;

fn deployment(namespace: &str) -> ApiResource {
    ApiResource::Object {
        wait: true,
        manifest: json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": namespace },
            "spec": {
                "selector": { "matchLabels": { "app": "web" } },
                "template": {
                    "metadata": { "labels": { "app": "web" } },
                    "spec": { "containers": [{ "name": "app", "image": "nowhere/web:1" }] },
                },
            },
        }),
    }
}

/// The only pod of a namespace, as soon as there is one.
async fn pod(raw: &Raw, namespace: &str) -> String {
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let list = raw
        .until(&pods, |l| {
            l["items"].as_array().is_some_and(|i| !i.is_empty())
        })
        .await;
    let name = list["items"][0]["metadata"]["name"].as_str().unwrap();
    format!("{pods}/{name}")
}

async fn report(raw: &Raw, pod: &str, status: Value) {
    raw.merge(&format!("{pod}/status"), json!({ "status": status }))
        .await;
}

#[tokio::test]
async fn a_rollout_that_hangs_says_why_and_one_that_works_ends() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    raw.namespace("rollout").await;
    let wanted = step("addon/rollout", vec![deployment("rollout")]);
    let short = Duration::from_secs(2);
    let error = api.apply(&wanted, short, |_| {}).await.unwrap_err();
    assert!(
        error.to_string().contains("apps/v1/Deployment:rollout/web"),
        "{error}"
    );
    assert!(error.to_string().contains("not scheduled yet"), "{error}");

    let pod = pod(&raw, "rollout").await;
    let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image nowhere/web:1" } });
    let container = json!({ "name": "app", "image": "x", "imageID": "", "ready": false, "restartCount": 0, "state": waiting });
    report(&raw, &pod, json!({ "containerStatuses": [container] })).await;
    let mut said: Vec<Progress> = Vec::new();
    let error = api
        .apply(&wanted, short, |p| said.push(p))
        .await
        .unwrap_err();
    let Error::Expired { what, log, limit } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*limit, short);
    assert!(
        what.contains("ErrImagePull: no such image nowhere/web:1"),
        "{what}"
    );
    assert!(log.iter().any(|l| l.contains("ErrImagePull")), "{log:?}");
    assert!(waits(&said).iter().any(|w| w.contains("ErrImagePull")));
    let status = api.status().await.unwrap();
    let trouble = status
        .troubled
        .iter()
        .find(|t| t.namespace == "rollout")
        .unwrap();
    assert!(trouble.why.contains("ErrImagePull"), "{trouble:?}");

    let started = async {
        let ready = json!([{ "type": "Ready", "status": "True" }]);
        report(
            &raw,
            &pod,
            json!({ "phase": "Running", "conditions": ready }),
        )
        .await;
    };
    let (done, ()) = tokio::join!(api.apply(&wanted, LONG, |_| {}), started);
    assert!(!done.unwrap()[0].changed);
    api.remove_step("addon/rollout", LONG, |_| {})
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_that_fails_ends_the_wait() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    raw.namespace("job").await;
    let job = ApiResource::Object {
        wait: true,
        manifest: json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "name": "once", "namespace": "job" },
            "spec": { "backoffLimit": 0, "template": { "spec": {
                "restartPolicy": "Never", "containers": [{ "name": "app", "image": "x" }] } } },
        }),
    };
    let wanted = step("addon/job", vec![job]);
    let fail = async {
        let pod = pod(&raw, "job").await;
        report(&raw, &pod, json!({ "phase": "Failed", "reason": "Broken" })).await;
    };
    let (outcome, ()) = tokio::join!(api.apply(&wanted, LONG, |_| {}), fail);
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error:?}");
    assert!(
        error.to_string().contains("BackoffLimitExceeded"),
        "{error}"
    );
    api.remove_step("addon/job", LONG, |_| {}).await.unwrap();
}
