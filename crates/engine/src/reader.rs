//! What a program says while it runs, turned into events, and why it failed.

use crate::event::Happened;
use crate::plan::StepPlan;
use crate::run::Runner;
use bramble_machine::program::Said;
use std::collections::VecDeque;
use std::time::Instant;

/// Lines of a tool's output that a failure shows.
const LOG_LINES: usize = 40;

/// Why a step failed.
pub(crate) struct Failure {
    pub(crate) resource: Option<String>,
    pub(crate) message: String,
    pub(crate) log: Vec<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            resource: None,
            message: message.into(),
            log: Vec::new(),
        }
    }
}

/// Turns what a program says into events.
pub(crate) struct Reader<'a, 'b> {
    runner: &'a Runner<'b>,
    machine: &'a str,
    step: &'a StepPlan,
    current: Option<(usize, Instant)>,
    log: VecDeque<String>,
    failed: Option<(usize, i32)>,
    busy: bool,
    pub(crate) ended: bool,
    pub(crate) changes: usize,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(crate) fn new(runner: &'a Runner<'b>, machine: &'a str, step: &'a StepPlan) -> Self {
        Self {
            runner,
            machine,
            step,
            current: None,
            log: VecDeque::new(),
            failed: None,
            busy: false,
            ended: false,
            changes: 0,
        }
    }

    fn say(&self, index: usize, what: Happened) {
        let id = self.step.items.get(index).map(|i| i.id.as_str());
        self.runner.say(self.machine, &self.step.name, id, what);
    }

    fn title(&self, index: usize) -> String {
        self.step
            .items
            .get(index)
            .map(|i| i.change.summary.clone())
            .unwrap_or_default()
    }

    pub(crate) fn take(&mut self, said: Said) {
        match said {
            Said::Started(index) => {
                self.current = Some((index, Instant::now()));
                self.log.clear();
                self.say(
                    index,
                    Happened::Started {
                        title: self.title(index),
                    },
                );
            }
            Said::Done(index) => {
                let took = self.current.map(|(_, t)| t.elapsed()).unwrap_or_default();
                self.changes += 1;
                self.say(
                    index,
                    Happened::Changed {
                        title: self.title(index),
                        took,
                    },
                );
            }
            Said::Failed(index, code) => self.failed = Some((index, code)),
            Said::Busy => self.busy = true,
            Said::End => self.ended = true,
            Said::Output(line) => {
                if let Some((index, _)) = self.current {
                    self.say(index, Happened::Output { line: line.clone() });
                }
                if self.log.len() == LOG_LINES {
                    self.log.pop_front();
                }
                self.log.push_back(line);
            }
        }
    }

    /// Whether the program began with the part at this place.
    pub(crate) fn came_to(&self, index: usize) -> bool {
        self.current.is_some_and(|(at, _)| at >= index)
    }

    pub(crate) fn failure(self, stderr: &str) -> Failure {
        let mut log: Vec<String> = self.log.into_iter().collect();
        if self.busy {
            return Failure::new(
                "another program of Bramble is still at work on the machine (a run that was cut off?); \
                 it did not end within 10 minutes",
            );
        }
        let index = self.failed.map(|(i, _)| i).or(self.current.map(|(i, _)| i));
        let item = index.and_then(|i| self.step.items.get(i));
        let what = item.map_or_else(
            || self.step.name.clone(),
            |i| format!("{}: {}", i.id, i.change.summary),
        );
        log.extend(
            stderr
                .lines()
                .map(str::to_owned)
                .filter(|l| !l.trim().is_empty()),
        );
        let message = match self.failed {
            Some((_, code)) => format!("{what} failed with exit code {code}"),
            None => format!("{what} was cut off"),
        };
        Failure {
            resource: item.map(|i| i.id.clone()),
            message,
            log,
        }
    }
}
