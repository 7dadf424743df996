//! The cluster file as it is written: one type per section, nothing filled in.
//!
//! The doc comments become the descriptions of the JSON schema, so they speak to the person who
//! writes the file. What the schema marks as required is optional here: the shape check reports
//! what is missing, and the checks after it still see the rest of the file.

use crate::cluster::{HostNames, Runtime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub mod care;
pub mod disk;
pub mod etcd;
mod kubernetes;
mod machine;
pub mod router;

pub use kubernetes::*;
pub use machine::*;

/// The `apiVersion` that this release reads.
pub const API_VERSION: &str = "bramble.dev/v1alpha1";
/// The `kind` that this release reads.
pub const KIND: &str = "Cluster";

const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
const DNS_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const IPV4_NET: &str = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$";
const MAC: &str = "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$";
const DURATION: &str = "^[1-9][0-9]{0,5}[smhd]$";
const URL: &str = "^https?://[^/ ]+";

/// A cluster: its machines, their network and the Kubernetes that runs on them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Bramble cluster file")]
pub struct File {
    /// Version of this file's format: `bramble.dev/v1alpha1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("const" = API_VERSION))]
    pub api_version: Option<String>,
    /// What the file describes: `Cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("const" = KIND))]
    pub kind: Option<String>,
    /// The cluster's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub metadata: Option<Metadata>,
    /// What the cluster should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub spec: Option<Spec>,
}

/// The cluster's name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Name of the cluster: lower-case letters, digits and hyphens, at most 63.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_LABEL))]
    pub name: Option<String>,
}

/// What the cluster should be. Only `machines` is needed; the rest has defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
// A list that may be left out in the type, because the shape check reports that, but not in the file.
#[schemars(extend("required" = ["machines"]))]
pub struct Spec {
    /// Release, ranges and endpoint of Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
    /// The cluster's store: snapshots of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd: Option<etcd::Etcd>,
    /// The network that the machines share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What the machine with the role `router` does for the others. Default: what the role alone means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<router::Router>,
    /// The machines. Their order counts for machines without an address only.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub machines: Vec<Machine>,
    /// Settings of every machine that doesn't say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// The container runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeSection>,
    /// How pods reach each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_network: Option<PodNetwork>,
    /// Time zone and time servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// Proxy for packages, images and tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Nearer copies of package archives and image registries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<Mirrors>,
    /// Users on every machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
    /// Your own commands before or after a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// What runs on the cluster once it is up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
}

/// The network that the machines share.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Range of the machines' addresses, such as 10.77.0.0/24. Default: the /24 (IPv6: /64) that all share.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[0-9A-Fa-f.:]+/[0-9]{1,3}$"))]
    pub lan: Option<String>,
    /// IPv6 range of the LAN, a /64, that the router announces beside an IPv4 `lan`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[0-9A-Fa-f:]+/[0-9]{1,3}$"))]
    pub lan6: Option<String>,
    /// DNS domain of the machines. Default: `<cluster>.internal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = DNS_NAME))]
    pub domain: Option<String>,
    /// Which machines `/etc/hosts` names. Default: control-plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<HostNames>,
    /// Prefer IPv4 when a name has addresses of both families. Default: false.
    #[serde(rename = "preferIPv4", skip_serializing_if = "Option::is_none")]
    pub prefer_ipv4: Option<bool>,
    /// Run a link-layer neighbor daemon (lldpd) on machines that are no containers, so that switches and
    /// machines see each other. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lldp: Option<bool>,
}

/// The container runtime.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuntimeSection {
    /// Where containerd comes from. Default: debian.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Runtime>,
}

/// How pods reach each other.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodNetwork {
    /// The plug-in. Default: routed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Plugin>,
    /// MTU of pod interfaces, for `routed`. Default: that of the machine's interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 576, max = 9216))]
    pub mtu: Option<u16>,
    /// Hide pods behind the machine's address towards hosts outside, for `routed`. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masquerade: Option<bool>,
    /// Folder with `conf/` and `bin/` of your own plug-in, relative to this file; for `custom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
}

