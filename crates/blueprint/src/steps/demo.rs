//! Things that run on the cluster: the demo page, and manifests of the operator's own.

use super::nodes;
use crate::context::Inputs;
use bramble_machine::api::ApiResource;
use bramble_machine::step::ApiStep;
use serde_json::json;

/// Image of the demo page, made by the bundle.
const IMAGE: &str = "bramble.dev/demo:1";

/// Three replicas (or one a node, if there are fewer) on different machines, control planes included.
pub(super) fn step(inputs: Inputs, node_port: u16) -> ApiStep {
    let nodes = inputs
        .cluster
        .machines
        .iter()
        .filter(|m| m.is_node())
        .count();
    let labels = json!({ "app.kubernetes.io/name": "demo" });
    let toleration = |key: &str| json!({ "key": format!("node-role.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoSchedule" });
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "demo", "namespace": "default", "labels": labels },
        "spec": {
            "replicas": nodes.min(3),
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "affinity": { "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [{
                            "labelSelector": { "matchLabels": labels },
                            "topologyKey": "kubernetes.io/hostname",
                        }],
                    }},
                    "tolerations": [toleration("master"), toleration("control-plane")],
                    "terminationGracePeriodSeconds": 2,
                    "containers": [{
                        "name": "web",
                        "image": IMAGE,
                        "imagePullPolicy": "IfNotPresent",
                        "env": [{
                            "name": "NODE_NAME",
                            "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } },
                        }],
                        "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
                        "readinessProbe": { "httpGet": { "path": "/", "port": "http" }, "periodSeconds": 1 },
                    }],
                },
            },
        },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "demo", "namespace": "default", "labels": labels },
        "spec": {
            "type": "NodePort",
            "selector": labels,
            "ports": [{ "name": "http", "port": 80, "targetPort": "http", "nodePort": node_port, "protocol": "TCP" }],
        },
    });
    ApiStep {
        name: "addon/demo".into(),
        needs: vec![(String::new(), nodes::NAME.to_owned())],
        resources: vec![
            ApiResource::Object {
                manifest: service,
                wait: false,
            },
            ApiResource::Object {
                manifest: deployment,
                wait: true,
            },
        ],
    }
}

/// Manifests from a file or folder; parsed by the caller's check of the assets, so text that is no
/// YAML is left out here.
pub(super) fn manifests(inputs: Inputs, name: &str, path: &str) -> ApiStep {
    let files = inputs.assets.get(path).into_iter().flatten();
    let texts = files.filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok());
    let resources = texts
        .flat_map(|text| serde_saphyr::from_multiple::<serde_json::Value>(text).unwrap_or_default())
        .filter(|value| value.is_object())
        .map(|manifest| ApiResource::Object {
            manifest,
            wait: true,
        })
        .collect();
    ApiStep {
        name: format!("addon/{name}"),
        needs: vec![(String::new(), nodes::NAME.to_owned())],
        resources,
    }
}
