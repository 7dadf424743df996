//! What should live in the Kubernetes API, as plain data.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Annotation of a node that Bramble made: the name of its cluster.
pub const OWNER: &str = "bramble.dev/cluster";

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeTaint {
    /// Key with optional prefix.
    pub key: String,
    /// May be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    pub effect: String,
}

/// One thing in the API.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ApiResource {
    /// A node that must exist and be ready, with labels, annotations and taints. Only keys that
    /// Bramble set before, or that are named here, are touched.
    Node {
        /// Node name.
        name: String,
        /// Labels to hold.
        labels: BTreeMap<String, String>,
        /// Annotations to hold.
        annotations: BTreeMap<String, String>,
        /// Taints to hold; `None` = leave as they are.
        taints: Option<Vec<NodeTaint>>,
        /// `spec.podCIDR` to set where it is empty.
        pod_cidr: Option<String>,
    },
    /// A node that must not be.
    NoNode {
        /// Node name.
        name: String,
    },
    /// A node that takes no new pods and holds none that can run elsewhere, until it is
    /// [serving](ApiResource::Serving) again. Where it can't be emptied within the limit it serves as before.
    Drained {
        /// Node name.
        name: String,
        /// How long its pods may take to leave, budgets and all.
        limit: Duration,
        /// Pods that no controller would start again are lost, instead of being in the way.
        force: bool,
    },
    /// A node that is ready and takes pods, as far as Bramble had kept them off.
    Serving {
        /// Node name.
        name: String,
        /// The release that its kubelet must have reported.
        kubelet: Option<String>,
    },
    /// An object to apply (server-side) as given.
    Object {
        /// The manifest.
        manifest: serde_json::Value,
        /// Wait until it is rolled out (Deployment, DaemonSet, StatefulSet, Job).
        wait: bool,
    },
}

impl ApiResource {
    /// `node:two`, `apps/v1/Deployment:default/web`.
    pub fn id(&self) -> String {
        match self {
            ApiResource::Node { name, .. } | ApiResource::NoNode { name } => format!("node:{name}"),
            ApiResource::Drained { name, .. } => format!("drain:{name}"),
            ApiResource::Serving { name, .. } => format!("serve:{name}"),
            ApiResource::Object { manifest, .. } => {
                let get = |p: &str| manifest.pointer(p).and_then(|v| v.as_str()).unwrap_or("");
                let (ns, name) = (get("/metadata/namespace"), get("/metadata/name"));
                let place = if ns.is_empty() {
                    name.into()
                } else {
                    format!("{ns}/{name}")
                };
                format!("{}/{}:{place}", get("/apiVersion"), get("/kind"))
            }
        }
    }
}
