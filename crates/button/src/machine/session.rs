//! What a button knows from a press until it sleeps.

use super::{Millis, Press};
use crate::request::ENTROPY;
use crate::{Ask, Nonce, Request, Settings, UnixTime, limits};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(super) press: Press,
    pub(super) began: Millis,
    entropy: [u8; ENTROPY],
    /// The time that was told, and when.
    clock: Option<(UnixTime, Millis)>,
    /// How many requests were made.
    sent: u16,
    reconnects: u8,
    /// The time of the latest report that was believed (version 2).
    believed: UnixTime,
}

impl Default for Session {
    fn default() -> Self {
        Self::new(Press::Short, [0; ENTROPY], 0)
    }
}

impl Session {
    pub(super) fn new(press: Press, entropy: [u8; ENTROPY], began: Millis) -> Self {
        Self {
            press,
            began,
            entropy,
            clock: None,
            sent: 0,
            reconnects: limits::RECONNECTS,
            believed: UnixTime::FIRST,
        }
    }

    pub(super) fn set_clock(&mut self, time: UnixTime, now: Millis) {
        self.clock = Some((time, now));
    }

    /// The time, if it is known.
    pub(super) fn time(&self, now: Millis) -> Option<UnixTime> {
        let (time, at) = self.clock?;
        Some(time.after_ms(now.saturating_sub(at)))
    }

    /// The next request and its number; none without the time.
    pub(super) fn request(
        &mut self,
        settings: &Settings,
        ask: Ask,
        now: Millis,
    ) -> Option<(u16, Request)> {
        let time = self.time(now)?;
        let number = self.sent;
        self.sent = number.checked_add(1)?;
        let request = Request {
            button: settings.id.clone(),
            time,
            nonce: Nonce::new(self.entropy, number),
            ask,
        };
        Some((number, request))
    }

    /// The number of the request of this wake that has this nonce.
    pub(crate) fn answered(&self, re: &Nonce) -> Option<u16> {
        re.number_in(&self.entropy)
            .filter(|number| *number < self.sent)
    }

    /// Whether a report isn't older than what was believed already: it is no repetition of an earlier one.
    pub(crate) fn is_news(&self, time: UnixTime) -> bool {
        time >= self.believed
    }

    pub(super) fn believe(&mut self, time: Option<UnixTime>) {
        self.believed = self.believed.max(time.unwrap_or(self.believed));
    }

    /// Takes one of the reconnections that are left.
    pub(super) fn reconnect(&mut self) -> bool {
        match self.reconnects.checked_sub(1) {
            Some(left) => {
                self.reconnects = left;
                true
            }
            None => false,
        }
    }
}
