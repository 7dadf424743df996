//! A plan as text and as JSON.

use crate::commands::LEAVE;
use crate::printer::{Printer, Style};
use bramble_engine::Plan;
use bramble_engine::api::ApiChange;
use bramble_machine::Verb;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The step that makes the API.
const INIT: &str = "control-plane/init";

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
                destroys(&mut out, printer, item.change.destroys.as_deref());
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
                    destroys(
                        &mut out,
                        printer,
                        api_destroys(&api.step.name, change).as_deref(),
                    );
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
                        known_once(plan),
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
    out.push_str(&obstacles(plan, printer));
    out
}

/// Machines that can't be changed, with why and what to do; empty if there are none.
pub fn obstacles(plan: &Plan, printer: &Printer) -> String {
    let mut out = String::new();
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

/// One line that sums up: `12 changes on 3 machines`; what was left out is said, too.
pub fn summary(plan: &Plan) -> String {
    let mut out: BTreeSet<&str> = plan.unreachable.keys().map(String::as_str).collect();
    out.extend(plan.obstacles.iter().map(|o| o.machine.as_str()));
    match out.len() {
        0 => work(plan),
        n => format!(
            "{}, without {} (see above)",
            work(plan),
            count(n, "machine")
        ),
    }
}

/// The same, without what was left out.
pub fn work(plan: &Plan) -> String {
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
    match (machines, api) {
        (0, _) => format!("{} in the cluster", count(changes, "change")),
        (_, 0) => format!(
            "{} on {}",
            count(changes, "change"),
            count(machines, "machine")
        ),
        _ => format!(
            "{} on {} and in the cluster",
            count(changes, "change"),
            count(machines, "machine")
        ),
    }
}

/// `1 change`, `2 changes`.
pub fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// What the plan destroys and nobody can bring back, one line for each change that does.
fn destruction(plan: &Plan) -> Vec<String> {
    let machines = plan.machines.iter().flat_map(|(name, machine)| {
        let items = machine.steps.iter().flat_map(|step| &step.items);
        items.filter_map(move |item| {
            let what = item.change.destroys.as_ref()?;
            Some(format!("{name} {}: destroys: {what}", item.id))
        })
    });
    let api = plan.api.iter().flat_map(|api| {
        let changes = api.changes.iter().flatten();
        changes.map(|change| (&api.step.name, change))
    });
    let api = api.filter_map(|(step, change)| {
        let what = api_destroys(step, change)?;
        Some(format!("cluster {}: destroys: {what}", change.id))
    });
    machines.chain(api).collect()
}

/// The same as one text that a question or a refusal shows; `None` if nothing is lost.
pub fn losses(plan: &Plan) -> Option<String> {
    let lost = destruction(plan);
    (!lost.is_empty()).then(|| {
        format!(
            "this can't be brought back once it is done\n  {}",
            lost.join("\n  ")
        )
    })
}

/// What removing an object takes with it.
fn api_destroys(step: &str, change: &ApiChange) -> Option<String> {
    if change.verb != Verb::Remove {
        return None;
    }
    let (kind, name) = change.id.split_once(':')?;
    match kind.rsplit('/').next()? {
        "node" if step.starts_with(LEAVE) => {
            Some(format!("the node {name}, with the local data of its pods"))
        }
        "Namespace" => Some(format!("everything in the namespace {name}")),
        "PersistentVolumeClaim" => Some(format!("the data of the claim {name}")),
        "PersistentVolume" => Some(format!("the data of the volume {name}")),
        "CustomResourceDefinition" => Some(format!("every object of the kind {name}")),
        _ => None,
    }
}

/// When the changes of the API are known that are not known now.
fn known_once(plan: &Plan) -> &'static str {
    if made_now(plan) {
        "known after control-plane/init"
    } else {
        "known once the API answers"
    }
}

/// Whether the plan makes the API.
fn made_now(plan: &Plan) -> bool {
    let mut steps = plan.machines.values().flat_map(|m| &m.steps);
    steps.any(|s| s.name == INIT && !s.undo && !s.items.is_empty())
}

