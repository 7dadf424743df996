//! The machines: what each is, how it is reached, and what all of them have in common.

use super::{DNS_LABEL, IPV4_NET, MAC, care, disk};
use crate::cluster::{Arch, Quirk, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Machine {
    /// Host name and node name: lower-case letters, digits and hyphens, at most 63.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_LABEL))]
    pub name: Option<String>,
    /// What it does. Default: `[worker]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub roles: Option<Vec<Role>>,
    /// IP address that the cluster uses. May be left out when `mac` and `network.lan` are given. A router's may
    /// lie outside the LAN: then it is where SSH reaches it, and `router.lan` says which one it has inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[0-9A-Fa-f.:]+$"))]
    pub address: Option<String>,
    /// Address or DNS name where SSH reaches it, if that isn't `address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management: Option<String>,
    /// Hardware address of its network interface, such as b8:27:eb:00:00:01. A router gives the machine's
    /// address to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = MAC))]
    pub mac: Option<String>,
    /// Processor. Default: as found on the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// How to log in; what is left out comes from `defaults.ssh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Ssh>,
    /// Labels of the node object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the node object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Taints of the node object; an empty list means none. Default: that of its roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<Taint>>,
    /// Properties that can't be observed from inside the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub quirks: Vec<Quirk>,
    /// Disks that are made ready and mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<disk::Disk>,
    /// IPv4 range of its pods, inside `kubernetes.podRange`. Default: from the address plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = IPV4_NET))]
    pub pod_range: Option<String>,
    /// Its journal. Default: `defaults.journal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<care::Journal>,
    /// Memory on the disk: `off`, `keep` what it has, or `size` for a file. Default: `defaults.swap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<care::Swap>,
    /// Large pages of memory that a node sets aside for pods: size (2Mi, 1Gi, or another that its processor has) and
    /// number. Default: `defaults.hugepages`; `{}` = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugepages: Option<BTreeMap<String, u32>>,
}

/// How to log in over SSH.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ssh {
    /// Login name. Default: root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Port. Default: 22.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Private key file. Default: the agent's keys, then the usual files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Private key files, tried in order; instead of `key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("uniqueItems" = true))]
    pub keys: Option<Vec<String>>,
    /// Machine through which this one is reached, or `user@host:port` of a host outside the file. Default: the
    /// router, for machines behind it, where it is reached from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// Fingerprint of the host key as `ssh-keygen -l` shows it: `SHA256:...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^SHA256:[A-Za-z0-9+/]{43}=?$"))]
    pub host_key: Option<String>,
}

/// Settings of every machine that doesn't say otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// How to log in. The machine that `jump` names doesn't jump through itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Ssh>,
    /// The machines' journal. Default: as they have it, which is a tenth of the disk, at most 4Gi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<care::Journal>,
    /// Memory on the disk: `off`, `keep` what the machine has, or `size` for a file. Default: off on nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<care::Swap>,
    /// Large pages of memory that a node sets aside for pods: size (2Mi, 1Gi, or another that its processor has) and
    /// number. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugepages: Option<BTreeMap<String, u32>>,
}

/// A taint: `key=value:Effect`, or its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Taint {
    /// `key=value:Effect` or `key:Effect`, as kubectl writes it.
    Text(String),
    /// Its parts.
    Parts(TaintParts),
}

/// A taint in parts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
// Here and not at the field, where it would make the schema repeat the enumeration in place.
#[schemars(extend("required" = ["key", "effect"]))]
pub struct TaintParts {
    /// Key, with or without a prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub key: Option<String>,
    /// Value. Default: empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What happens to pods that don't tolerate it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// What happens to pods that don't tolerate a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// New ones are not put here.
    NoSchedule,
    /// New ones are put elsewhere if possible.
    PreferNoSchedule,
    /// Running ones have to leave.
    NoExecute,
}

impl Effect {
    /// Every effect, in Kubernetes' words.
    pub const NAMES: [&'static str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

    /// Kubernetes' name.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}
