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

/// Manifests from a file or folder. Whoever read the folder has refused what can't be read
/// ([`documents`]), so nothing is lost here.
pub(super) fn manifests(inputs: Inputs, name: &str, path: &str) -> ApiStep {
    let files = inputs.assets.get(path).into_iter().flatten();
    let resources = files
        .flat_map(|(file, bytes)| documents(file, bytes).unwrap_or_default())
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

/// The objects in a file of manifests: all documents of a `.yaml`, `.yml` or `.json` file, none of any
/// other.
///
/// # Errors
/// What is wrong with the file: no text, no YAML, or a document that is no object of Kubernetes.
pub fn documents(file: &str, bytes: &[u8]) -> Result<Vec<serde_json::Value>, String> {
    if ![".yaml", ".yml", ".json"]
        .iter()
        .any(|end| file.ends_with(end))
    {
        return Ok(Vec::new());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())?;
    let all = serde_saphyr::from_multiple::<serde_json::Value>(text)
        .map_err(|error| format!("is no YAML: {error}"))?;
    let mut out = Vec::new();
    for (index, value) in all.into_iter().enumerate().filter(|(_, v)| !v.is_null()) {
        for field in ["/apiVersion", "/kind", "/metadata/name"] {
            if !value
                .pointer(field)
                .is_some_and(serde_json::Value::is_string)
            {
                let field = field.trim_start_matches('/').replace('/', ".");
                return Err(format!(
                    "has a document (number {}) without {field}",
                    index + 1
                ));
            }
        }
        out.push(value);
    }
    Ok(out)
}
