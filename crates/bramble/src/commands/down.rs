//! `bramble down`.

use super::{lab, session};
use crate::args::{DownArgs, Global};
use crate::ask;
use crate::context::Context;
use crate::error::CliError;
use crate::plan_view;
use crate::printer::{Printer, Style};
use crate::progress::Progress;
use bramble_engine::Outcome;
use std::io::IsTerminal;

/// Takes it away.
pub async fn run(global: &Global, args: &DownArgs, printer: &Printer) -> Result<(), CliError> {
    if args.lab {
        return lab::gone(global, args.yes, printer).await;
    }
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
    let losses = plan_view::losses(&session.plan);
    if !std::io::stdin().is_terminal() {
        return Err(unconfirmed(name, &parts, losses));
    }
    printer.note(plan_view::text(&session.plan, &printer.to_stderr(), false));
    // Said in the plan as well, but a long plan has scrolled away by now.
    if let Some(losses) = losses {
        printer.note(losses);
    }
    let question = format!(
        "{}. Type the cluster's name ({name}) to go on:",
        plan_view::summary(&session.plan)
    );
    let answer = inquire::Text::new(&question)
        .prompt()
        .map_err(ask::unanswered)?;
    if answer.trim() == name {
        return Ok(());
    }
    Err(CliError::usage(
        "that is not the cluster's name; nothing was changed",
    ))
}

/// Nobody is there to be asked. What would be lost is named: whoever reads this decides by it.
fn unconfirmed(cluster: &str, parts: &[String], losses: Option<String>) -> CliError {
    let what = match parts {
        [] => cluster.to_owned(),
        parts => format!("{} of {cluster}", parts.join(", ")),
    };
    let losses = losses.map_or_else(String::new, |losses| format!(": {losses}"));
    CliError::usage(format!("taking {what} down must be confirmed{losses}"))
        .hint("say --yes; `bramble plan --down` shows what will happen")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use bramble_engine::{Plan, Scope, plan};
    use bramble_machine::Observation;
    use bramble_machine::journal::{Journal, Record};
    use bramble_machine::{Undo, kinds::minted};

    /// What a router's journal says of its keys, planned away.
    fn away(steps: &[&str]) -> Plan {
        let keys = |step: &str, group: &str, worth: Option<&str>| Record {
            id: format!("keys:{group}"),
            step: step.into(),
            undo: Undo::Minted(minted::Undo {
                group: group.into(),
                worth: worth.map(str::to_owned),
            }),
            pending: false,
            completed: true,
        };
        let seen = Observation {
            journal: Journal {
                records: vec![
                    keys("router/vpn", "vpn", Some("the keys of all VPN users")),
                    keys("router/registry", "registry", Some("the registry's key")),
                    keys("router/other", "other", None),
                ],
                ..Journal::default()
            },
            ..Observation::default()
        };
        let scope = Scope {
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            machines: Vec::new(),
        };
        let machine = plan::away(&seen, &scope, "gate").expect("a plan");
        Plan {
            machines: [("gate".to_owned(), machine)].into(),
            ..Plan::default()
        }
    }

    fn refused(steps: &[&str]) -> CliError {
        let parts: Vec<String> = steps.iter().map(|s| (*s).to_owned()).collect();
        unconfirmed("home", &parts, plan_view::losses(&away(steps)))
    }

    #[test]
    fn a_refusal_names_what_would_be_lost() {
        let error = refused(&["router"]);
        assert_eq!(error.kind, Kind::Usage);
        assert_eq!(
            error.message,
            "taking router of home down must be confirmed: this can't be brought back once it is done\n  \
             gate keys:registry: destroys: the registry's key\n  \
             gate keys:vpn: destroys: the keys of all VPN users"
        );
        assert_eq!(
            refused(&["router/vpn"]).message,
            "taking router/vpn of home down must be confirmed: this can't be brought back once it is done\n  \
             gate keys:vpn: destroys: the keys of all VPN users"
        );
        assert_eq!(
            refused(&["router/other"]).message,
            "taking router/other of home down must be confirmed"
        );
    }
}
