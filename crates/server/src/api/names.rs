//! Names that people give.

use super::problem::Refused;

/// A DNS label (RFC 1123, 2.1).
pub(super) fn label(text: &str) -> Result<(), Refused> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = (1..=63).contains(&text.len())
        && text.chars().all(fine)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_label {
        return Ok(());
    }
    Err(Refused::wrong(
        "a name has 1 to 63 lower case letters, digits and hyphens, none of them at an end",
    ))
}
