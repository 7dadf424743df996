//! `bramble down`.

use super::session;
use crate::args::{DownArgs, Global};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::plan_view;
use crate::printer::{Printer, Style};
use crate::progress::Progress;
use bramble_engine::Outcome;
use std::io::IsTerminal;

/// Takes it away.
pub async fn run(global: &Global, args: &DownArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    session::settled(printer, || once(&context, global, args, printer)).await
}

async fn once(
    context: &Context,
    global: &Global,
    args: &DownArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let progress = Progress::new(printer);
    let session = session::prepare(context, global, &args.scope, true, &progress).await?;
    for remark in &session.plan.remarks {
        printer.note(format!("note: {remark}"));
    }
    if !printer.json() && !session.plan.obstacles.is_empty() {
        printer.warn_raw(&plan_view::obstacles(&session.plan, &printer.to_stderr()));
    }
    if session.plan.is_empty() {
        if printer.json() {
            session::report(&session, &Outcome::default(), printer);
        } else {
            printer.out(plan_view::summary(&session.plan));
        }
        return session::unreachable(&session, printer);
    }
    confirm(context, args, &session, printer)?;
    let outcome = session::carry_out(context, global, &session, "down", progress, printer).await?;
    if printer.json() {
        session::report(&session, &outcome, printer);
    }
    session::verdict(&session, &outcome, printer)?;
    if !printer.json() {
        let took = outcome.took.as_secs_f64();
        let part = !args.scope.steps.is_empty() || !args.scope.machines.is_empty();
        let what = if part { "part of it" } else { "it" };
        let done = format!(
            "{}: {what} is down, {} in {took:.1} s",
            context.cluster.name,
            plan_view::count(outcome.changes, "change")
        );
        printer.out(printer.paint(Style::Green, done));
    }
    Ok(())
}

/// Nothing is destroyed unasked: `--yes`, or the cluster's name typed.
fn confirm(
    context: &Context,
    args: &DownArgs,
    session: &session::Session,
    printer: &Printer,
) -> Result<(), CliError> {
    if args.yes {
        return Ok(());
    }
    let name = &context.cluster.name;
    let parts = [&args.scope.machines[..], &args.scope.steps[..]].concat();
    let what = match parts.as_slice() {
        [] => name.clone(),
        parts => format!("{} of {name}", parts.join(", ")),
    };
    if !std::io::stdin().is_terminal() {
        return Err(
            CliError::usage(format!("taking {what} down must be confirmed"))
                .hint("say --yes; `bramble plan --down` shows what will happen"),
        );
    }
    printer.note(plan_view::text(&session.plan, &printer.to_stderr(), false));
    let question = format!(
        "{}. Type the cluster's name ({name}) to go on:",
        plan_view::summary(&session.plan)
    );
    let answer = inquire::Text::new(&question)
        .prompt()
        .map_err(|_| CliError::silent(Kind::Interrupted))?;
    if answer.trim() == name {
        return Ok(());
    }
    Err(CliError::usage(
        "that is not the cluster's name; nothing was changed",
    ))
}
