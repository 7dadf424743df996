//! Every wait of a button, in milliseconds. Sources: the CCPDashButton's own limits where it had one.

/// One frame of the logo.
pub const LOGO_FRAME: u64 = 15;
/// Frames in which the logo unfolds.
pub const LOGO_FRAMES: u8 = 32;
/// The whole logo stays.
pub const LOGO_WHOLE: u64 = 600;
/// From the press until there is Wi-Fi: 1 s and 100 ms to begin, 10 looks of 500 ms. The logo is shown meanwhile.
pub const WIFI: u64 = 1_100 + 10 * 500;
/// Until the clock is set. The CCPDashButton waited for ever.
pub const CLOCK: u64 = 10_000;
/// One attempt to reach the broker: TCP, TLS, MQTT, subscriptions.
pub const CONNECT: u64 = 5_000;
/// Between two attempts.
pub const CONNECT_PAUSE: u64 = 2_000;
/// Attempts in a row.
pub const CONNECT_ATTEMPTS: u8 = 3;
/// How often in a wake a lost connection is made again, with as many attempts each.
pub const RECONNECTS: u8 = 3;
/// Until the handler says how it is.
pub const ASK: u64 = 30 * 100;
/// A question is asked again after this: messages get lost, and the CCPDashButton's handler merges two that come at
/// once and forgets the second.
pub const ASK_AGAIN: u64 = 1_000;
/// Until a removal is confirmed by a second press.
pub const CONFIRM: u64 = 10_000;
/// Until the handler confirms a request.
pub const REQUEST: u64 = 5 * 10 * 100;
/// What following may take beyond the average.
pub const FOLLOW_BEYOND: u64 = 120_000;
/// Past that, following goes on as long as the handler's percentage or step changes at least this often (version 2).
pub const FOLLOW_QUIET: u64 = 120_000;
/// Following ends in any case.
pub const FOLLOW_LONGEST: u64 = 3_600_000;
/// The bar moves, and limits are looked at, this often while following.
pub const FOLLOW_TICK: u64 = 1_000;
/// How often the handler is asked again while following: its one message of the result may have been lost.
pub const FOLLOW_ASK: u64 = 15_000;
/// The full bar is shown before the result.
pub const FULL: u64 = 500;
/// An error is shown.
pub const SHOW_ERROR: u64 = 5_000;
/// The timeout is shown.
pub const SHOW_TIMEOUT: u64 = 10_000;
/// A result is shown.
pub const SHOW_RESULT: u64 = 30_000;

const BROKER: u64 =
    CONNECT_ATTEMPTS as u64 * CONNECT + (CONNECT_ATTEMPTS as u64 - 1) * CONNECT_PAUSE;
/// From a connection to a confirmed request.
const TALK: u64 = ASK + CONFIRM + REQUEST;

/// A button whose following takes `follow` milliseconds at most sleeps so many milliseconds after the press at the
/// latest: everything before comes once, the way from the broker to a confirmed request once more for each reconnection.
pub(crate) const fn awake(follow: u64) -> u64 {
    let rounds = 1 + RECONNECTS as u64;
    WIFI + CLOCK + rounds * (BROKER + TALK) + follow + FOLLOW_TICK + FULL + SHOW_RESULT
}

/// How long following takes at most if only the time is known.
pub(crate) const fn follow(average_ms: u64) -> u64 {
    let limit = average_ms.saturating_add(FOLLOW_BEYOND);
    if limit < FOLLOW_LONGEST {
        limit
    } else {
        FOLLOW_LONGEST
    }
}

/// No button is awake longer than this after a press, whatever its settings.
pub const LONGEST_AWAKE: u64 = awake(FOLLOW_LONGEST);
