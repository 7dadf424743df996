//! Waiting, always bounded and named.

use crate::Error;
use std::time::Duration;
use tokio::time::Instant;

/// What is said while something runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A resource is looked at.
    Started {
        /// Its id.
        id: String,
    },
    /// It was changed.
    Changed {
        /// Its id.
        id: String,
    },
    /// It was as it should be.
    Unchanged {
        /// Its id.
        id: String,
    },
    /// Waiting for something.
    Waiting {
        /// For what, with the reasons known so far.
        what: String,
        /// How long so far.
        since: Duration,
        /// How long at most.
        limit: Duration,
    },
}

/// Who is told.
pub(crate) type Listener<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// An unchanged reason is said again after this.
const REPEAT: Duration = Duration::from_secs(5);

/// One time limit shared by several waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    limit: Duration,
}

impl Clock {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            start: Instant::now(),
            limit,
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }
}

/// A pause that grows with every turn (none before the first), for writes that others got in
/// between of.
pub(crate) async fn step_back(turn: u32) {
    tokio::time::sleep(Duration::from_millis(25) * turn).await;
}

/// What a look gave.
pub(crate) enum Look<T> {
    /// There it is.
    Done(T),
    /// Not yet: for what, and why.
    Not(String),
}

/// A wait under way: `loop { if let Some(it) = wait.judge(look().await).await? { break it } }`.
/// Passing errors of the server count as "not yet".
pub(crate) struct Wait<'a> {
    clock: Clock,
    on: Listener<'a>,
    begin: Instant,
    said: Option<(Instant, String)>,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(clock: Clock, on: Listener<'a>) -> Self {
        Self {
            clock,
            on,
            begin: Instant::now(),
            said: None,
        }
    }

    /// Gives what the look found. Otherwise says what is waited for and pauses, or ends with an
    /// error if the time is over.
    pub(crate) async fn judge<T>(
        &mut self,
        look: Result<Look<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let over = self.clock.left().is_zero();
        let what = match look {
            Ok(Look::Done(value)) => return Ok(Some(value)),
            Ok(Look::Not(what)) => what,
            Err(error) if error.is_passing() && !over => error.to_string(),
            Err(error) => return Err(error),
        };
        if over {
            return Err(Error::Expired {
                what,
                limit: self.clock.limit,
                log: Vec::new(),
            });
        }
        let new = self
            .said
            .as_ref()
            .is_none_or(|(at, text)| *text != what || at.elapsed() >= REPEAT);
        if new {
            (self.on)(Progress::Waiting {
                what: what.clone(),
                since: self.begin.elapsed(),
                limit: self.clock.limit,
            });
            self.said = Some((Instant::now(), what));
        }
        tokio::time::sleep(PAUSE.min(self.clock.left())).await;
        Ok(None)
    }
}
