//! How long clusters may live that are taken down by themselves.

use super::problem::Refused;

/// Seconds of the shortest lifetime.
const SHORTEST: u64 = 60;

/// Seconds of the longest one: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 3600;

/// Refuses a lifetime that can't be meant.
pub(super) fn lifetime(field: &str, seconds: Option<u64>) -> Result<(), Refused> {
    if seconds.is_none_or(|s| (SHORTEST..=LONGEST).contains(&s)) {
        return Ok(());
    }
    Err(Refused::wrong(format!(
        "{field}: {SHORTEST} to {LONGEST} seconds"
    )))
}
