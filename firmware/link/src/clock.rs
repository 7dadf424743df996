//! What the time is, for those who check certificates.

use core::sync::atomic::{AtomicU32, Ordering};

/// Seconds since 1970, as they were last told; 0 if nobody has.
static NOW: AtomicU32 = AtomicU32::new(0);

/// Tells the time, in seconds since 1970 (until 2106).
pub fn set(seconds: u64) {
    NOW.store(u32::try_from(seconds).unwrap_or(0), Ordering::Relaxed);
}

/// The clock of TLS: certificates are checked against the time that was last told. A connection is made within seconds of
/// that, and certificates are made for days.
pub struct Told;

impl embedded_tls::TlsClock for Told {
    fn now() -> Option<u64> {
        match NOW.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(seconds.into()),
        }
    }
}
