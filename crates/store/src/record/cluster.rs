//! A cluster that should be, or was.

use super::pool::Origin;
use crate::document::Kind;
use crate::typed::Record;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A cluster. Its name is that of its file's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// The cluster file, as it was given.
    pub file: String,
    /// Where its machines come from; `None`: the file names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The claim by which it has its machines, where they come from the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Who made it: a user's name, or `button/` and a button's.
    pub owner: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it is taken down by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How many seconds after it begins to come up it is taken down by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// What it is at the moment.
    pub phase: Phase,
    /// Why it is so, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where its API answers, such as `https://10.77.0.5:6443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How many runs there were; the last one is `name-runs`.
    #[serde(default)]
    pub runs: u64,
}

impl Record for Cluster {
    const KIND: Kind = Kind::Cluster;
}

/// What becomes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub enum Phase {
    /// Nothing was done yet.
    New,
    /// A run makes it as its file says.
    Building,
    /// It is as its file says.
    Ready,
    /// The last run did not come to its end.
    Failed,
    /// A run takes it down.
    Removing,
    /// Nothing of it is left on its machines.
    Gone,
}
