//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Polls until the condition holds.
///
/// # Panics
/// When it does not within the limit.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Polls until there is an answer.
///
/// # Panics
/// When there is none within the limit; the message names the last reason.
pub fn answer<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match ask() {
            Ok(value) => return value,
            Err(why) => assert!(
                begin.elapsed() < limit,
                "{what}: not within {limit:?}: {why}"
            ),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
