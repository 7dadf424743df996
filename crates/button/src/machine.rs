//! The state machine: what a button does with a press, answers, and time.
//!
//! ```text
//! Asleep ─▶ Logo ─▶ Wifi ─▶ Clock ─▶ Connecting ⇄ Pausing
//!                                        │ ▲ connection lost
//!                                        ▼ │
//!                     Asking ─▶ (Confirming) ─▶ Requesting ─▶ Following ─▶ Full ─▶ Showing ─▶ Asleep
//! ```
//!
//! Every phase can also end in `Showing` an error. `Showing` begins with the broker left and Wi-Fi off. The phases of the
//! way to the broker are in `link`, the talk with the handler in `talk`, the bar in `follow`.

mod follow;
mod link;
mod session;
mod talk;

pub(crate) use session::Session;

use crate::hear::{self, Heard};
use crate::request::ENTROPY;
use crate::{Request, Screen, Settings, Unanswered, UnixTime, Word};
use follow::Follow;
use heapless::Vec;
use link::Then;

/// Milliseconds of any clock that never goes back; only differences count.
pub type Millis = u64;

/// How the button was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// A cluster is wanted.
    Short,
    /// The cluster isn't wanted any more (version 2).
    Long,
}

/// What happens to a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// A press woke it. For a button that is awake, this is the same as [`Input::Pressed`].
    Woken {
        /// Which.
        press: Press,
        /// Bytes of a cryptographic random source, fresh for this wake.
        entropy: [u8; ENTROPY],
    },
    /// A press while awake: it confirms a removal, and nothing else.
    Pressed,
    /// There is Wi-Fi, and an address.
    WifiUp,
    /// What the time is, in seconds since 1970. An implausible time counts for none.
    ClockSet(u64),
    /// The broker is connected, and [`Settings::subscriptions`] are made.
    BrokerUp,
    /// The broker couldn't be connected.
    BrokerFailed(Failure),
    /// The connection to the broker is gone.
    BrokerLost,
    /// A message came, after [`Input::BrokerUp`]: what the broker had kept, too.
    Heard {
        /// Where.
        topic: &'a str,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// The time that [`Output::Timer`] said has passed.
    Timer,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered, or the connection broke: trying again may help.
    Unreachable,
    /// The broker doesn't let the button in, or refuses its subscriptions: trying again doesn't help.
    Refused,
}

/// What a button's driver is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Switch Wi-Fi on and join, or switch it off.
    Wifi(bool),
    /// Ask a time server, and again while none answers.
    SyncClock,
    /// Connect to the broker once, with the button's id as client id, and subscribe. If Wi-Fi dropped, join again first.
    Connect,
    /// Leave the broker, or stop trying. Harmless where there is no connection.
    Disconnect,
    /// Send the [`Settings::message`] of this request, with quality of service 1 in version 2 and 0 in version 1.
    Publish(Request),
    /// Draw this.
    Show(Screen),
    /// Say [`Input::Timer`] in so many milliseconds. An earlier timer is void.
    Timer(Millis),
    /// Switch the display off and sleep deeply until a press.
    Sleep,
}

/// What one step may do: what a late timer does, and what the input does.
const OUTPUTS: usize = 12;
/// What a step does.
pub type Outputs = Vec<Output, OUTPUTS>;

/// Where a button is. [`State::default`] is asleep, as after power on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    phase: Phase,
    /// When something is to be done without any other input; `None` only in sleep.
    due: Option<Millis>,
    session: Session,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Phase {
    /// Until a press.
    #[default]
    Asleep,
    /// The logo unfolds while Wi-Fi comes up.
    Logo { frame: u8 },
    /// Wi-Fi isn't up yet.
    Wifi,
    /// The time isn't known yet.
    Clock,
    /// An attempt to reach the broker.
    Connecting { attempt: u8, then: Then },
    /// Before the next attempt.
    Pausing { attempt: u8, then: Then },
    /// The handler is asked how it is.
    Asking { until: Millis, why: Unanswered },
    /// A removal waits for a second press.
    Confirming { cluster: Word },
    /// The handler is to confirm a request.
    Requesting(talk::Requested),
    /// A run is followed.
    Following(Follow),
    /// The full bar, before a result.
    Full { result: Screen },
    /// The last screen, offline.
    Showing,
}

impl State {
    /// Whether the button sleeps: only [`Input::Woken`] changes that.
    pub fn is_asleep(&self) -> bool {
        self.phase == Phase::Asleep
    }

