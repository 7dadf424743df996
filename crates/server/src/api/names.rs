//! Names that people give.

use super::problem::Refused;

/// A DNS label (RFC 1123, 2.1).
pub(super) fn label(text: &str) -> Result<(), Refused> {
    if bramble_spec::dns_label(text) {
        return Ok(());
    }
    Err(Refused::wrong(
        "a name has 1 to 63 lower case letters, digits and hyphens, none of them at an end",
    ))
}
