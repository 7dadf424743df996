//! `bramble up`.

use super::session;
use crate::args::{Global, RunArgs};
use crate::ask;
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::plan_view;
use crate::printer::{Printer, Style};
use crate::progress::Progress;
use bramble_engine::Outcome;
use bramble_machine::Blueprint;
use bramble_spec::cluster::Addon;

/// Makes it so.
pub async fn run(global: &Global, args: &RunArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::load(global, printer).await?;
    session::settled(printer, || once(&context, global, args, printer)).await
}

async fn once(
    context: &Context,
    global: &Global,
    args: &RunArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let progress = Progress::new(printer);
    let session = session::prepare(context, global, &args.scope, false, &progress).await?;
    for remark in &session.plan.remarks {
        printer.note(format!("note: {remark}"));
    }
    if !session.plan.obstacles.is_empty() {
        if printer.json() {
            session::report(&session, &Outcome::default(), printer);
            return Err(CliError::silent(Kind::Failed));
        }
        printer.warn_raw(&plan_view::text(&session.plan, &printer.to_stderr(), false));
        return Err(CliError::failed(
            "some machines can't be changed; nothing was changed anywhere",
        )
        .hint("the others can be changed by name meanwhile: --machine NAME"));
    }
    if session.plan.is_empty() {
        if printer.json() {
            session::report(&session, &Outcome::default(), printer);
        } else {
            printer.out(plan_view::summary(&session.plan));
        }
        return session::unreachable(&session, printer);
    }
    let lost = plan_view::destruction(&session.plan);
    if !lost.is_empty() {
        let what = format!(
            "this can't be brought back once it is done\n  {}",
            lost.join("\n  ")
        );
        ask::confirm(printer, args.yes, &what, &context.cluster.name)?;
    }
    printer.note(plan_view::summary(&session.plan));
    let outcome = session::carry_out(context, global, &session, "up", progress, printer).await?;
    if printer.json() {
        session::report(&session, &outcome, printer);
    }
    session::verdict(&session, &outcome, printer)?;
    if !printer.json() {
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
    Ok(())
}

/// Where things are and what to do with them.
fn whats_next(context: &Context, blueprint: &Blueprint, printer: &Printer) {
    let file = context.path.display();
    let first = context.cluster.machines.iter().find(|m| m.is_node());
    let demo = blueprint.api.iter().any(|step| step.name == "addon/demo");
    for addon in context.cluster.addons.iter().filter(|_| demo) {
        if let (Addon::Demo { node_port }, Some(machine)) = (addon, first) {
            printer.out(format!(
                "demo page   http://{}:{node_port}/",
                machine.address
            ));
        }
    }
    printer.out(format!(
        "kubectl     bramble kubeconfig -f {file} && kubectl get nodes"
    ));
    printer.out(format!("state       bramble status -f {file}"));
}