    /// When a button that shows its last screen sleeps: it hears no press before.
    pub fn deaf_until(&self) -> Option<Millis> {
        self.due.filter(|_| self.phase == Phase::Showing)
    }
}

/// One step: what follows from an input at a time.
///
/// `now` must not go back. The timer should be served in time: what is late makes a button sleep late.
pub fn step(settings: &Settings, state: State, now: Millis, input: Input<'_>) -> (State, Outputs) {
    let mut turn = Turn {
        settings,
        now,
        // A timer that came too early is set again.
        timer: input == Input::Timer,
        state,
        outputs: Outputs::new(),
    };
    // Whatever the input is: a flood of messages can't hold off a limit.
    if turn.state.due.is_some_and(|due| due <= now) {
        turn.timer();
    }
    turn.input(input);
    turn.set_timer();
    (turn.state, turn.outputs)
}

/// A step under way.
struct Turn<'a> {
    settings: &'a Settings,
    now: Millis,
    /// Whether the driver's timer has to be set.
    timer: bool,
    state: State,
    outputs: Outputs,
}

impl Turn<'_> {
    fn input(&mut self, input: Input<'_>) {
        match input {
            Input::Woken { press, entropy } if self.state.is_asleep() => self.woken(press, entropy),
            Input::Woken { .. } | Input::Pressed => self.pressed(),
            Input::WifiUp => self.wifi_up(),
            Input::ClockSet(seconds) => self.clock_set(UnixTime::new(seconds)),
            Input::BrokerUp => self.broker_up(),
            Input::BrokerFailed(failure) => self.broker_failed(failure),
            Input::BrokerLost => self.broker_failed(Failure::Unreachable),
            Input::Heard { topic, payload } => self.message(topic, payload),
            // Done already if it is time.
            Input::Timer => {}
        }
    }

    /// The wait of a phase has passed.
    fn timer(&mut self) {
        match core::mem::take(&mut self.state.phase) {
            Phase::Asleep => self.state.due = None,
            Phase::Logo { frame } => self.logo(frame + 1),
            Phase::Wifi => self.end(Screen::WifiFailed),
            Phase::Clock => self.end(Screen::ClockNotSet),
            Phase::Connecting { attempt, then } => self.not_connected(attempt, then),
            Phase::Pausing { attempt, then } => self.connect(attempt + 1, then),
            Phase::Asking { until, why } => self.ask_on(until, why),
            Phase::Confirming { .. } => self.end(Screen::NotConfirmed),
            Phase::Requesting(requested) => self.request_on(requested),
            Phase::Following(follow) => self.follow_on(follow),
            Phase::Full { result } => self.show_last(result),
            Phase::Showing => self.sleep(),
        }
    }

    /// A message: whatever it says, it must first be one that the phase can hear.
    fn message(&mut self, topic: &str, payload: &[u8]) {
        let talks = matches!(
            self.state.phase,
            Phase::Asking { .. }
                | Phase::Confirming { .. }
                | Phase::Requesting(_)
                | Phase::Following(_)
        );
        if !talks {
            return;
        }
        match hear::hear(self.settings, &self.state.session, topic, payload) {
            Some(Heard::Believed { status, time, re }) => {
                self.state.session.believe(time);
                self.believed(status, re);
            }
            Some(Heard::Hint(hint)) => self.hinted(hint),
            None => {}
        }
    }

    fn enter(&mut self, phase: Phase, wait: Millis) {
        self.state.phase = phase;
        self.state.due = Some(self.now.saturating_add(wait));
        self.timer = true;
    }

    fn say(&mut self, output: Output) {
        let said = self.outputs.push(output);
        debug_assert!(said.is_ok(), "a step has at most {OUTPUTS} outputs");
    }

    fn show(&mut self, screen: Screen) {
        self.say(Output::Show(screen));
    }

    /// The way to sleep: offline at once, the screen stays for its time.
    fn end(&mut self, screen: Screen) {
        self.leave();
        self.show_last(screen);
    }

    fn leave(&mut self) {
        self.say(Output::Disconnect);
        self.say(Output::Wifi(false));
    }

    fn show_last(&mut self, screen: Screen) {
        let held = screen.held_ms();
        self.show(screen);
        self.enter(Phase::Showing, held);
    }

    fn sleep(&mut self) {
        self.state = State::default();
        self.say(Output::Sleep);
    }

    fn set_timer(&mut self) {
        if let Some(due) = self.state.due.filter(|_| self.timer) {
            self.say(Output::Timer(due.saturating_sub(self.now)));
        }
    }
}
