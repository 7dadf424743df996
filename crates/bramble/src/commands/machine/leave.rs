//! Machines leave the cluster, whatever becomes of their entries in the file.

use crate::args::Global;
use crate::ask;
use crate::commands::session::{self, Session};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::plan_view;
use crate::printer::Printer;
use crate::progress::Progress;
use bramble_engine::Outcome;
use bramble_engine::plan::ApiPlan;

/// What is asked for.
pub struct Wish<'a> {
    /// `remove`, `replace`.
    pub verb: &'static str,
    /// Machines.
    pub machines: &'a [String],
    /// Those that can't be reached are gone for good.
    pub lost: bool,
    /// Don't ask.
    pub yes: bool,
    /// What else happens, said before it is asked.
    pub then: &'a str,
}

/// The machines that a command names, each once.
pub fn named(context: &Context, names: &[String]) -> Result<Vec<String>, CliError> {
    let mut out: Vec<String> = Vec::new();
    for name in names {
        context.machine(name)?;
        if !out.contains(name) {
            out.push(name.clone());
        }
    }
    Ok(out)
}

/// Lets them leave. Gives those that were lost.
pub async fn run(
    context: &Context,
    global: &Global,
    wish: &Wish<'_>,
    printer: &Printer,
) -> Result<Vec<String>, CliError> {
    let progress = Progress::new(printer);
    let session =
        session::prepare_leaving(context, global, wish.machines, wish.lost, &progress).await?;
    let plan = &session.plan;
    for remark in &plan.remarks {
        printer.note(format!("note: {remark}"));
    }
    if !plan.obstacles.is_empty() {
        if printer.json() {
            session::report(&session, &Outcome::default(), printer);
            return Err(CliError::silent(Kind::Failed));
        }
        printer.warn_raw(&plan_view::obstacles(plan, &printer.to_stderr()));
        return Err(CliError::failed("nothing was changed anywhere"));
    }
    reached(&session, wish)?;
    let lost: Vec<String> = wish
        .machines
        .iter()
        .filter(|name| session.look.unseen.contains_key(*name))
        .cloned()
        .collect();
    confirm(context, &session, wish, &lost, printer)?;
    if plan.is_empty() {
        return Ok(lost);
    }
    let what = format!("machine {}", wish.verb);
    let outcome = session::carry_out(context, global, &session, &what, progress, printer).await?;
    if printer.json() {
        session::report(&session, &outcome, printer);
    }
    session::verdict(&session, &outcome, printer)?;
    Ok(lost)
}

/// Who is only out of reach is not taken for dead.
fn reached(session: &Session, wish: &Wish<'_>) -> Result<(), CliError> {
    let unreachable = &session.plan.unreachable;
    let missed = wish.machines.iter();
    let missed: Vec<&String> = missed.filter(|m| unreachable.contains_key(*m)).collect();
    let Some(first) = missed.first() else {
        return Ok(());
    };
    let names: Vec<&str> = missed.iter().map(|name| name.as_str()).collect();
    let names = names.join(", ");
    let why = &unreachable[*first];
    Err(CliError::new(
        Kind::Unreachable,
        format!("not reached: {names} ({why}); nothing was changed"),
    )
    .hint(format!(
        "if it is gone for good: bramble machine {} {} --lost",
        wish.verb,
        names.replace(',', "")
    )))
}

fn confirm(
    context: &Context,
    session: &Session,
    wish: &Wish<'_>,
    lost: &[String],
    printer: &Printer,
) -> Result<(), CliError> {
    let what = format!(
        "{} of {}: {}\n{}",
        wish.verb,
        context.cluster.name,
        wish.machines.join(", "),
        says(session, wish, lost).join("\n")
    );
    // Who says --yes reads it as well.
    if wish.yes {
        printer.note(&what);
    }
    ask::confirm(printer, wish.yes, &what, &wish.machines.join(" "))
}

/// What will happen, a line each.
fn says(session: &Session, wish: &Wish<'_>, lost: &[String]) -> Vec<String> {
    let plan = &session.plan;
    let mut out = Vec::new();
    for name in lost {
        out.push(format!(
            "  {name} can't be reached and is given up: nothing is moved off it, nothing is cleaned there"
        ));
    }
    let (rest, drains): (Vec<&ApiPlan>, Vec<_>) = plan
        .api
        .iter()
        .partition(|api| api.step.name.starts_with(session::LEAVE));
    let changes = |api: &ApiPlan| {
        let all = api.changes.iter().flatten();
        all.map(|c| format!("  {}: {}", c.id, c.summary))
            .collect::<Vec<_>>()
    };
    out.extend(drains.into_iter().flat_map(changes));
    for (name, machine) in &plan.machines {
        let items = || machine.steps.iter().flat_map(|step| &step.items);
        if wish.machines.contains(name) {
            let count = plan_view::count(items().count(), "change");
            if machine.changes() > 0 {
                out.push(format!(
                    "  {name}: {count} undone (bramble plan --down --machine {name} shows them)"
                ));
            }
            let destroys = items().filter_map(|item| item.change.destroys.as_ref());
            out.extend(destroys.map(|what| format!("    destroys: {what}")));
        } else {
            out.extend(items().map(|item| format!("  {name}: {}", item.change.summary)));
        }
    }
    out.extend(rest.into_iter().flat_map(changes));
    out.push(format!("  {}", wish.then));
    out
}
