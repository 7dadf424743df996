//! What keeps a node fit, validated.

use std::fmt;

/// A number of bytes, shown as Kubernetes writes it: `10Mi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// So many mebibytes.
    pub const fn mebi(count: u64) -> Self {
        Size(count << 20)
    }

    pub(crate) const fn of(bytes: u64) -> Self {
        Size(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "Gi"), (20, "Mi"), (10, "Ki")];
        let whole = |shift: &u32| self.0 > 0 && self.0.is_multiple_of(1 << shift);
        match units.iter().find(|(shift, _)| whole(shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Limits of the kubelet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kubelet {
    /// When images that nothing uses are removed; `None` = nothing is said: from 85 percent of the disk on, where
    /// the disk is the machine's own.
    pub image_gc: Option<ImageGc>,
    /// Size at which a new log of a container is begun.
    pub log_size: Size,
    /// Logs that are kept of a container; at least 2.
    pub log_files: u16,
}

/// When images that nothing uses are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageGc {
    /// Percentage of the disk in use from which they are; 100 = never.
    pub high: u8,
    /// Percentage down to which they are; less than the other.
    pub low: u8,
}

/// Memory on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// There is none.
    Off,
    /// What there is, or isn't, stays.
    Keep,
    /// A file of Bramble's own, of this size, beside what there is.
    File(Size),
}

impl Swap {
    /// Whether the machine may have any: the kubelet must be told.
    pub fn allowed(self) -> bool {
        self != Swap::Off
    }
}
