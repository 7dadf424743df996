//! `bramble ccp` against a platform that behaves as Cisco Container Platform is described to.

use crate::common::{Place, json, out};
use crate::platform::{Manner, PASSWORD, Platform, VIP, kubeconfig};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// What the platform's web page sends, for version 3.
fn template() -> Value {
    json!({
        "type": "vsphere", "provider": "p-1", "kubernetes_version": "1.16.3", "subnet_id": "pool-1",
        "vsphere_infra": { "datacenter": "dc", "datastore": "ds", "networks": ["net"], "cluster": "cl" },
        "master_group": { "size": 1, "template": "image", "ssh_key": "ssh-ed25519 AAAA" },
        "node_groups": [{ "name": "workers", "size": 2, "template": "image" }],
        "network_plugin_profile": { "name": "calico" },
    })
}

/// A folder with a file for that platform and all that it names.
fn place(platform: &Platform) -> Place {
    let place = Place::new();
    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    write("ccp.password", &format!("{PASSWORD}\n"));
    write("ccp-ca.pem", &platform.authority);
    write("template.json", &template().to_string());
    write(
        "ccp.yaml",
        &format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: CcpCluster\nmetadata: {{ name: dash01-1 }}\nspec:\n  url: {}\n  \
             api: v3\n  username: admin\n  passwordFile: ccp.password\n  caFile: ccp-ca.pem\n  network: {{ plugin: \
             calico, range: 172.20.0.0/16 }}\n  templateFile: template.json\n",
            platform.url()
        ),
    );
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path("ccp.password"), mode).unwrap();
    place
}

/// Runs Bramble beside the platform, which must go on answering.
async fn bramble(place: &Place, arguments: &str) -> assert_cmd::assert::Assert {
    let mut command = place.bramble(arguments);
    tokio::task::spawn_blocking(move || command.assert())
        .await
        .unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_comes_and_goes_in_the_events_of_up() {
    let platform = Platform::start(Manner::default()).await;
    let place = place(&platform);
    let up = bramble(&place, "ccp up --yes --output json --file ccp.yaml")
        .await
        .success();
    let events = lines(&out(&up));
    let (first, last) = (&events[0], events.last().unwrap());
    assert_eq!(
        (&first["event"], &first["steps"]),
        (&json!("begin"), &json!(6))
    );
    assert_eq!(last["event"], "end");
    assert_eq!(last["failed"], json!([]));
    assert_eq!(last["stopped"], false);
    assert_eq!(last["address"], format!("https://{VIP}:6443"));
    let finished = events
        .iter()
        .filter(|event| event["event"] == "finished")
        .count();
    assert_eq!(
        finished, 6,
        "login, three machines, cluster, kubeconfig: {events:#?}"
    );

    let written = place.read("dash01-1.kubeconfig");
    assert!(written.ends_with(&kubeconfig()));
    let mode = std::fs::metadata(place.path("dash01-1.kubeconfig"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let again = bramble(&place, "ccp up -f ccp.yaml --output json")
        .await
        .success();
    assert_eq!(last["changes"], 5, "cluster, three machines, kubeconfig");
    assert_eq!(lines(&out(&again)).last().unwrap()["changes"], 0);
    assert_eq!(platform.record(|record| record.orders.len()), 1);

    let down = bramble(&place, "ccp down --yes --output json --file ccp.yaml")
        .await
        .success();
    assert_eq!(lines(&out(&down)).last().unwrap()["changes"], 1);
    assert!(platform.names().is_empty());
    assert!(!place.path("dash01-1.kubeconfig").exists());

    for said in [out(&up), out(&again), out(&down)] {
        assert!(
            !said.contains("s3cret") && !said.contains("kube-secret") && !said.contains("token-"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_as_up_tells_it() {
    let manner = Manner {
        states: Some(vec!["CREATING", "ERROR"]),
        ..Manner::default()
    };
    let platform = Platform::start(manner).await;
    let place = place(&platform);
    let up = bramble(&place, "ccp up --yes --output json -f ccp.yaml")
        .await
        .code(1);
    let events = lines(&out(&up));
    let failed = json!([{ "machine": "", "step": "ccp/cluster", "message": "the platform says that dash01-1 is ERROR" }]);
    assert_eq!(events.last().unwrap()["failed"], failed);
    assert!(events.iter().any(|event| event["event"] == "failed"));
    let text = bramble(&place, "ccp up -f ccp.yaml").await.code(1);
    let said = String::from_utf8(text.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains("is ERROR") && said.contains("bramble ccp down"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_unasked() {
    let platform = Platform::start(Manner::default()).await;
    let place = place(&platform);
    bramble(&place, "ccp up -f ccp.yaml").await.success();
    bramble(&place, "ccp down -f ccp.yaml").await.code(2);
    assert_eq!(platform.names(), ["dash01-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_is_not_replaced_by_a_kubeconfig() {
    let platform = Platform::start(Manner::default()).await;
    let place = place(&platform);
    std::fs::write(place.path("dash01-1.kubeconfig"), "mine\n").unwrap();
    bramble(&place, "ccp up -f ccp.yaml").await.code(1);
    bramble(&place, "ccp down --yes -f ccp.yaml")
        .await
        .success();
    assert_eq!(place.read("dash01-1.kubeconfig"), "mine\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_and_their_ranges_are_listed() {
    let platform = Platform::start(Manner::default()).await;
    let place = place(&platform);
    let mut other = template();
    other["name"] = json!("other");
    other["network_plugin_profile"]["details"] = json!({ "pod_cidr": "10.9.0.0/16" });
    platform.add(other);
    let all = json(
        &bramble(&place, "ccp ranges -f ccp.yaml --output json")
            .await
            .success(),
    );
    assert_eq!(
        all,
        json!([{ "cluster": "other", "plugin": "calico", "range": "10.9.0.0/16" }])
    );
    let text = out(&bramble(&place, "ccp list -f ccp.yaml").await.success());
    assert!(
        text.contains("other") && text.contains("READY") && text.contains("10.9.0.0/16"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_files_is_said_before_anything_is_asked() {
    let platform = Platform::start(Manner::default()).await;
    let place = place(&platform);
    let mut lacking = template();
    lacking.as_object_mut().unwrap().remove("subnet_id");
    std::fs::write(place.path("template.json"), lacking.to_string()).unwrap();
    let up = bramble(&place, "ccp up -f ccp.yaml").await.code(2);
    let said = String::from_utf8(up.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains("template.json: the template lacks subnet_id"),
        "{said}"
    );
    std::fs::remove_file(place.path("ccp.password")).unwrap();
    let up = bramble(&place, "ccp up -f ccp.yaml").await.code(2);
    let said = String::from_utf8(up.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains("ccp.password") && said.contains("chmod 600"),
        "{said}"
    );
    assert_eq!(platform.record(|record| record.logins), 0);
}
