//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Polls until the condition holds.
///
/// # Panics
/// When it does not within the limit.
#[track_caller]
pub fn until(what: &str, limit: Duration, condition: impl FnMut() -> bool) {
    until_else(what, limit, condition, String::new);
}

/// Polls until the condition holds; where it does not, what `seen` finds then is told as well.
///
/// # Panics
/// When it does not within the limit.
#[track_caller]
pub fn until_else(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> bool,
    seen: impl FnOnce() -> String,
) {
    let begin = Instant::now();
    while !condition() {
        if begin.elapsed() >= limit {
            panic!("{what}: not within {limit:?}\n{}", seen());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Polls until there is an answer.
///
/// # Panics
/// When there is none within the limit; the message names the last reason.
#[track_caller]
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
