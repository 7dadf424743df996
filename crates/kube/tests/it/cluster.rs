//! The state of the whole.

use crate::fixture::cluster;
use serde_json::json;

#[tokio::test]
async fn the_status_names_what_is_there() {
    let Some((_, api, raw)) = cluster().await else {
        return;
    };
    let path = raw
        .node(
            "status",
            json!({"podCIDR": "10.244.77.0/24", "podCIDRs": ["10.244.77.0/24"]}),
        )
        .await;
    raw.merge(
        &path,
        json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}),
    )
    .await;
    raw.merge(
        &format!("{path}/status"),
        json!({"status": {"addresses": [{"type": "InternalIP", "address": "10.77.0.9"}], "nodeInfo": {
            "kubeletVersion": "v1.20.2", "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "",
            "containerRuntimeVersion": "", "kubeProxyVersion": "", "operatingSystem": "", "architecture": ""}}}),
    )
    .await;
    raw.post(
        "/api/v1/namespaces/default/events",
        json!({"metadata": {"name": "status.1"}, "type": "Warning", "reason": "TooHot", "message": "91 degrees", "count": 3,
            "involvedObject": {"kind": "Node", "name": "status"}, "lastTimestamp": "2037-01-01T00:00:00Z"}),
    )
    .await;
    assert!(api.cordon("status").await.unwrap());
    assert!(!api.cordon("status").await.unwrap());

    let status = api.status().await.unwrap();
    assert!(status.version.starts_with("v1."), "{}", status.version);
    let node = status.nodes.iter().find(|n| n.name == "status").unwrap();
    assert!(node.ready && !node.schedulable);
    assert_eq!(node.roles, ["control-plane"]);
    assert_eq!(node.version, "v1.20.2");
    assert_eq!(
        node.addresses,
        [("InternalIP".to_owned(), "10.77.0.9".to_owned())]
    );
    assert_eq!(node.pod_cidr, "10.244.77.0/24");
    assert!(node.age.as_secs() < 3600);
    assert!(status.checks.iter().any(|c| c.name == "etcd" && c.ok));
    let warning = status
        .warnings
        .iter()
        .find(|w| w.object == "Node/status")
        .unwrap();
    assert_eq!((warning.reason.as_str(), warning.count), ("TooHot", 3));

    assert!(api.uncordon("status").await.unwrap());
    raw.delete(&path).await;
}
