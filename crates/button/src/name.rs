//! What a button's clusters are called.

use crate::id::is_dns_label;
use crate::{ButtonId, UnixTime, Word};
use core::fmt::{self, Write as _};
use core::str::FromStr;
use heapless::String;

/// A cluster's name: a DNS label (RFC 1123), at most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String<{ ClusterName::LONGEST }>);

/// Why something is no [`ClusterName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cluster's name has 1 to {longest} lower-case letters, digits and hyphens, and no hyphen at its ends",
    longest = ClusterName::LONGEST
)]
pub struct BadName;

/// `-YYYYMMDD-HHMMSS`.
const STAMP: usize = 16;
const _: () = assert!(ButtonId::LONGEST + STAMP <= ClusterName::LONGEST);

impl ClusterName {
    /// Characters at most.
    pub const LONGEST: usize = 63;

    /// `ID-YYYYMMDD-HHMMSS` in UTC: a button that is pressed once a second at most never says a name twice. The
    /// CCPDashButton's names had no date and came again the next day.
    pub fn made(id: &ButtonId, at: UnixTime) -> Self {
        let (year, month, day) = at.date();
        let mut name = String::new();
        // It fits: see the assertion above. The time's colons stay out.
        let _ = write!(name, "{id}-{year:04}{month:02}{day:02}-");
        for part in at.time_of_day().parts() {
            let _ = write!(name, "{part:02}");
        }
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if !is_dns_label(text) {
            return Err(BadName);
        }
        String::try_from(text).map(Self).map_err(|_| BadName)
    }
}

/// What an old button asks for need not be a name.
impl TryFrom<&Word> for ClusterName {
    type Error = BadName;

    fn try_from(word: &Word) -> Result<Self, BadName> {
        word.as_str().parse()
    }
}

impl From<&ClusterName> for Word {
    fn from(name: &ClusterName) -> Self {
        Self::label(name.as_str())
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
