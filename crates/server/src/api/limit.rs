//! How often a password may be tried from one address.

use super::problem::Refused;
use super::state::Limits;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use std::net::IpAddr;

/// Addresses remembered before those that are quiet again are dropped.
const MANY: usize = 10_000;

/// Counts tries by address; of IPv6 a whole /64 is one, since one house has it.
pub(super) struct Limiter {
    all: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let quota = Quota::per_minute(limits.a_minute).allow_burst(limits.tries);
        Self {
            all: DefaultKeyedRateLimiter::keyed(quota),
        }
    }

    /// Counts one try.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub(super) fn count(&self, address: IpAddr) -> Result<(), Refused> {
        if self.all.len() > MANY {
            self.all.retain_recent();
        }
        self.all.check_key(&house(address)).map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            Refused::too_often(wait.as_secs() + 1)
        })
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
