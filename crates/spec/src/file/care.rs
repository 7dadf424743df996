//! What keeps a node fit: limits of the kubelet and the journal, swap, large pages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of bytes: digits and a unit.
pub(super) const SIZE: &str = "^[1-9][0-9]{0,9}(Ki|Mi|Gi)$";

/// Limits of the kubelet, the same on every node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kubelet {
    /// When images that no container uses are removed.
    #[serde(rename = "imageGC", skip_serializing_if = "Option::is_none")]
    pub image_gc: Option<ImageGc>,
    /// How much of its containers' logs a node keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<ContainerLogs>,
}

/// When images that no container uses are removed: from `high` percent of the disk on, until it is `low`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageGc {
    /// Percentage of the disk in use from which images are removed; 100 = never. Default: 85; never
    /// on a container. A small disk is cleaned before it is under pressure (at 85, too) with less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 100))]
    pub high: Option<u8>,
    /// Percentage down to which they are removed. Default: 5 less than `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 99))]
    pub low: Option<u8>,
}

/// How much of its containers' logs a node keeps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerLogs {
    /// Size at which the log of a container is put aside and a new one begun, 64Ki to 1Gi. Default: 10Mi.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = SIZE))]
    pub max_size: Option<String>,
    /// Logs of one container that are kept, with the newest. Default: 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 100))]
    pub max_files: Option<u16>,
}

/// The machine's journal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Journal {
    /// Most that it takes on the disk, 16Mi to 64Gi, such as 200Mi; what is older goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = SIZE))]
    pub max_size: Option<String>,
}

/// Memory on the disk: `off`, `keep`, or a file with its size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Swap {
    /// Whether there may be any.
    Word(SwapWord),
    /// A file of Bramble's own.
    File(SwapFile),
}

/// Whether a machine may have swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SwapWord {
    /// What there is, is switched off.
    Off,
    /// What there is, or isn't, stays.
    Keep,
}

/// A file of swap.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwapFile {
    /// Its size, such as 1Gi; 16Mi to 64Gi. What swap the machine has besides stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = SIZE))]
    pub size: Option<String>,
}
