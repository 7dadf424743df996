//! What a build says while it works.

use std::time::{Duration, Instant};

use crate::bundle::Finding;

/// One message of a running build. The receiver decides what of it is shown.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A stage begins.
    Stage {
        /// Its name, fit to be shown.
        name: String,
        /// Its number, counted from 1.
        number: usize,
        /// How many stages there are.
        of: usize,
    },
    /// A stage is done.
    StageDone {
        /// Its name.
        name: String,
        /// It was already done by an earlier build.
        cached: bool,
        /// How long it took now.
        took: Duration,
    },
    /// A program of the stage wrote a line.
    Output {
        /// The stage's name.
        stage: String,
        /// The line, without its end.
        line: String,
    },
    /// Part of a file has arrived.
    Transfer {
        /// What is being transferred.
        name: String,
        /// Bytes so far, including those of an earlier, interrupted transfer.
        done: u64,
        /// All bytes, where the server said so.
        total: Option<u64>,
    },
    /// A transfer failed and is tried again.
    Retry {
        /// What is being transferred.
        name: String,
        /// Why.
        problem: String,
        /// After how long.
        after: Duration,
    },
    /// Something else has to happen first.
    Waiting {
        /// What for.
        what: String,
        /// How long at most.
        limit: Duration,
    },
    /// A blob of an earlier build is not as it should be; this build replaces it.
    Damaged(Finding),
}

/// Where events go. Builds hold it by reference, so that any closure does.
pub(crate) type Sink<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// A stage that is being worked on and keeps nothing for later.
pub(crate) struct Phase<'a> {
    name: &'a str,
    since: Instant,
    events: Sink<'a>,
}

impl<'a> Phase<'a> {
    pub(crate) fn begin(events: Sink<'a>, name: &'a str, number: usize, of: usize) -> Phase<'a> {
        events(Event::Stage {
            name: name.into(),
            number,
            of,
        });
        Phase {
            name,
            since: Instant::now(),
            events,
        }
    }

    pub(crate) fn done(self) {
        (self.events)(Event::StageDone {
            name: self.name.into(),
            cached: false,
            took: self.since.elapsed(),
        });
    }
}
