//! How far the bar is.
//!
//! The CCPDashButton counted turns of its loop and divided whole numbers, so that its bar stood at 99 % after 89
//! seconds whatever the average was, and never reached 100 %. Here the bar follows the handler's own steps where it
//! says them (version 2), and the time alone where it doesn't. Both laws end at 99: the last percent is the success.

/// While the request isn't confirmed.
pub const REQUESTED: u8 = 5;
/// When following begins.
pub const BEGUN: u8 = 10;
/// Only for what has succeeded.
pub const DONE: u8 = 100;

/// What is between the beginning and the success.
const SPAN: u64 = 89;

/// `10 + 89·min(1, elapsed/average)`, rounded down: 10 to 99. Both in milliseconds; an average of 0 counts as passed.
pub const fn by_time(elapsed_ms: u64, average_ms: u64) -> u8 {
    if elapsed_ms >= average_ms {
        return scaled(1, 1);
    }
    scaled(elapsed_ms, average_ms)
}

/// The handler's percentage (more than 100 counts as 100) on the same scale, so that the bar never goes back from
/// where the time had brought it to begin with.
pub const fn by_steps(percent: u8) -> u8 {
    scaled(if percent > 100 { 100 } else { percent as u64 }, 100)
}

const fn scaled(part: u64, whole: u64) -> u8 {
    // In wide numbers: milliseconds of any size times 89 must not overflow.
    BEGUN + (SPAN as u128 * part as u128 / whole as u128) as u8
}
