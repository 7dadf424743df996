//! The section `etcd` as it is written.

use super::URL;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cluster's store, which runs on the control planes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Etcd {
    /// Snapshots that the control planes take of it by themselves; `false` = none. Default: one in six hours, 28 are
    /// kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<Snapshots>,
}

/// Whether there are snapshots, or their settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Snapshots {
    /// Whether there are any.
    Switch(bool),
    /// Their settings.
    Settings(SnapshotSettings),
}

/// When snapshots are taken, how many are kept, and where else they go.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotSettings {
    /// Time between two of them, such as `30m`, `6h`, `1d`; 10m to 7d. Default: 6h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = super::DURATION))]
    pub every: Option<String>,
    /// How many each control plane keeps; older ones go. Default: 28.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep: Option<u32>,
    /// A place outside where each of them goes too (S3). Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,
}

/// A place for snapshots that speaks S3.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3 {
    /// Its address, such as `https://s3.eu-central-1.amazonaws.com`. `http://` is for private addresses alone:
    /// snapshots hold every secret of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = URL))]
    pub endpoint: Option<String>,
    /// The bucket. It must be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))]
    pub bucket: Option<String>,
    /// What the names of its objects begin with, such as `clusters/home`. Default: the cluster's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?$"))]
    pub prefix: Option<String>,
    /// Default: us-east-1, which most services take that aren't Amazon's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[a-z0-9-]{1,64}$"))]
    pub region: Option<String>,
    /// File with the id of the access key in its first line and the secret key in its second, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub credentials_file: Option<String>,
}
