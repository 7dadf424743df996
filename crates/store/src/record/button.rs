//! A hardware button.

use crate::document::Kind;
use crate::typed::Record;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A button that is believed. The name of the document is its id.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Button {
    /// The key that its messages are signed with, in hexadecimal digits; empty for one that speaks only the
    /// seed's grammar. It never leaves the API.
    pub key: String,
    /// What a press does.
    pub profile: Profile,
    /// Its cluster, if it has made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The time of the last request that was believed, in seconds since 1970: older ones are replayed.
    #[serde(default)]
    pub last: u64,
    /// The nonce of that request.
    #[serde(default)]
    pub nonce: String,
    /// Since when.
    pub created: Timestamp,
}

impl Record for Button {
    const KIND: Kind = Kind::Button;
}

/// What a press does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Template of the cluster.
    pub template: String,
    /// Network plug-in, instead of the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// After how many seconds the cluster is taken down by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// Whether a long press takes the cluster down.
    #[serde(default)]
    pub teardown: bool,
}
