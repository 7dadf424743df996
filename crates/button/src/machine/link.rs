//! From a press to the broker.

use super::{Failure, Follow, Output, Phase, Press, Session, Turn};
use crate::request::ENTROPY;
use crate::{Protocol, Screen, UnixTime, limits};

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    /// To ask the handler how it is.
    Ask,
    /// To go on following.
    Follow(Follow),
}

impl Turn<'_> {
    pub(super) fn woken(&mut self, press: Press, entropy: [u8; ENTROPY]) {
        self.state.session = Session::new(press, entropy, self.now);
        let seed = matches!(self.settings.protocol, Protocol::Seed { .. });
        if seed && press == Press::Long {
            return self.end(Screen::RemovalUnknown);
        }
        self.say(Output::Wifi(true));
        self.logo(0);
    }

    pub(super) fn logo(&mut self, frame: u8) {
        if frame > limits::LOGO_FRAMES {
            return self.wait_for_wifi();
        }
        self.show(Screen::Logo { unfolded: frame });
        let wait = if frame < limits::LOGO_FRAMES {
            limits::LOGO_FRAME
        } else {
            limits::LOGO_WHOLE
        };
        self.enter(Phase::Logo { frame }, wait);
    }

    fn wait_for_wifi(&mut self) {
        let waited = self.now.saturating_sub(self.state.session.began);
        self.show(Screen::Wifi);
        self.enter(Phase::Wifi, limits::WIFI.saturating_sub(waited));
    }

    pub(super) fn wifi_up(&mut self) {
        if !matches!(self.state.phase, Phase::Logo { .. } | Phase::Wifi) {
            return;
        }
        if self.state.session.time(self.now).is_some() {
            return self.connect(1, Then::Ask);
        }
        self.say(Output::SyncClock);
        self.show(Screen::Clock);
        self.enter(Phase::Clock, limits::CLOCK);
    }

    /// A clock that ran through the sleep may tell the time before there is Wi-Fi. Later it is left alone: names and
    /// requests of one wake come from one clock.
    pub(super) fn clock_set(&mut self, time: Option<UnixTime>) {
        let early = matches!(
            self.state.phase,
            Phase::Logo { .. } | Phase::Wifi | Phase::Clock
        );
        let Some(time) = time.filter(|_| early) else {
            return;
        };
        self.state.session.set_clock(time, self.now);
        if self.state.phase == Phase::Clock {
            self.connect(1, Then::Ask);
        }
    }

    pub(super) fn connect(&mut self, attempt: u8, then: Then) {
        self.say(Output::Connect);
        if attempt == 1 {
            self.show(Screen::Broker);
        }
        self.enter(Phase::Connecting { attempt, then }, limits::CONNECT);
    }

    /// An attempt came to nothing, or took too long.
    pub(super) fn not_connected(&mut self, attempt: u8, then: Then) {
        if attempt >= limits::CONNECT_ATTEMPTS {
            return self.end(Screen::BrokerFailed);
        }
        // A hanging attempt must not become a second connection later.
        self.say(Output::Disconnect);
        self.enter(Phase::Pausing { attempt, then }, limits::CONNECT_PAUSE);
    }

    pub(super) fn broker_up(&mut self) {
        // In a pause, the attempt was given up.
        if !matches!(self.state.phase, Phase::Connecting { .. }) {
            return;
        }
        match core::mem::take(&mut self.state.phase) {
            Phase::Connecting {
                then: Then::Follow(follow),
                ..
            } => self.resume(follow),
            _ => self.ask_first(),
        }
    }

    pub(super) fn broker_failed(&mut self, failure: Failure) {
        if self.is_offline() {
            return;
        }
        if failure == Failure::Refused {
            return self.end(Screen::BrokerRefused);
        }
        match core::mem::take(&mut self.state.phase) {
            Phase::Connecting { attempt, then } => self.not_connected(attempt, then),
            Phase::Following(follow) => self.reconnect(Then::Follow(follow)),
            // A request may have come through or not: how things stand says the handler.
            _ => self.reconnect(Then::Ask),
        }
    }

    fn reconnect(&mut self, then: Then) {
        if self.state.session.reconnect() {
            self.connect(1, then);
        } else {
            self.end(Screen::BrokerLost);
        }
    }

    /// Whether there neither is nor begins a connection.
    fn is_offline(&self) -> bool {
        match self.state.phase {
            Phase::Asleep
            | Phase::Logo { .. }
            | Phase::Wifi
            | Phase::Clock
            | Phase::Pausing { .. }
            | Phase::Full { .. }
            | Phase::Showing => true,
            Phase::Connecting { .. }
            | Phase::Asking { .. }
            | Phase::Confirming { .. }
            | Phase::Requesting(_)
            | Phase::Following(_) => false,
        }
    }
}
