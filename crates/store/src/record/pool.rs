//! Machines that wait for a cluster, and what clusters are made after.

use crate::document::Kind;
use crate::typed::Record;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use utoipa::ToSchema;

/// A machine of the pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Where it is reached.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Fingerprint of its host key, `SHA256:...`; without one the daemon's own `known_hosts` must know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Properties that templates ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whose it is at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

impl Record for Machine {
    const KIND: Kind = Kind::Machine;
}

/// A cluster that has a machine for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The cluster.
    pub cluster: String,
    /// What tells this claim from others for the same name: the cluster's record says it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Since when.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// Where the machines of a cluster come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// Registered machines.
    Pool,
    /// Machines on the daemon's own computer.
    Lab,
    /// Cisco Container Platform, which makes whole clusters.
    Ccp,
}

/// What clusters are made after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Where machines come from.
    pub origin: Origin,
    /// How many control planes: 1, 3 or 5.
    pub control_planes: u8,
    /// How many workers.
    pub workers: u16,
    /// Labels that its machines must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the cluster file says besides name and machines: the part below `spec`.
    #[serde(default)]
    pub spec: serde_json::Map<String, serde_json::Value>,
}

impl Record for Template {
    const KIND: Kind = Kind::Template;
}
