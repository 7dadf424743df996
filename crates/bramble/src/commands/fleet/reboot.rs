//! `bramble fleet reboot`: one after the other, each awaited.

use super::span;
use crate::args::Global;
use crate::ask;
use crate::context::Context;
use crate::error::{CliError, Kind, chain};
use crate::printer::{Printer, Style, paint};
use bramble_fleet::{Error, Session};
use bramble_spec::cluster::Machine;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a program on the machine may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Between two attempts to reach a machine that restarts.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the wait is told.
const TELL: Duration = Duration::from_secs(15);

/// Differs after every boot, in containers too.
const BOOT_ID: &[u8] = b"cat /proc/sys/kernel/random/boot_id\n";

/// Returns before the connection is cut.
const REBOOT: &[u8] = b"systemctl reboot\n";

/// Restarts the machines; stops at the first that doesn't come back.
pub async fn run(
    context: &Context,
    global: &Global,
    machines: &[&Machine],
    limit: Duration,
    yes: bool,
    printer: &Printer,
) -> Result<(), CliError> {
    let names: Vec<&str> = machines.iter().map(|m| m.name.as_str()).collect();
    let what = format!(
        "These machines will restart, one after the other: {}",
        names.join(", ")
    );
    // One machine is confirmed by its own name, several by the cluster's.
    let word = match names.as_slice() {
        [one] => one,
        _ => context.cluster.name.as_str(),
    };
    ask::confirm(printer, yes, &what, word)?;
    let mut done: Vec<Value> = Vec::new();
    for (i, machine) in machines.iter().enumerate() {
        let begin = Instant::now();
        printer.note(format!("  {} restarts", machine.name));
        match restart(context, global, machine, limit, printer).await {
            Ok(()) => {
                let took = begin.elapsed().as_secs_f64();
                let sign = paint(printer.color_err, Style::Green, "✓");
                printer.note(format!("{sign} {} is back after {took:.1} s", machine.name));
                done.push(json!({ "machine": machine.name, "back": true, "seconds": took }));
            }
            Err(error) => {
                let rest = &names[i + 1..];
                if printer.json() {
                    done.push(
                        json!({ "machine": machine.name, "back": false, "error": error.message }),
                    );
                    printer
                        .value(&json!({ "action": "reboot", "machines": done, "untouched": rest }));
                    return Err(CliError::silent(error.kind));
                }
                return Err(match rest {
                    [] => error,
                    rest => error.hint(format!("not restarted: {}", rest.join(", "))),
                });
            }
        }
    }
    if printer.json() {
        printer.value(&json!({ "action": "reboot", "machines": done, "untouched": [] }));
    } else {
        let s = if machines.len() == 1 { "" } else { "s" };
        printer.out(format!("{} machine{s} restarted", machines.len()));
    }
    Ok(())
}

async fn restart(
    context: &Context,
    global: &Global,
    machine: &Machine,
    limit: Duration,
    printer: &Printer,
) -> Result<(), CliError> {
    let target = context.target(machine);
    let session = context.fleet(global).connect(&target).await?;
    let before = boot_id(&session).await?;
    match session.run(REBOOT, LIMIT, "reboot", |_| {}).await {
        Ok(done) if !done.success() => {
            let (name, said) = (&machine.name, done.stderr_tail(3));
            return Err(CliError::failed(format!(
                "{name} did not restart: {} {said}",
                done.exit
            )));
        }
        Ok(_) => {}
        // Some machines are gone before they have answered.
        Err(error) if error.is_connection() => {}
        Err(error) => return Err(error.into()),
    }
    drop(session);
    let begin = Instant::now();
    let mut told = begin;
    loop {
        // A fleet of its own each time: the old connection must not be taken for a new one.
        let why = match back(context, global, &target, &before).await {
            Ok(true) => return Ok(()),
            Ok(false) => "it answers, but has not restarted yet".to_owned(),
            Err(error) => chain(&error),
        };
        let waited = begin.elapsed();
        if waited >= limit {
            let text = format!(
                "{} did not come back within {}: {why}",
                machine.name,
                span(limit.as_secs())
            );
            return Err(CliError::new(Kind::Unreachable, text)
                .hint("look at its console; --limit SECONDS waits longer"));
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            let (name, most) = (&machine.name, limit.as_secs());
            printer.note(format!(
                "  {name} waits to be back ({} of at most {most} s)",
                waited.as_secs()
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn back(
    context: &Context,
    global: &Global,
    target: &bramble_fleet::Target,
    before: &str,
) -> Result<bool, Error> {
    let session = context.fleet(global).connect(target).await?;
    Ok(boot_id(&session).await? != before)
}

async fn boot_id(session: &Session) -> Result<String, Error> {
    let done = session
        .run(BOOT_ID, LIMIT, "read the boot id", |_| {})
        .await?;
    let id = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    if done.success() && !id.is_empty() {
        return Ok(id);
    }
    Err(Error::Invalid(format!(
        "{} does not tell its boot id: {}",
        session.machine(),
        done.stderr_tail(3)
    )))
}
