//! Kubernetes itself: its release, ranges and endpoint, and how it is raised to another release.

use super::{DNS_NAME, DURATION, IPV4_NET, care};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Release, ranges and endpoint of Kubernetes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kubernetes {
    /// Release to run, such as `v1.34.2`; 1.20 to 1.37. Default: v1.34.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = r"^v?1\.(2[0-9]|3[0-7])\.[0-9]+$"))]
    pub version: Option<String>,
    /// IPv4 range of all pods. Default: 10.244.0.0/16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = IPV4_NET))]
    pub pod_range: Option<String>,
    /// IPv4 range of service addresses, /12 to /28. Default: 10.96.0.0/16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = IPV4_NET))]
    pub service_range: Option<String>,
    /// DNS domain of services. Default: cluster.local.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = DNS_NAME))]
    pub dns_domain: Option<String>,
    /// Where the API is reached; needed with more than one control plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Further names and addresses in the API server's certificate.
    #[serde(rename = "certSANs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub cert_sans: Vec<String>,
    /// Run ordinary pods on control planes. Default: only with fewer than three workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_on_control_plane: Option<bool>,
    /// Most pods on one machine. Default: 110, or what the machine's pod range holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2000))]
    pub max_pods: Option<u16>,
    /// How nodes are raised to another release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// Limits of the kubelet, the same on every node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubelet: Option<care::Kubelet>,
}

/// How nodes are raised to another release: first the control planes one by one, then the workers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upgrade {
    /// How many workers may be away at a time: a number, or a share such as `25%`, rounded down. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<MaxUnavailable>,
    /// How long the pods of one node may take to leave it, such as `90s`, `5m`, `1h`; up to 1d. Default: 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = DURATION))]
    pub drain_timeout: Option<String>,
}

/// A number of workers, or a share of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MaxUnavailable {
    /// So many.
    Count(#[schemars(range(min = 1, max = 1000))] u16),
    /// A share, `1%` to `100%`.
    Share(#[schemars(extend("pattern" = "^([1-9][0-9]?|100)%$"))] String),
}

/// Where the API is reached: one of `external`, `vip` and `kubeVip`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// `host:port` of a load balancer that you provide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// `address` or `address:port` that one of the control planes holds at a time (keepalived), and that leads to
    /// every API server that is ready (HAProxy). Default port: 8443; 6443 is the API servers' own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vip: Option<String>,
    /// VRRP's number for `vip`, unique on the network. Default: the last part of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub vrrp_id: Option<u8>,
    /// `address` that one of the control planes holds at a time, by kube-vip: a pod on each of them, whose
    /// image must be in the bundle. It leads to the API servers' own port, 6443.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_vip: Option<String>,
}
