//! Disks of a machine, validated.

pub use crate::file::disk::FileSystem;

/// A disk of a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Disk {
    /// Absolute path of its stable name.
    pub device: String,
    /// Where it is mounted.
    pub at: String,
    /// Its file system.
    pub filesystem: FileSystem,
    /// Format it even if something else is on it.
    pub wipe: bool,
}
