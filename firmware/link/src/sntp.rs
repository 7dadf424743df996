//! The time from a server (SNTP, RFC 4330). Its answers aren't signed: whoever is in the network can tell another time.
//! What follows from a wrong one is that certificates or requests are refused; nobody is believed because of it.

/// The port of time servers.
pub const PORT: u16 = 123;
/// Bytes of a message.
pub const LENGTH: usize = 48;
/// Between two questions, in milliseconds.
pub const AGAIN_MS: u64 = 2_000;

/// Seconds from 1900, where NTP's time begins, to 1970.
const EPOCH: u64 = 2_208_988_800;
/// Seconds of an era of NTP: its seconds have 32 bits, and begin anew in February 2036.
const ERA: u64 = 1 << 32;
/// A time before this one (2024-01-01) is one of the next era, or of a clock that isn't set.
const EARLIEST: u64 = 1_704_067_200;

/// A question. `cookie` is a random number that the answer repeats: its time stamp of the client, which only needs to be
/// different each time (RFC 4330, 5 recommends checking it).
pub fn request(cookie: u64) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    // No leap warning, version 4, client.
    message[0] = 4 << 3 | 3;
    message[40..48].copy_from_slice(&cookie.to_be_bytes());
    message
}

/// Seconds since 1970, if this is the answer to that question, from a server whose clock is set.
pub fn answer(message: &[u8], cookie: u64) -> Option<u64> {
    let message: &[u8; LENGTH] = message.get(..LENGTH)?.try_into().ok()?;
    let (leap, mode, stratum) = (message[0] >> 6, message[0] & 7, message[1]);
    let word = |at: usize| {
        message[at..at + 8]
            .try_into()
            .map(u64::from_be_bytes)
            .unwrap_or(0)
    };
    let (origin, transmitted) = (word(24), word(40));
    // Mode 4 is a server's; leap 3 and stratum 0 say that it has no time itself.
    let right = mode == 4
        && leap != 3
        && (1..=15).contains(&stratum)
        && origin == cookie
        && transmitted != 0;
    if !right {
        return None;
    }
    let seconds = transmitted >> 32;
    let unix = seconds.checked_sub(EPOCH).filter(|unix| *unix >= EARLIEST);
    Some(unix.unwrap_or(seconds + ERA - EPOCH))
}
