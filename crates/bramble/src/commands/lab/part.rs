//! A lab as a part of `up` and `down`: told by the same events as their steps.

use super::{base, explain, switch_on, tell, topology};
use crate::args::Global;
use crate::ask;
use crate::context::load_file;
use crate::error::{CliError, Kind};
use crate::printer::{Printer, Style};
use bramble_lab::{Event, Lab};
use serde_json::{Value, json};
use std::time::Instant;

/// The step that a machine's start and end are told as.
const STEP: &str = "lab";

/// Switches on the machines of the file.
///
/// # Errors
/// When they can't be; in JSON the last line says so too.
pub async fn ready(global: &Global, printer: &Printer) -> Result<(), CliError> {
    let (global, printer) = (global.clone(), *printer);
    blocking(move || {
        let cluster = load_file(&global.file, &printer)?;
        let part = Part::new(&printer);
        let topology = topology::topology(&cluster)?;
        // Nobody has seen the machines yet: each may need every step.
        let later = topology.machines.len() * bramble_blueprint::step_names().count();
        part.begin(topology.machines.len(), later);
        let made = switch_on(&topology, &|event| part.tell(&event));
        made.map_err(|error| part.failed(error))
    })
    .await
}

/// Takes the lab of the file away, once that is confirmed.
///
/// # Errors
/// When something of it stays; in JSON the last line says so too.
pub async fn gone(global: &Global, yes: bool, printer: &Printer) -> Result<(), CliError> {
    let (global, printer) = (global.clone(), *printer);
    blocking(move || {
        let name = load_file(&global.file, &printer)?.name;
        let labs = Lab::list(base());
        let machines = labs.iter().find(|l| l.name == name);
        let machines = machines.map_or(0, |lab| lab.machines.len());
        let what = format!("the lab {name} goes, with all that is on its machines");
        ask::confirm(&printer, yes, &what, &name)?;
        let part = Part {
            gone: machines,
            ..Part::new(&printer)
        };
        part.begin(machines, 0);
        let there = Lab::down_by_name(base(), &name, |event| part.tell(&event));
        let there = there.map_err(|error| part.failed(explain(error)))?;
        part.end(&[]);
        if !printer.json() {
            let took = part.start.elapsed().as_secs_f64();
            printer.out(match there {
                true => printer.paint(
                    Style::Green,
                    format!("{name}: the lab is gone, {took:.1} s"),
                ),
                false => format!("there is no lab {name}: nothing to do"),
            });
        }
        Ok(())
    })
    .await
}

/// The lab's calls wait for processes.
async fn blocking(
    work: impl FnOnce() -> Result<(), CliError> + Send + 'static,
) -> Result<(), CliError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| CliError::failed(format!("the lab's work broke off: {e}")))?
}

struct Part<'a> {
    printer: &'a Printer,
    start: Instant,
    /// Machines that are gone at its end.
    gone: usize,
}

impl<'a> Part<'a> {
    fn new(printer: &'a Printer) -> Self {
        Self {
            printer,
            start: Instant::now(),
            gone: 0,
        }
    }

    fn begin(&self, machines: usize, later: usize) {
        if self.printer.json() {
            self.printer.line(&json!({
                "event": "begin", "steps": machines, "later": later, "changes": machines,
            }));
            self.line(
                "",
                json!({ "event": "started", "title": "machines on this computer" }),
            );
        }
    }

    fn tell(&self, event: &Event) {
        if !self.printer.json() {
            return tell(self.printer, event);
        }
        let took = self.seconds();
        match event {
            Event::ImageProgress { line } => {
                self.line("", json!({ "event": "output", "line": line }));
            }
            Event::MachineStarted { machine } => {
                self.line(
                    machine,
                    json!({ "event": "started", "title": "switched on" }),
                );
            }
            Event::MachineReady { machine, .. } | Event::MachineStopped { machine } => {
                self.line(
                    machine,
                    json!({ "event": "finished", "changes": 1, "took": took }),
                );
            }
            _ => {}
        }
    }

    fn failed(&self, error: CliError) -> CliError {
        if !self.printer.json() {
            return error;
        }
        let failure = json!({ "machine": "", "step": STEP, "message": error.message });
        self.end(&[failure]);
        CliError::silent(Kind::Failed)
    }

    /// The last line of JSON.
    fn end(&self, failed: &[Value]) {
        if self.printer.json() {
            self.printer.line(&json!({
                "event": "end", "changes": if failed.is_empty() { self.gone } else { 0 }, "failed": failed, "skipped": [], "stopped": false,
                "unreachable": {}, "obstacles": [], "took": self.seconds(),
            }));
        }
    }

    fn line(&self, machine: &str, mut event: Value) {
        event["at"] = json!(self.seconds());
        event["machine"] = json!(machine);
        event["step"] = json!(STEP);
        self.printer.line(&event);
    }

    fn seconds(&self) -> f64 {
        bramble_engine::event::seconds(self.start.elapsed())
    }
}