/// A pod network plug-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Plugin {
    /// A bridge on each machine and routes between the machines.
    #[default]
    Routed,
    /// Your own plug-in from `dir`.
    Custom,
    /// Nothing: you install one.
    None,
}

impl Plugin {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Plugin::Routed => "routed",
            Plugin::Custom => "custom",
            Plugin::None => "none",
        }
    }
}

/// Time zone and time servers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Time {
    /// IANA time zone, such as Europe/Berlin. Default: left as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}$"))]
    pub zone: Option<String>,
    /// NTP servers: names or addresses. Default: Debian's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub servers: Vec<String>,
    /// Seconds to wait for a clock that is right, 1 to 3600. Default: 120.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub wait: Option<u32>,
}

/// Proxy for packages, images and tools.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// Proxy for http, such as `http://proxy.example:3128`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub http: Option<String>,
    /// Proxy for https. Default: that for http.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub https: Option<String>,
    /// What is reached directly, besides the machines, ranges and domains of the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub no_proxy: Vec<String>,
}

/// Nearer copies of package archives and image registries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirrors {
    /// URL instead of Debian's archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub apt: Option<String>,
    /// The same for machines with arm64. Default: that of `apt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub apt_arm: Option<String>,
    /// Registry host, such as docker.io, and the URLs that are tried before it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registries: BTreeMap<String, Vec<String>>,
    /// Registries with a certificate of your own that machines shall trust.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<TrustedRegistry>,
    /// Registry hosts whose certificate is not checked, and that may have no TLS at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub insecure: Vec<String>,
}

/// A registry with a certificate of your own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedRegistry {
    /// Host as in the names of images, such as registry.example:5000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub host: Option<String>,
    /// File with the certificate (PEM) that signed the registry's, or the registry's own; relative
    /// to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub ca_file: Option<String>,
}

/// A user on every machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// Login name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = "^[a-z_][a-z0-9_-]{0,31}$"))]
    pub name: Option<String>,
    /// Public keys, one line each, as in authorized_keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub authorized_keys: Vec<String>,
    /// May become root without a password. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sudo: Option<bool>,
    /// Further groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub groups: Vec<String>,
    /// Login shell. Default: /bin/bash.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^/"))]
    pub shell: Option<String>,
}

/// A command of your own before or after a step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// Unique name: lower-case letters, digits and hyphens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_LABEL))]
    pub name: Option<String>,
    /// Step before which it runs; either this or `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[a-z0-9-]+(/[a-z0-9-]+)?$"))]
    pub before: Option<String>,
    /// Step after which it runs; either this or `before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[a-z0-9-]+(/[a-z0-9-]+)?$"))]
    pub after: Option<String>,
    /// Machines it runs on. Default: all that have the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub machines: Vec<String>,
    /// Shell command that exits 0 when there is nothing left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub check: Option<String>,
    /// Shell program to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub run: Option<String>,
    /// Shell program that undoes it. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Seconds it may take, 1 to 86400. Default: 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub limit: Option<u32>,
}

/// What runs on the cluster: a built-in add-on by its name, or its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Addon {
    /// A built-in add-on with its defaults.
    Name(BuiltIn),
    /// A built-in add-on with settings, or manifests of your own.
    Settings(AddonSettings),
}

/// A built-in add-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltIn {
    /// A small web page, three replicas, at a node port.
    Demo,
}

impl BuiltIn {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            BuiltIn::Demo => "demo",
        }
    }
}

/// A built-in add-on with settings, or manifests of your own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonSettings {
    /// `demo`, or a name of your own when `manifests` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_LABEL))]
    pub name: Option<String>,
    /// Port on every node, 30000 to 32767, for `demo`. Default: 30080.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 30000, max = 32767))]
    pub node_port: Option<u16>,
    /// File or folder of manifests, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifests: Option<String>,
}
