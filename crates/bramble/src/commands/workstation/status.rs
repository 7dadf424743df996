//! `bramble workstation status`.

use super::connect::{is_set, read};
use super::hosts::{self, Found};
use super::needs;
use super::platform::{Platform, Resolver};
use super::record::Record;
use super::wanted::Wanted;
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::{Printer, Style};
use serde::Serialize;
use serde_json::json;

/// One thing of this computer.
#[derive(Debug, Serialize)]
struct Thing {
    what: String,
    state: State,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Set,
    Missing,
    Differs,
    /// Set for an older file.
    Stale,
    /// Only its owner can set it.
    ByHand,
}

impl State {
    fn shown(self, connected: bool, printer: &Printer) -> String {
        match self {
            State::Set => printer.paint(Style::Green, "set"),
            State::Missing if !connected => printer.paint(Style::Dim, "not set"),
            State::Missing => printer.paint(Style::Red, "missing"),
            State::Differs => printer.paint(Style::Yellow, "differs from the file"),
            State::Stale => printer.paint(Style::Yellow, "set, but no longer in the file"),
            State::ByHand => printer.paint(Style::Dim, "by hand"),
        }
    }
}

/// Shows what is set. Fails where this computer is connected and something is not as it should be.
pub async fn run(
    context: &Context,
    platform: &dyn Platform,
    printer: &Printer,
) -> Result<(), CliError> {
    let record = super::recorded(context)?;
    let cluster = &context.cluster.name;
    let connected = record.is_some();
    let record = record.unwrap_or_default();
    let wanted = needs(context, platform, &record.routes).await;
    let (things, problem) = match &wanted {
        Ok(wanted) => (things(wanted, &record, platform)?, None),
        Err(error) => (recorded(&record, cluster, platform)?, Some(error)),
    };
    let others: Vec<String> = Record::all().into_iter().filter(|c| c != cluster).collect();
    if printer.json() {
        printer.value(&json!({
            "cluster": cluster,
            "connected": connected,
            "things": things,
            "problem": problem.map(|e| &e.message),
            "otherClusters": others,
        }));
    } else {
        let word = if connected {
            "connected"
        } else {
            "not connected"
        };
        printer.out(format!("{}: {word}", printer.paint(Style::Bold, cluster)));
        for thing in &things {
            printer.out(format!(
                "  {}: {}",
                thing.what,
                thing.state.shown(connected, printer)
            ));
        }
        if let Some(error) = problem {
            printer.warn(&error.message);
            for hint in &error.hints {
                printer.note(format!("hint: {hint}"));
            }
        }
        if !others.is_empty() {
            printer.out(format!("also connected: {}", others.join(", ")));
        }
    }
    let fine = |t: &Thing| matches!(t.state, State::Set | State::ByHand);
    if connected && (problem.is_some() || !things.iter().all(fine)) {
        return Err(CliError::silent(Kind::Failed));
    }
    Ok(())
}

fn things(
    wanted: &Wanted,
    record: &Record,
    platform: &dyn Platform,
) -> Result<Vec<Thing>, CliError> {
    let present = platform.routes()?;
    let mut out = Vec::new();
    let mut thing = |what: String, state| out.push(Thing { what, state });
    for (route, what) in &wanted.routes {
        thing(
            format!("route to {what} ({}) by {}", route.to, route.via),
            state_of(is_set(route, &present)),
        );
    }
    for route in record.routes.iter().filter(|r| is_set(r, &present)) {
        if !wanted.routes.iter().any(|(w, _)| w == route) {
            thing(
                format!("route to {} by {}", route.to, route.via),
                State::Stale,
            );
        }
    }
    let state = match hosts::found(&hosts::read()?, &wanted.names.cluster) {
        Found::Lines(lines) if lines == wanted.hosts => State::Set,
        Found::Nothing => State::Missing,
        _ => State::Differs,
    };
    let names = wanted.hosts.lines().count();
    thing(format!("{names} names in {}", hosts::PATH), state);
    let dns = format!(
        "DNS of {} by {}",
        wanted.names.domains[0], wanted.names.server
    );
    match platform.resolver(&wanted.names, &record.links) {
        Resolver::ByHand(_) => thing(dns, State::ByHand),
        Resolver::Settings { files, links, .. } => {
            let mut states = Vec::new();
            for (path, content) in &files {
                states.push(match read(path)? {
                    Some(found) if found == *content => State::Set,
                    Some(_) => State::Differs,
                    None => State::Missing,
                });
            }
            states.extend(links.iter().map(|link| state_of(platform.holds_link(link))));
            let worst = [State::Missing, State::Differs]
                .into_iter()
                .find(|s| states.contains(s));
            thing(dns, worst.unwrap_or(State::Set));
        }
    }
    Ok(out)
}

fn state_of(set: bool) -> State {
    if set { State::Set } else { State::Missing }
}

/// What is known where the file's wishes can't be.
fn recorded(
    record: &Record,
    cluster: &str,
    platform: &dyn Platform,
) -> Result<Vec<Thing>, CliError> {
    let present = platform.routes()?;
    let mut out: Vec<Thing> = record
        .routes
        .iter()
        .map(|route| Thing {
            what: format!("route to {} by {}", route.to, route.via),
            state: state_of(is_set(route, &present)),
        })
        .collect();
    if hosts::found(&hosts::read()?, cluster) != Found::Nothing {
        out.push(Thing {
            what: format!("names in {}", hosts::PATH),
            state: State::Set,
        });
    }
    out.extend(record.files.iter().map(|path| Thing {
        what: path.display().to_string(),
        state: state_of(path.exists()),
    }));
    out.extend(record.links.iter().map(|link| Thing {
        what: format!("DNS of {} by {}", link.domains.join(" "), link.device),
        state: state_of(platform.holds_link(link)),
    }));
    Ok(out)
}
