//! How often a password may be tried from one address.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Addresses remembered before those that are quiet again are dropped.
const MANY: usize = 10_000;

/// How often strangers may try something.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Tries of a password from one address in a row.
    pub tries: NonZeroU32,
    /// Further ones each minute.
    pub a_minute: NonZeroU32,
}

impl Default for Limits {
    /// Ten in a row, then ten a minute.
    fn default() -> Self {
        let ten = const { NonZeroU32::new(10).unwrap() };
        Self {
            tries: ten,
            a_minute: ten,
        }
    }
}

/// Counts tries by address; of IPv6 a whole /64 is one, since one house has it.
pub(crate) struct Limiter {
    all: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        let quota = Quota::per_minute(limits.a_minute).allow_burst(limits.tries);
        Self {
            all: DefaultKeyedRateLimiter::keyed(quota),
        }
    }

    /// Counts one try.
    ///
    /// # Errors
    /// How long to wait before the next one.
    pub(crate) fn count(&self, address: IpAddr) -> Result<(), Duration> {
        if self.all.len() > MANY {
            self.all.retain_recent();
        }
        let counted = self.all.check_key(&house(address));
        counted.map_err(|early| early.wait_time_from(DefaultClock::default().now()))
    }
}

/// Counts wrong tries by address: who knows the password is never too often there.
pub(crate) struct Failures {
    limiter: Limiter,
    /// Who isn't listened to, until when.
    closed: Mutex<HashMap<IpAddr, Instant>>,
}

impl Failures {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limiter: Limiter::new(limits),
            closed: Mutex::default(),
        }
    }

    /// Whether a try from an address is looked at at all.
    pub(crate) fn listens_to(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let closed = self.closed();
        closed
            .get(&house(address))
            .is_none_or(|until| *until <= now)
    }

    /// Counts a wrong try; how long that address isn't listened to from now on, if it was one too many.
    pub(crate) fn count(&self, address: IpAddr) -> Option<Duration> {
        let wait = self.limiter.count(address).err()?;
        let now = Instant::now();
        let mut closed = self.closed();
        if closed.len() > MANY {
            closed.retain(|_, until| *until > now);
        }
        closed.insert(house(address), now + wait);
        Some(wait)
    }

    fn closed(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn house(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tries_close_an_address_and_no_other() {
        let limits = Limits {
            tries: const { NonZeroU32::new(3).unwrap() },
            a_minute: const { NonZeroU32::new(1).unwrap() },
        };
        let failures = Failures::new(limits);
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|a| a.parse().expect(a));
        for _ in 0..3 {
            assert!(failures.listens_to(one));
            assert_eq!(failures.count(one), None);
        }
        assert!(failures.listens_to(one));
        let wait = failures.count(one).expect("one too many");
        assert!(wait > Duration::from_secs(30), "{wait:?}");
        assert!(!failures.listens_to(one));
        // A house has a whole /64.
        assert!(!failures.listens_to(same));
        assert!(failures.listens_to(other));
    }
}
