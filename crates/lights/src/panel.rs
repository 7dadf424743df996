//! One state that several sources speak to and several outputs show.

use crate::lights::Lights;
use crate::rules::Rules;
use crate::signal::Input;
use crate::state::State;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Time that never jumps: a board without a clock of its own learns the time of day late, and nothing must
/// expire by that.
#[derive(Debug, Clone, Copy)]
struct Clock {
    began: Instant,
    at: Timestamp,
}

impl Clock {
    fn start() -> Self {
        Self {
            began: Instant::now(),
            at: Timestamp::now(),
        }
    }

    fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.at.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}

struct Inner {
    rules: Arc<Rules>,
    state: State,
    /// When the timer looks again.
    look: Option<Timestamp>,
    /// Counts changes of what is the case.
    version: u64,
}

/// One state that several sources speak to and several outputs show.
pub struct Panel {
    inner: Mutex<Inner>,
    shown: watch::Sender<Arc<Lights>>,
    clock: Clock,
    sooner: Notify,
}

impl Panel {
    /// A panel where nothing is the case.
    pub fn new(rules: Rules) -> Arc<Self> {
        let clock = Clock::start();
        let state = State::default();
        let lights = Arc::new(state.lights(&rules, clock.now()));
        Arc::new(Self {
            inner: Mutex::new(Inner {
                rules: Arc::new(rules),
                state,
                look: None,
                version: 0,
            }),
            shown: watch::Sender::new(lights),
            clock,
            sooner: Notify::new(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The panel's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is shown, and whatever is shown from now on. Who looks late sees the latest.
    pub fn shown(&self) -> watch::Receiver<Arc<Lights>> {
        self.shown.subscribe()
    }

    /// What is shown just now.
    pub fn lights(&self) -> Arc<Lights> {
        self.shown.borrow().clone()
    }

    /// Takes something in; the lights show it when this returns.
    pub fn hear(&self, input: Input) {
        self.hear_all([input]);
    }

    /// Takes several things in at once.
    pub fn hear_all(&self, inputs: impl IntoIterator<Item = Input>) {
        self.change(|rules, state, now| {
            for input in inputs {
                state.absorb(rules, now, input);
            }
        });
    }

    /// The rules.
    pub fn rules(&self) -> Arc<Rules> {
        self.inner().rules.clone()
    }

    /// Other rules from now on, also for what is the case already.
    pub fn set_rules(&self, rules: Rules) {
        self.inner().rules = Arc::new(rules);
        self.change(|rules, state, now| state.revise(rules, now));
    }

    /// What is the case, to be kept, and a number that tells whether it has changed since.
    pub fn kept(&self) -> (State, u64) {
        let inner = self.inner();
        (inner.state.clone(), inner.version)
    }

    /// The number that [`Panel::kept`] gives.
    pub fn version(&self) -> u64 {
        self.inner().version
    }

    /// What was kept before.
    pub fn restore(&self, kept: State) {
        self.change(|rules, state, now| state.revive(kept, rules, now));
    }

    fn change(&self, change: impl FnOnce(&Rules, &mut State, Timestamp)) {
        let mut inner = self.inner();
        let now = self.clock.now();
        let rules = inner.rules.clone();
        change(&rules, &mut inner.state, now);
        inner.version += 1;
        let next = inner.state.next(&rules, now);
        let sooner = match (next, inner.look) {
            (Some(next), Some(look)) => next < look,
            (next, None) => next.is_some(),
            (None, _) => false,
        };
        // Shown before the lock is let go: nobody's older lights come after newer ones.
        self.show(inner.state.lights(&rules, now));
        drop(inner);
        if sooner {
            self.sooner.notify_one();
        }
    }

    fn show(&self, lights: Lights) {
        self.shown.send_if_modified(|shown| {
            let differs = **shown != lights;
            if differs {
                *shown = Arc::new(lights);
            }
            differs
        });
    }

    /// Lets time pass: what ends by itself ends, who is silent is missed. To be run beside everything else;
    /// never returns.
    pub async fn run(&self) {
        loop {
            let wait = {
                let mut inner = self.inner();
                let now = self.clock.now();
                let lights = inner.state.lights(&inner.rules, now);
                self.show(lights);
                inner.look = inner.state.next(&inner.rules, now);
                inner.look.map(|at| at.duration_since(now).unsigned_abs())
            };
            let sooner = self.sooner.notified();
            match wait {
                Some(wait) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = sooner => {}
                    }
                }
                None => sooner.await,
            }
        }
    }
}
