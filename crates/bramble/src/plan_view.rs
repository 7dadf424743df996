//! A plan as text and as JSON.

use crate::printer::{Printer, Style};
use bramble_engine::Plan;
use bramble_machine::Verb;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The plan for people. `full` shows the differences of files.
pub fn text(plan: &Plan, printer: &Printer, full: bool) -> String {
    let mut out = String::new();
    for (machine, what) in &plan.machines {
        for step in what.steps.iter().filter(|s| !s.items.is_empty()) {
            let _ = writeln!(
                out,
                "{} {}",
                printer.paint(Style::Bold, machine),
                printer.paint(Style::Cyan, &step.name)
            );
            for item in &step.items {
                line(
                    &mut out,
                    printer,
                    item.change.verb,
                    &item.id,
                    &item.change.summary,
                );
                if let (true, Some(diff)) = (full, &item.change.diff) {
                    show_diff(&mut out, printer, diff);
                }
                for upload in &item.change.uploads {
                    let size = upload.size.div_ceil(1_000_000);
                    let _ = writeln!(
                        out,
                        "      {}",
                        printer.paint(Style::Dim, format!("copies {size} MB"))
                    );
                }
            }
        }
    }
    for api in &plan.api {
        let name = printer.paint(Style::Cyan, &api.step.name);
        match &api.changes {
            Some(changes) if changes.is_empty() => {}
            Some(changes) => {
                let _ = writeln!(out, "{} {name}", printer.paint(Style::Bold, "cluster"));
                for change in changes {
                    line(&mut out, printer, change.verb, &change.id, &change.summary);
                    if let (true, Some(diff)) = (full, &change.diff) {
                        show_diff(&mut out, printer, diff);
                    }
                }
            }
            None => {
                let _ = writeln!(out, "{} {name}", printer.paint(Style::Bold, "cluster"));
                for resource in &api.step.resources {
                    line(
                        &mut out,
                        printer,
                        Verb::Create,
                        &resource.id(),
                        "known after control-plane/init",
                    );
                }
            }
        }
    }
    for (machine, why) in &plan.unreachable {
        let _ = writeln!(
            out,
            "{} {why}",
            printer.paint(Style::Red, format!("{machine} not seen:"))
        );
    }
    for obstacle in &plan.obstacles {
        let _ = writeln!(
            out,
            "{} {}",
            printer.paint(
                Style::Red,
                format!("{} can't be changed:", obstacle.machine)
            ),
            obstacle.message
        );
        let _ = writeln!(
            out,
            "  {} {}",
            printer.paint(Style::Cyan, "hint:"),
            obstacle.hint
        );
    }
    out
}

/// One line that sums up: `12 changes on 3 machines`.
pub fn summary(plan: &Plan) -> String {
    let changes = plan.changes();
    if changes == 0 {
        return "nothing to do".into();
    }
    let machines = plan.machines.values().filter(|m| m.changes() > 0).count();
    let api: usize = plan
        .api
        .iter()
        .map(|a| a.changes.as_ref().map_or(a.step.resources.len(), Vec::len))
        .sum();
    let s = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (machines, api) {
        (0, _) => format!("{} in the cluster", s(changes, "change")),
        (_, 0) => format!("{} on {}", s(changes, "change"), s(machines, "machine")),
        _ => format!(
            "{} on {} and in the cluster",
            s(changes, "change"),
            s(machines, "machine")
        ),
    }
}

fn line(out: &mut String, printer: &Printer, verb: Verb, id: &str, summary: &str) {
    let (sign, style) = match verb {
        Verb::Create => ("+", Style::Green),
        Verb::Update | Verb::Restart => ("~", Style::Yellow),
        Verb::Remove => ("-", Style::Red),
        Verb::Run => ("▸", Style::Yellow),
    };
    let _ = writeln!(out, "  {} {id}: {summary}", printer.paint(style, sign));
}

fn show_diff(out: &mut String, printer: &Printer, diff: &str) {
    for text in diff.lines() {
        let style = match text.as_bytes().first() {
            Some(b'+') => Style::Green,
            Some(b'-') => Style::Red,
            _ => Style::Dim,
        };
        let _ = writeln!(out, "      {}", printer.paint(style, text));
    }
}

/// The plan for programs.
pub fn json(plan: &Plan) -> Value {
    let machines: Vec<Value> = plan
        .machines
        .iter()
        .map(|(name, machine)| {
            let steps = machine
                .steps
                .iter()
                .filter(|s| !s.items.is_empty())
                .map(|step| {
                    let changes: Vec<Value> = step
                        .items
                        .iter()
                        .map(|item| {
                            json!({
                                "id": item.id,
                                "verb": item.change.verb,
                                "summary": item.change.summary,
                                "diff": item.change.diff,
                                "uploads": item.change.uploads,
                                "knownAfter": item.change.needs,
                            })
                        })
                        .collect();
                    json!({ "step": step.name, "changes": changes })
                });
            json!({ "machine": name, "steps": steps.collect::<Vec<_>>() })
        })
        .collect();
    let api: Vec<Value> = plan
        .api
        .iter()
        .map(|api| match &api.changes {
            Some(changes) => json!({ "step": api.step.name, "changes": changes }),
            None => json!({
                "step": api.step.name,
                "knownAfter": "control-plane/init",
                "resources": api.step.resources.iter().map(|r| r.id()).collect::<Vec<_>>(),
            }),
        })
        .collect();
    json!({
        "cluster": plan.cluster,
        "down": plan.down,
        "changes": plan.changes(),
        "machines": machines,
        "api": api,
        "unreachable": plan.unreachable,
        "obstacles": plan.obstacles,
        "remarks": plan.remarks,
    })
}
