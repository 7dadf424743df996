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

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }
}

/// What a look gave.
pub(crate) enum Look<T> {
    /// There it is.
    Done(T),
    /// Not yet: for what, and why.
    Not(String),
}

/// Looks until it is there or the time is over. Passing errors of the server count as "not yet".
pub(crate) async fn until<T>(
    clock: Clock,
    on: Listener<'_>,
    mut look: impl AsyncFnMut() -> Result<Look<T>, Error>,
) -> Result<T, Error> {
    let begin = Instant::now();
    let mut said: Option<(Instant, String)> = None;
    loop {
        let what = match look().await {
            Ok(Look::Done(value)) => return Ok(value),
            Ok(Look::Not(what)) => what,
            Err(error) if error.is_passing() => {
                if clock.left().is_zero() {
                    return Err(error);
                }
                error.to_string()
            }
            Err(error) => return Err(error),
        };
        if clock.left().is_zero() {
            return Err(Error::Expired {
                what,
                limit: clock.limit,
                log: Vec::new(),
            });
        }
        if said
            .as_ref()
            .is_none_or(|(at, text)| *text != what || at.elapsed() >= REPEAT)
        {
            on(Progress::Waiting {
                what: what.clone(),
                since: begin.elapsed(),
                limit: clock.limit,
            });
            said = Some((Instant::now(), what));
        }
        tokio::time::sleep(PAUSE.min(clock.left())).await;
    }
}
