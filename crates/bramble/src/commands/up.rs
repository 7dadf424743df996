//! `bramble up`.

use super::lab;
use super::session::{self, Session};
use crate::args::{Global, RunArgs};
use crate::ask;
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::outside;
use crate::plan_view;
use crate::printer::{Printer, Style};
use crate::progress::Progress;
use bramble_engine::{Outcome, Plan};
use bramble_machine::Blueprint;
use bramble_spec::cluster::Version;

/// Makes it so.
pub async fn run(global: &Global, args: &RunArgs, printer: &Printer) -> Result<(), CliError> {
    if args.lab {
        lab::ready(global, printer).await?;
    }
    let context = Context::load(global, printer).await?;
    let mut reached = None;
    while let Some(release) = settled(&context, global, args, printer, true).await? {
        let wanted = context.cluster.kubernetes.version;
        if reached == Some(release) {
            let message =
                format!("{wanted} is too far away for machines that were left out of this");
            return Err(CliError::failed(message).hint("bring all machines there: bramble up"));
        }
        printer.note(format!("on the way to {wanted}: first to {release}"));
        let between = Context::load_release(global, release, printer).await?;
        settled(&between, global, args, printer, false).await?;
        reached = Some(release);
    }
    Ok(())
}

async fn settled(
    context: &Context,
    global: &Global,
    args: &RunArgs,
    printer: &Printer,
    last: bool,
) -> Result<Option<Version>, CliError> {
    session::settled(printer, || once(context, global, args, printer, last)).await
}

/// Once over. Does nothing where another release has to come first, and gives that. `last`: nothing comes
/// after it where it goes well.
async fn once(
    context: &Context,
    global: &Global,
    args: &RunArgs,
    printer: &Printer,
    last: bool,
) -> Result<Option<Version>, CliError> {
    let mut progress = Progress::new(printer);
    let mut session = session::prepare(context, global, &args.scope, false, &progress).await?;
    if session.first.is_some() {
        return Ok(session.first);
    }
    let mut opened = Outcome::default();
    announce(&session, &opened, printer)?;
    if let Some(part) = session.opening() {
        confirm(context, args, &part, printer)?;
        printer.note(format!("first {}", plan_view::work(&part)));
        opened = session::open_ways(context, global, &session, &part, progress, printer).await?;
        if !opened.complete() {
            end(&session, &opened, printer)?;
            return Ok(None);
        }
        progress = Progress::new(printer);
        session = session::prepare(context, global, &args.scope, false, &progress).await?;
        session.wait_no_longer(part.later);
        announce(&session, &opened, printer)?;
    }
    let mut outcome = opened;
    if !session.plan.is_empty() {
        confirm(context, args, &session.plan, printer)?;
        printer.note(plan_view::summary(&session.plan));
        let rest = session::carry_out(context, global, &session, "up", progress, printer).await?;
        outcome = rest.after(outcome);
    }
    if !last && outcome.complete() {
        return session::verdict(&session, &outcome, printer).map(|()| None);
    }
    end(&session, &outcome, printer)?;
    if !printer.json() {
        done(context, args, &session, &outcome, printer);
    }
    Ok(None)
}

/// Says what there is to say about a plan; an error where it can't be carried out. `so_far` is what was
/// done before.
fn announce(session: &Session, so_far: &Outcome, printer: &Printer) -> Result<(), CliError> {
    for remark in &session.plan.remarks {
        printer.note(format!("note: {remark}"));
    }
    if session.plan.obstacles.is_empty() {
        return Ok(());
    }
    if printer.json() {
        session::report(session, so_far, printer);
        return Err(CliError::silent(Kind::Failed));
    }
    printer.warn_raw(&plan_view::text(&session.plan, &printer.to_stderr(), false));
    let nothing = match so_far.changes {
        0 => "nothing was changed anywhere",
        _ => "nothing else was changed",
    };
    Err(
        CliError::failed(format!("some machines can't be changed; {nothing}"))
            .hint("the others can be changed by name meanwhile: --machine NAME"),
    )
}

/// What can't be brought back is asked about.
fn confirm(
    context: &Context,
    args: &RunArgs,
    plan: &Plan,
    printer: &Printer,
) -> Result<(), CliError> {
    match plan_view::losses(plan) {
        None => Ok(()),
        Some(what) => ask::confirm(printer, args.yes, &what, &context.cluster.name),
    }
}

/// The last line of JSON, and the error that the command ends with, if it does.
fn end(session: &Session, outcome: &Outcome, printer: &Printer) -> Result<(), CliError> {
    if printer.json() {
        session::report(session, outcome, printer);
    } else if outcome.changes == 0 && session.plan.is_empty() {
        printer.out(plan_view::summary(&session.plan));
    }
    session::verdict(session, outcome, printer)
}

fn done(
    context: &Context,
    args: &RunArgs,
    session: &Session,
    outcome: &Outcome,
    printer: &Printer,
) {
    if outcome.changes == 0 && session.plan.is_empty() {
        return;
    }
    let took = outcome.took.as_secs_f64();
    let done = format!(
        "{}: {} in {took:.1} s",
        context.cluster.name,
        plan_view::count(outcome.changes, "change")
    );
    printer.out(printer.paint(Style::Green, done));
    // A part that was asked for says nothing of a cluster that may not be there.
    if args.scope.steps.is_empty() && args.scope.machines.is_empty() {
        whats_next(context, &session.blueprint, printer);
    }
}

/// Where things are and what to do with them.
fn whats_next(context: &Context, blueprint: &Blueprint, printer: &Printer) {
    let file = context.path.display();
    let demo = blueprint.api.iter().any(|step| step.name == "addon/demo");
    let pages = outside::demo_pages(&context.cluster);
    if let Some(page) = pages.first().filter(|_| demo) {
        printer.out(format!("demo page   {page}"));
    }
    printer.out(format!(
        "kubectl     bramble kubeconfig -f {file} && kubectl get nodes"
    ));
    printer.out(format!("state       bramble status -f {file}"));
}
