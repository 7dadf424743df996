//! Configuration of kubeadm in the API version that its release reads.
//!
//! Source: kubernetes.io, "kubeadm Configuration" (v1beta2, v1beta3, v1beta4). v1beta4 changed every
//! `extraArgs` from a map to a list of name and value.

use crate::context::On;
use bramble_spec::cluster::{Role, Version};
use serde_json::{Map, Value, json};

/// Version of kubeadm's configuration API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Kubernetes 1.20 and 1.21.
    V1Beta2,
    /// Kubernetes 1.22 to 1.30.
    V1Beta3,
    /// Kubernetes 1.31 and later.
    V1Beta4,
}

impl Api {
    /// The newest version that the kubeadm of a release accepts without a warning.
    pub fn of(version: Version) -> Self {
        match version.minor {
            ..22 => Api::V1Beta2,
            22..31 => Api::V1Beta3,
            31.. => Api::V1Beta4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Api::V1Beta2 => "kubeadm.k8s.io/v1beta2",
            Api::V1Beta3 => "kubeadm.k8s.io/v1beta3",
            Api::V1Beta4 => "kubeadm.k8s.io/v1beta4",
        }
    }

    /// Extra arguments of a component in this version's form.
    fn args(self, args: &[(&str, String)]) -> Value {
        if self == Api::V1Beta4 {
            return args
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect();
        }
        let map: Map<String, Value> = args
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        Value::Object(map)
    }
}

/// Stands for the join token in [`join`]; the token itself is filled in on the machine.
pub const TOKEN: &str = "@TOKEN@";
/// Stands for the hash of the CA's public key.
pub const CA_HASH: &str = "@CA_HASH@";

/// The documents for `kubeadm init`.
pub fn init(on: &On) -> String {
    documents(&init_documents(on))
}

/// The document for `kubeadm join`, with [`TOKEN`] and [`CA_HASH`] in the place of the values.
pub fn join(on: &On) -> String {
    documents(&[join_document(on)])
}

/// The same for a machine that becomes a control plane.
pub fn join_control_plane(on: &On) -> String {
    let mut document = join_document(on);
    document["controlPlane"] = json!({ "localAPIEndpoint": own_endpoint(on) });
    documents(&[document])
}

fn documents(all: &[Value]) -> String {
    // Values of these types always have a YAML form.
    let texts = all
        .iter()
        .map(|v| serde_saphyr::to_string(v).unwrap_or_default());
    texts.collect::<Vec<_>>().join("---\n")
}

fn init_documents(on: &On) -> Vec<Value> {
    vec![
        init_document(on),
        cluster_document(on),
        kubelet_document(on),
        proxy_document(on),
    ]
}

fn socket(version: Version) -> &'static str {
    // Before 1.24 kubeadm wants the path alone.
    if version.minor < 24 {
        "/run/containerd/containerd.sock"
    } else {
        "unix:///run/containerd/containerd.sock"
    }
}

fn registration(on: &On) -> Value {
    json!({ "name": on.machine.name, "criSocket": socket(on.version()) })
}

fn init_document(on: &On) -> Value {
    json!({
        "apiVersion": Api::of(on.version()).name(),
        "kind": "InitConfiguration",
        // kubeadm always makes a token (random, as none is given) and prints it. By default it lives
        // a day. Nothing uses it: joins make their own that live minutes. Its RBAC rules are made by
        // the same phase and stay. "0s" would mean forever.
        "bootstrapTokens": [{ "ttl": "1s", "usages": ["signing", "authentication"], "description": "unused" }],
        "nodeRegistration": registration(on),
        "localAPIEndpoint": own_endpoint(on),
    })
}

/// Where this machine's own API server listens.
fn own_endpoint(on: &On) -> Value {
    json!({ "advertiseAddress": on.machine.address.to_string(), "bindPort": 6443 })
}

fn cluster_document(on: &On) -> Value {
    let api = Api::of(on.version());
    let cluster = on.cluster();
    let kubernetes = &cluster.kubernetes;
    let mut document = json!({
        "apiVersion": api.name(),
        "kind": "ClusterConfiguration",
        "kubernetesVersion": on.version().to_string(),
        "clusterName": cluster.name,
        "controlPlaneEndpoint": on.api_endpoint(),
        "networking": {
            "podSubnet": kubernetes.pod_range.to_string(),
            "serviceSubnet": kubernetes.service_range.to_string(),
            "dnsDomain": kubernetes.dns_domain,
        },
        "apiServer": { "certSANs": names(on) },
        // Pod ranges come from the address plan, so that they are known before a node joins.
        "controllerManager": {
            "extraArgs": api.args(&[("allocate-node-cidrs", "false".into())]),
        },
    });
    image_places(on, &mut document);
    document
}

