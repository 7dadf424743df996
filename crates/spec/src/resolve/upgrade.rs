//! Rules for how nodes are raised to another release.

use super::{Resolver, route};
use crate::cluster::{MaxUnavailable, Upgrade};
use crate::file;
use crate::tree::shorten;
use std::time::Duration;

/// How long the pods of a node may take to leave it, where the file doesn't say.
const DRAIN: Duration = Duration::from_secs(300);

impl Resolver<'_> {
    pub(super) fn upgrade(&mut self, written: Option<&file::Upgrade>) -> Upgrade {
        let at = |key: &str| route!["spec", "kubernetes", "upgrade", key];
        let limit = written.and_then(|w| w.drain_timeout.as_deref());
        let limit = limit.and_then(|text| {
            let noun = "the time that pods have to leave a node";
            self.duration(text, &at("drainTimeout"), noun, ("1s", "1d"))
        });
        let away = written.and_then(|w| w.max_unavailable.as_ref());
        Upgrade {
            max_unavailable: away.map_or(MaxUnavailable::Count(1), |away| self.away(away)),
            drain_limit: limit.unwrap_or(DRAIN),
        }
    }

    /// How many workers may be away; the shape check knows the range of numbers.
    fn away(&mut self, written: &file::MaxUnavailable) -> MaxUnavailable {
        let text = match written {
            file::MaxUnavailable::Count(count) => {
                return MaxUnavailable::Count(usize::from(*count));
            }
            file::MaxUnavailable::Share(text) => text,
        };
        let digits = text.strip_suffix('%').unwrap_or_default();
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let percent = digits.parse::<u8>().ok().filter(|_| plain);
        let (code, message) = match percent {
            Some(percent @ 1..=100) => return MaxUnavailable::Percent(percent),
            Some(0) => (
                "no-worker-away",
                "with `0%` of the workers away at a time, an upgrade would never reach them"
                    .to_owned(),
            ),
            _ => (
                "bad-share",
                format!(
                    "`{}` is neither a number of workers nor a share of them",
                    shorten(text)
                ),
            ),
        };
        self.report(
            code,
            &at_away(),
            message,
            "write a number from 1 up without quotes, or a whole percentage from 1% to 100%; at least one worker is away at a time",
        );
        MaxUnavailable::Count(1)
    }
}

fn at_away() -> Vec<crate::shape::Seg> {
    route!["spec", "kubernetes", "upgrade", "maxUnavailable"]
}
