//! How a command that planned or ran ends: what it says last, and its exit code.

use super::Session;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use bramble_engine::lock::LockError;
use bramble_engine::observe::Unseen;
use bramble_engine::{Outcome, Plan};

/// The error that an outcome ends the command with, if it does.
pub fn verdict(session: &Session, outcome: &Outcome, printer: &Printer) -> Result<(), CliError> {
    told(ending(session, outcome), printer)
}

/// In JSON the result has said it already: one document, and the exit code.
fn told(result: Result<(), CliError>, printer: &Printer) -> Result<(), CliError> {
    result.map_err(|error| {
        if printer.json() {
            CliError::silent(error.kind)
        } else {
            error
        }
    })
}

fn ending(session: &Session, outcome: &Outcome) -> Result<(), CliError> {
    if !outcome.failed.is_empty() {
        let places: Vec<String> = outcome.failed.iter().map(|(m, s, _)| place(m, s)).collect();
        return Err(
            CliError::failed(format!("failed: {}", places.join(", "))).hint(
                "run the same command again once the cause is mended: it goes on where it stopped",
            ),
        );
    }
    if outcome.stopped {
        return Err(
            CliError::new(Kind::Interrupted, "stopped before everything was done")
                .hint("run the same command again: it goes on where it stopped"),
        );
    }
    if !outcome.skipped.is_empty() {
        return Err(not_reached(session, &|_| true));
    }
    reached(session)
}

/// What is about to be done, as the first line of JSON. `later`: about how many steps another part of the run
/// will have, whose first line comes then.
pub fn begin(plan: &Plan, later: usize, printer: &Printer) {
    if printer.json() {
        printer.line(&serde_json::json!({
            "event": "begin",
            "steps": plan.steps(),
            "later": later,
            "changes": plan.changes(),
        }));
    }
}

/// The outcome as the last line of JSON.
pub fn report(session: &Session, outcome: &Outcome, printer: &Printer) {
    let places = |all: &[(String, String)]| -> Vec<serde_json::Value> {
        all.iter()
            .map(|(m, s)| serde_json::json!({ "machine": m, "step": s }))
            .collect()
    };
    let failed: Vec<_> = outcome
        .failed
        .iter()
        .map(|(m, s, why)| serde_json::json!({ "machine": m, "step": s, "message": why }))
        .collect();
    printer.line(&serde_json::json!({
        "event": "end",
        "changes": outcome.changes,
        "failed": failed,
        "skipped": places(&outcome.skipped),
        "stopped": outcome.stopped,
        "unreachable": session.plan.unreachable,
        "obstacles": session.plan.obstacles,
        "took": bramble_engine::event::seconds(outcome.took),
    }));
}

/// An error if a machine was not seen or can't be changed.
pub fn unreachable(session: &Session, printer: &Printer) -> Result<(), CliError> {
    told(reached(session), printer)
}

fn reached(session: &Session) -> Result<(), CliError> {
    if !session.plan.obstacles.is_empty() {
        return Err(CliError::silent(Kind::Failed));
    }
    // A machine that nobody asked for is not missed.
    let asked = |name: &str| session.scope.machine(name);
    if session.plan.unreachable.keys().any(|name| asked(name)) {
        return Err(not_reached(session, &asked));
    }
    Ok(())
}

fn not_reached(session: &Session, counts: &dyn Fn(&str) -> bool) -> CliError {
    let names: Vec<&str> = session
        .plan
        .unreachable
        .keys()
        .map(String::as_str)
        .filter(|name| counts(name))
        .collect();
    let unseen = &session.look.unseen;
    if !unseen.values().any(Unseen::is_unreachable) {
        // They answer, so asking whether they do would not help.
        return CliError::failed(format!("not looked at: {}", names.join(", ")));
    }
    let error = CliError::new(
        Kind::Unreachable,
        format!("not reached: {}", names.join(", ")),
    );
    let through = names.iter().find_map(|name| session.awaited.get(*name));
    if let Some(through) = through {
        return error.hint(format!(
            "is it switched on, and is `mac` its hardware address? What got another address from {through} \
             before asks for its own after a restart"
        ));
    }
    let closed = names.iter().find_map(|name| match unseen.get(*name) {
        Some(Unseen::Closed { through }) => Some(through),
        _ => None,
    });
    error.hint(match closed {
        Some(through) => format!("it is behind {through}, which `bramble up` makes let it through"),
        None => "`bramble fleet ping` shows which machines answer".into(),
    })
}

/// `base/hosts on two`.
fn place(machine: &str, step: &str) -> String {
    if machine.is_empty() {
        step.to_owned()
    } else {
        format!("{step} on {machine}")
    }
}

/// Why a run could not begin.
pub fn locked(error: LockError) -> CliError {
    let text = crate::error::chain(&error);
    match error {
        LockError::Busy { machine, .. } => CliError::new(Kind::Locked, text)
            .hint("wait until that run is over; nothing was changed")
            .hint(format!(
                "if its computer is gone for good: bramble unlock {machine}"
            )),
        LockError::Stale { .. } => {
            CliError::new(Kind::Stale, text).hint("run the command again; nothing was changed")
        }
        LockError::LeftOver { .. } => CliError::new(Kind::Locked, text).hint(
            "a program of an earlier run is still at work there; wait, or restart the machine",
        ),
        _ => CliError::failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_still_at_work_is_a_lock() {
        let machine = "two".to_owned();
        let error = locked(LockError::LeftOver { machine });
        assert_eq!(error.kind.code(), 5);
        assert!(error.hints[0].contains("restart the machine"));
    }
}
