//! A run with a platform in the events of `bramble up`, so that whoever reads those understands it.

use crate::error::{CliError, Kind};
use crate::printer::Printer;
use crate::progress::Progress;
use bramble_ccp::{Error, Told};
use bramble_engine::event::seconds;
use bramble_engine::{Event, Happened};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;

/// The step of each machine of the cluster.
const MACHINE: Step = Step("ccp/machine", "the platform makes the machine");

/// A step's name and title.
#[derive(Clone, Copy)]
pub struct Step(pub &'static str, pub &'static str);

/// Why a step did not work.
pub struct Broken {
    error: CliError,
    log: Vec<String>,
    stopped: bool,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self {
            log: error.log().to_vec(),
            stopped: matches!(error, Error::Stopped),
            error: error.into(),
        }
    }
}

impl From<CliError> for Broken {
    fn from(error: CliError) -> Self {
        Self {
            error,
            log: Vec::new(),
            stopped: false,
        }
    }
}

/// A run, as it is told.
pub struct Run {
    printer: Printer,
    begun: Instant,
    started: BTreeMap<&'static str, Instant>,
    changes: usize,
    /// Whether what the platform makes is this run's doing.
    ordered: bool,
    broken: Option<(Step, Broken)>,
    events: UnboundedSender<Event>,
    shown: JoinHandle<()>,
}

impl Run {
    /// Begins one with so many steps, those of machines included.
    pub fn begin(steps: usize, printer: &Printer) -> Self {
        if printer.json() {
            printer.line(&json!({ "event": "begin", "steps": steps, "later": 0, "changes": 1 }));
        }
        let (events, receiver) = mpsc::unbounded_channel();
        Self {
            printer: *printer,
            begun: Instant::now(),
            started: BTreeMap::new(),
            changes: 0,
            ordered: false,
            broken: None,
            events,
            shown: tokio::spawn(Progress::new(printer).follow(receiver)),
        }
    }

    /// A step begins.
    pub fn start(&mut self, step: Step) {
        self.started.insert(step.0, Instant::now());
        let title = step.1.into();
        self.event("", step, Happened::Started { title });
    }

    /// A step is done.
    pub fn finish(&mut self, step: Step, changes: usize) {
        self.changes += changes;
        let begun = self.started.get(step.0).copied().unwrap_or(self.begun);
        let took = begun.elapsed();
        self.event("", step, Happened::Finished { changes, took });
    }

    /// What a step gave; `None` where it did not work, which is told at once and in the end.
    pub fn settle<T>(&mut self, step: Step, done: Result<T, Broken>) -> Option<T> {
        let broken = match done {
            Ok(given) => return Some(given),
            Err(broken) => broken,
        };
        if !broken.stopped {
            let message = broken.error.message.clone();
            let log = broken.log.clone();
            self.event("", step, Happened::Failed { message, log });
        }
        self.broken = Some((step, broken));
        None
    }

    /// What is heard of the platform during a step.
    pub fn tell(&mut self, step: Step, told: Told) {
        match told {
            Told::Ordered { now: true } => self.ordered = true,
            Told::Ordered { now: false } => {
                let line = "it was ordered before, and is followed".into();
                self.event("", step, Happened::Output { line });
            }
            Told::Machine { name } => {
                let title = MACHINE.1.into();
                self.event(&name, MACHINE, Happened::Started { title });
                let begun = self.started.get(step.0).copied().unwrap_or(self.begun);
                let took = begun.elapsed();
                let changes = usize::from(self.ordered);
                self.changes += changes;
                self.event(&name, MACHINE, Happened::Finished { changes, took });
            }
            Told::Waiting { what, since, limit } => {
                let limit = Some(limit);
                self.event("", step, Happened::Waiting { what, since, limit });
            }
        }
    }

    fn event(&self, machine: &str, step: Step, what: Happened) {
        // Who shows them lives as long as the run.
        let _ = self.events.send(Event {
            at: self.begun.elapsed(),
            machine: machine.into(),
            step: step.0.into(),
            resource: None,
            what,
        });
    }

    /// The last line, and the error that the command ends with, if it does. `address`: where the cluster's API is.
    pub async fn end(self, address: Option<&str>) -> Result<(), CliError> {
        drop(self.events);
        let _ = self.shown.await;
        let took = self.begun.elapsed();
        if self.printer.json() {
            self.printer
                .line(&last(self.changes, self.broken.as_ref(), address, took));
        }
        let Some((step, broken)) = self.broken else {
            return Ok(());
        };
        let kind = broken.error.kind;
        if self.printer.json() {
            return Err(CliError::silent(kind));
        }
        let message = match kind {
            Kind::Interrupted => broken.error.message,
            _ => format!("failed: {}", step.0),
        };
        let hints = broken.error.hints;
        Err(CliError {
            kind,
            message,
            hints,
        })
    }
}

/// The end in JSON, as `bramble up` says it.
fn last(
    changes: usize,
    broken: Option<&(Step, Broken)>,
    address: Option<&str>,
    took: Duration,
) -> serde_json::Value {
    let failed = broken.filter(|(_, broken)| !broken.stopped);
    let failed = failed.map(
        |(step, broken)| json!({ "machine": "", "step": step.0, "message": broken.error.message }),
    );
    let mut line = json!({
        "event": "end",
        "changes": changes,
        "failed": failed.into_iter().collect::<Vec<_>>(),
        "skipped": [],
        "stopped": broken.is_some_and(|(_, broken)| broken.stopped),
        "unreachable": {},
        "obstacles": [],
        "took": seconds(took),
    });
    if let Some(address) = address {
        line["address"] = json!(address);
    }
    line
}