fn destroys(out: &mut String, printer: &Printer, what: Option<&str>) {
    if let Some(what) = what {
        let text = printer.paint(Style::Red, format!("destroys: {what}"));
        let _ = writeln!(out, "      {text}");
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
                                "destroys": item.change.destroys,
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
            Some(changes) => {
                let changes: Vec<Value> = changes
                    .iter()
                    .map(|change| {
                        let mut out = json!(change);
                        out["destroys"] = json!(api_destroys(&api.step.name, change));
                        out
                    })
                    .collect();
                json!({ "step": api.step.name, "changes": changes })
            }
            None => json!({
                "step": api.step.name,
                "knownAfter": if made_now(plan) { INIT } else { "the API answers" },
                "resources": api.step.resources.iter().map(|r| r.id()).collect::<Vec<_>>(),
            }),
        })
        .collect();
    json!({
        "cluster": plan.cluster.name,
        "down": plan.down,
        "changes": plan.changes(),
        "machines": machines,
        "api": api,
        "unreachable": plan.unreachable,
        "later": plan.later,
        "obstacles": plan.obstacles,
        "remarks": plan.remarks,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::printer::Output;
    use bramble_engine::plan::{ApiPlan, Item, MachinePlan, StepPlan};
    use bramble_machine::api::ApiResource;
    use bramble_machine::step::ApiStep;
    use bramble_machine::{Change, Script, Undo};

    const PRINTER: Printer = Printer {
        output: Output::Text,
        quiet: false,
        color: true,
        color_err: false,
        live: false,
    };

    fn step(name: &str, destroys: Option<&str>) -> StepPlan {
        let undo = Undo::Action(Default::default());
        let mut change = Change::new(Verb::Remove, "undo it", Script::new(), undo);
        change.destroys = destroys.map(str::to_owned);
        StepPlan {
            name: name.into(),
            needs: Vec::new(),
            items: vec![Item {
                id: "user:anna".into(),
                change,
            }],
            finally: Script::new(),
            undo: true,
        }
    }

    fn on_two(step: StepPlan) -> Plan {
        let machine = MachinePlan {
            steps: vec![step],
            journal_size: 0,
        };
        Plan {
            machines: [("two".to_owned(), machine)].into(),
            ..Plan::default()
        }
    }

    fn api(changes: Option<Vec<(&str, Verb)>>) -> ApiPlan {
        let change = |(id, verb): (&str, Verb)| ApiChange {
            id: id.into(),
            verb,
            summary: "so it is".into(),
            diff: None,
        };
        ApiPlan {
            step: ApiStep {
                name: "addon/shop".into(),
                resources: vec![ApiResource::Object {
                    manifest: json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" } }),
                    wait: false,
                }],
                needs: Vec::new(),
            },
            changes: changes.map(|all| all.into_iter().map(change).collect()),
            apart: false,
            unless_failed: Vec::new(),
        }
    }

    #[test]
    fn what_destroys_on_a_machine_is_listed_and_red() {
        let plan = on_two(step("retire", Some("/home/anna")));
        assert_eq!(
            destruction(&plan),
            ["two user:anna: destroys: /home/anna".to_owned()]
        );
        let text = text(&plan, &PRINTER, false);
        assert!(
            text.contains("\x1b[31mdestroys: /home/anna\x1b[0m"),
            "{text}"
        );
        let json = json(&plan);
        let change = &json["machines"][0]["steps"][0]["changes"][0];
        assert_eq!(change["destroys"], "/home/anna");
    }

    #[test]
    fn what_destroys_nothing_is_not_asked_about() {
        let mut plan = on_two(step("retire", None));
        plan.api.push(api(Some(vec![
            ("v1/Namespace:shop", Verb::Create),
            ("v1/Namespace:inn", Verb::Update),
            ("apps/v1/Deployment:shop/web", Verb::Remove),
            ("node:two", Verb::Remove),
        ])));
        assert_eq!(destruction(&plan), Vec::<String>::new());
        assert!(!text(&plan, &PRINTER, false).contains("destroys"));
    }

    #[test]
    fn removed_objects_that_hold_others_or_data_are_asked_about() {
        let mut plan = Plan::default();
        plan.api.push(api(Some(vec![
            ("v1/Namespace:shop", Verb::Remove),
            ("v1/PersistentVolumeClaim:inn/db", Verb::Remove),
            ("v1/PersistentVolume:disk", Verb::Remove),
        ])));
        let lost = destruction(&plan);
        assert_eq!(
            lost,
            [
                "cluster v1/Namespace:shop: destroys: everything in the namespace shop",
                "cluster v1/PersistentVolumeClaim:inn/db: destroys: the data of the claim inn/db",
                "cluster v1/PersistentVolume:disk: destroys: the data of the volume disk",
            ]
        );
        let json = json(&plan);
        assert_eq!(
            json["api"][0]["changes"][0]["destroys"],
            "everything in the namespace shop"
        );
    }

    #[test]
    fn unknown_changes_of_the_api_count_and_say_when_they_are_known() {
        let mut plan = Plan::default();
        plan.api.push(api(None));
        assert!(!plan.is_empty());
        let said = text(&plan, &PRINTER, false);
        assert!(
            said.contains("v1/Pod:a: known once the API answers"),
            "{said}"
        );
        assert_eq!(json(&plan)["api"][0]["knownAfter"], "the API answers");

        let mut init = step(INIT, None);
        init.undo = false;
        let mut plan = on_two(init);
        plan.api.push(api(None));
        let said = text(&plan, &PRINTER, false);
        assert!(
            said.contains("v1/Pod:a: known after control-plane/init"),
            "{said}"
        );
        assert_eq!(json(&plan)["api"][0]["knownAfter"], INIT);
    }
}
