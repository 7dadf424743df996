//! Disks of a machine as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A disk of a machine, made ready and mounted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// Its stable name below /dev/disk/by-id, such as usb-SanDisk_Ultra_0101-0:0, or a path such as
    /// /dev/disk/by-path/... (names like /dev/sda change and are refused).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub id: Option<String>,
    /// Folder of its own where it is mounted, such as /srv/data; may be inside that of another disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = "^/"))]
    pub at: Option<String>,
    /// Its file system: a blank disk gets it once; one with data is never formatted. Default: ext4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<FileSystem>,
    /// Format it even if something else is on it; asks first. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wipe: Option<bool>,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// ext4.
    #[default]
    Ext4,
    /// XFS.
    Xfs,
}

impl FileSystem {
    /// The kernel's name.
    pub fn as_str(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "xfs",
        }
    }
}