/// Says where images come from, as far as the bundle's names differ from those that this kubeadm
/// would use: what is kubeadm's default must stay one, so that an upgrade can follow its changes.
fn image_places(on: &On, document: &mut Value) {
    let image = |name| on.inputs.bundle?.image(name, on.arch());
    let place = |reference: &str| {
        reference
            .rsplit_once('/')
            .map(|(place, _)| place.to_owned())
    };
    let Some(repository) = image("kube-apiserver").and_then(|i| place(&i.reference)) else {
        return;
    };
    let defaults = bramble_bundle::image_tags(on.version()).ok();
    let usual = defaults.as_ref().map(|d| d.repository.as_str());
    if usual != Some(repository.as_str()) {
        document["imageRepository"] = json!(repository);
    }
    let Some(dns) = image("coredns").and_then(|i| place(&i.reference)) else {
        return;
    };
    // kubeadm puts CoreDNS one level deeper in its default repository, but not in others.
    let deeper = on.version().minor >= 21 && usual == Some(repository.as_str());
    let expected = if deeper {
        format!("{repository}/coredns")
    } else {
        repository
    };
    if dns != expected {
        document["dns"] = json!({ "imageRepository": dns });
        if Api::of(on.version()) == Api::V1Beta2 {
            document["dns"]["type"] = json!("CoreDNS");
        }
    }
}

/// Every name and address that the API may be called by.
fn names(on: &On) -> Vec<String> {
    let cluster = on.cluster();
    let mut out = Vec::new();
    for machine in cluster.with_role(Role::ControlPlane) {
        out.push(machine.name.clone());
        out.push(format!("{}.{}", machine.name, cluster.network.domain));
        out.push(machine.address.to_string());
        out.extend(machine.management.clone());
    }
    out.extend(through_router(on));
    out.extend(cluster.kubernetes.cert_sans.clone());
    out.push("127.0.0.1".into());
    let mut seen = std::collections::BTreeSet::new();
    out.retain(|name| seen.insert(name.clone()));
    out
}

/// What the API is called by who comes to it through a port of the router. Not one of the values that are
/// fixed: a router may come later, or move, and then the kubeconfig names the control plane to TLS.
fn through_router(on: &On) -> Vec<String> {
    let cluster = on.cluster();
    let Some((router, machine)) = cluster.router.as_ref().zip(cluster.router_machine()) else {
        return Vec::new();
    };
    let mut out = vec![
        machine.name.clone(),
        format!("{}.{}", machine.name, cluster.network.domain),
        machine.address.to_string(),
    ];
    out.extend(cluster.outside().map(str::to_owned));
    out.extend(router.ddns.as_ref().map(|d| d.name.clone()));
    out
}

fn kubelet_document(on: &On) -> Value {
    let mut document = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": if on.facts.cgroup2 { "systemd" } else { "cgroupfs" },
        "clusterDomain": on.cluster().kubernetes.dns_domain,
        "clusterDNS": [on.cluster().kubernetes.dns_address().to_string()],
    });
    if on.facts.container {
        document["failSwapOn"] = json!(false);
    }
    document
}

fn proxy_document(on: &On) -> Value {
    // One configuration for all nodes: what one of them can't do, none does.
    let all = || on.inputs.facts.values().chain([on.facts]);
    let mut document = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clusterCIDR": on.cluster().kubernetes.pod_range.to_string(),
    });
    if all().any(|f| !f.conntrack_writable) {
        document["conntrack"] = json!({
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        });
    }
    if all().any(|f| !f.oom_adjustable) {
        document["oomScoreAdj"] = json!(0);
    }
    document
}

fn join_document(on: &On) -> Value {
    json!({
        "apiVersion": Api::of(on.version()).name(),
        "kind": "JoinConfiguration",
        "nodeRegistration": registration(on),
        "discovery": { "bootstrapToken": {
            "token": TOKEN,
            "apiServerEndpoint": on.api_endpoint(),
            "caCertHashes": [CA_HASH],
        }},
    })
}
