//! Who a button is.

use crate::Word;
use core::fmt;
use core::str::FromStr;
use heapless::String;

/// A button's name: a DNS label (RFC 1123) of at most 40 characters. It is the sender in version 1, a level of the
/// topics in version 2, the client id at the broker, and begins the names of the button's clusters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ButtonId(String<{ ButtonId::LONGEST }>);

/// Why something is no [`ButtonId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a button's id has 1 to {longest} lower-case letters, digits and hyphens, and no hyphen at its ends",
    longest = ButtonId::LONGEST
)]
pub struct BadId;

impl ButtonId {
    /// Characters at most, so that a cluster's name made from it is a DNS label, with room for a suffix.
    pub const LONGEST: usize = 40;

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ButtonId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if !is_dns_label(text) {
            return Err(BadId);
        }
        String::try_from(text).map(Self).map_err(|_| BadId)
    }
}

impl From<&ButtonId> for Word {
    fn from(id: &ButtonId) -> Self {
        Self::label(id.as_str())
    }
}

impl fmt::Display for ButtonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether text is a DNS label (RFC 1123, lower case) of at most 63 characters.
pub(crate) fn is_dns_label(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
