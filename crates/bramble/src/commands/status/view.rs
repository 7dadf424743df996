//! The state as text and as JSON.

use super::look::{ApiState, Drift, MachineState, Seen, State};
use super::planes::Plane;
use crate::commands::fleet::span;
use crate::context::Context;
use crate::printer::{Printer, Style};
use crate::table::{Cell, cell, lines};
use bramble_blueprint::certs::Standing;
use bramble_kube::ClusterStatus;
use bramble_spec::cluster::{Machine, Role};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Warnings shown as text; JSON has all.
const WARNINGS: usize = 5;

/// For people.
pub fn text(context: &Context, state: &State, printer: &Printer) {
    let cluster = &context.cluster;
    let has = match &state.api {
        ApiState::Answers(status) => status.version.clone(),
        ApiState::Absent => "not there yet".into(),
        ApiState::Silent(_) => "does not answer".into(),
    };
    let wanted = cluster.kubernetes.version.to_string();
    let name = printer.paint(Style::Bold, &cluster.name);
    let file = if has == wanted {
        String::new()
    } else {
        format!(" (the file: {wanted})")
    };
    printer.out(format!("{name}  Kubernetes {has}{file}"));
    printer.out("");
    let mut rows = vec![heads(&[
        "MACHINE", "ADDRESS", "ROLES", "OS", "KERNEL", "UP", "MEMORY", "FILE",
    ])];
    for state in &state.machines {
        if let Some(machine) = cluster.machine(&state.name) {
            rows.push(machine_row(machine, state));
        }
    }
    show(printer, &rows);
    if !state.planes.is_empty() {
        printer.out("");
        planes(&state.planes, printer);
    }
    if let ApiState::Answers(status) = &state.api {
        printer.out("");
        nodes(status, printer);
        printer.out("");
        pods(status, printer);
    }
    let troubles = state.troubles(context);
    printer.out("");
    for trouble in &troubles {
        printer.out(format!("{} {trouble}", printer.paint(Style::Red, "✗")));
    }
    if troubles.is_empty() {
        printer.out(format!("{} all is well", printer.paint(Style::Green, "✓")));
    } else if let ApiState::Answers(status) = &state.api {
        warnings(status, printer);
    }
    if context.bundle.is_none() {
        printer.note("note: without a bundle there is no plan to compare the machines with: bramble bundle build");
    }
    for remark in &state.remarks {
        printer.note(format!("note: {remark}"));
    }
}

fn heads(words: &[&str]) -> Vec<Cell> {
    words.iter().map(|w| cell(Style::Dim, *w)).collect()
}

fn show(printer: &Printer, rows: &[Vec<Cell>]) {
    for line in lines(printer, rows) {
        printer.out(line);
    }
}

/// A router has an address on each side.
fn address(machine: &Machine) -> String {
    match outside(machine) {
        Some(outside) => format!("{}, {outside}", machine.address),
        None => machine.address.to_string(),
    }
}

fn outside(machine: &Machine) -> Option<&str> {
    let management = machine.management.as_deref();
    management.filter(|_| machine.is(Role::Router))
}

fn machine_row(machine: &Machine, state: &MachineState) -> Vec<Cell> {
    let mut row: Vec<Cell> = vec![
        cell(Style::Bold, &machine.name),
        address(machine).into(),
        roles(machine).join(",").into(),
    ];
    match &state.seen {
        Err(_) => row.push(cell(Style::Red, "unreachable")),
        Ok(Seen {
            facts,
            vitals,
            drift,
        }) => {
            let os = vitals
                .os
                .clone()
                .unwrap_or_else(|| format!("{} {}", facts.os, facts.codename));
            row.push(format!("{os} {}", facts.arch).into());
            row.push(facts.kernel.as_str().into());
            row.push(vitals.uptime.map_or("?".into(), span).into());
            row.push(memory(vitals.memory, vitals.memory_free).into());
            row.push(match drift {
                Drift::Changes(0) => cell(Style::Green, "as it says"),
                Drift::Changes(1) => cell(Style::Yellow, "1 change"),
                Drift::Changes(n) => cell(Style::Yellow, format!("{n} changes")),
                Drift::Obstacles(_) => cell(Style::Red, "can't be made"),
                Drift::Unknown => "?".into(),
            });
        }
    }
    row
}

fn memory(total: Option<u64>, free: Option<u64>) -> String {
    let gb = |kib: u64| kib as f64 * 1024.0 / 1e9;
    match (total, free) {
        (Some(total), Some(free)) => {
            format!(
                "{:.1} of {:.1} GB",
                gb(total.saturating_sub(free)),
                gb(total)
            )
        }
        (Some(total), None) => format!("{:.1} GB", gb(total)),
        _ => "?".into(),
    }
}

fn roles(machine: &Machine) -> Vec<&'static str> {
    machine.roles.iter().map(|r| r.as_str()).collect()
}

/// Control planes: what runs, etcd, who has the shared address, how long certificates last.
fn planes(all: &[Plane], printer: &Printer) {
    let shared = all.iter().any(|p| p.holds_address.is_some());
    let mut words = vec!["CONTROL PLANE", "RUNS", "ETCD", "CERTIFICATES"];
    if shared {
        words.push("ADDRESS");
    }
    let mut rows = vec![heads(&words)];
    for plane in all {
        let runs = match plane.stopped.len() {
            _ if plane.unread.is_some() => cell(Style::Red, "not read"),
            0 => cell(Style::Green, "all"),
            n => cell(Style::Red, format!("{n} stopped")),
        };
        let etcd = match &plane.member {
            None => cell(Style::Red, "no answer"),
            Some(member) if !member.led => cell(Style::Red, "no leader"),
            Some(member) => {
                let role = if member.leads { "leads" } else { "follows" };
                format!("{role}, {:.1} MB", member.size as f64 / 1e6).into()
            }
        };
        let certificates = match plane.certificates.first() {
            None => "?".into(),
            Some(first) => match first.standing {
                Standing::Over => cell(Style::Red, "over"),
                Standing::Soon => cell(Style::Yellow, format!("{} days", first.days)),
                Standing::Fine => format!("{} days", first.days).into(),
            },
        };
        let mut row = vec![cell(Style::Bold, &plane.name), runs, etcd, certificates];
        if shared {
            let has = plane.holds_address == Some(true);
            row.push(if has { "holds it" } else { "" }.into());
        }
        rows.push(row);
    }
    show(printer, &rows);
}

fn nodes(status: &ClusterStatus, printer: &Printer) {
    let mut rows = vec![heads(&["NODE", "STATE", "KUBELET", "PODS FROM", "AGE"])];
    for node in &status.nodes {
        let state = match (node.ready, node.schedulable) {
            (true, true) => cell(Style::Green, "Ready"),
            (true, false) => cell(Style::Yellow, "Ready, cordoned"),
            (false, _) => cell(Style::Red, "NotReady"),
        };
        let age = span(node.age.as_secs());
        let (version, range) = (node.version.as_str(), node.pod_cidr.as_str());
        rows.push(vec![
            cell(Style::Bold, &node.name),
            state,
            version.into(),
            range.into(),
            age.into(),
        ]);
    }
    show(printer, &rows);
}

fn pods(status: &ClusterStatus, printer: &Printer) {
    let mut phases: BTreeMap<&str, usize> = BTreeMap::new();
    for count in &status.pods {
        *phases.entry(&count.phase).or_default() += count.count;
    }
    let phases: Vec<String> = phases
        .iter()
        .map(|(phase, n)| format!("{n} {phase}"))
        .collect();
    let all = if phases.is_empty() {
        "none".to_owned()
    } else {
        phases.join(", ")
    };
    printer.out(format!("{} {all}", printer.paint(Style::Dim, "PODS")));
}

/// The newest ones.
fn warnings(status: &ClusterStatus, printer: &Printer) {
    let skip = status.warnings.len().saturating_sub(WARNINGS);
    for warning in &status.warnings[skip..] {
        let head = format!(
            "{} {} {}/{}",
            warning.last, warning.reason, warning.namespace, warning.object
        );
        printer.out(format!(
            "  {} {}",
            printer.paint(Style::Dim, head),
            warning.message
        ));
    }
}

/// For programs. What the API says stands at the top level, so that `.nodes` is the nodes.
pub fn json(context: &Context, state: &State) -> Value {
    let cluster = &context.cluster;
    let machines: Vec<Value> = state
        .machines
        .iter()
        .filter_map(|m| Some(machine_json(cluster.machine(&m.name)?, m)))
        .collect();
    let troubles = state.troubles(context);
    let mut out = Map::new();
    out.insert("cluster".into(), json!(cluster.name));
    out.insert(
        "wantedVersion".into(),
        json!(cluster.kubernetes.version.to_string()),
    );
    out.insert("well".into(), json!(troubles.is_empty()));
    out.insert("troubles".into(), json!(troubles));
    out.insert("remarks".into(), json!(state.remarks));
    out.insert("machines".into(), json!(machines));
    out.insert("controlPlanes".into(), json!(state.planes));
    let (api, error) = match &state.api {
        ApiState::Answers(_) => ("answers", None),
        ApiState::Absent => ("absent", None),
        ApiState::Silent(why) => ("silent", Some(why)),
    };
    out.insert(
        "api".into(),
        json!({ "state": api, "error": error, "drift": state.api_drift }),
    );
    if let ApiState::Answers(status) = &state.api
        && let Value::Object(fields) = json!(status)
    {
        out.extend(fields);
    }
    Value::Object(out)
}

fn machine_json(machine: &Machine, state: &MachineState) -> Value {
    let mut out = json!({
        "name": machine.name,
        "address": machine.address,
        "roles": roles(machine),
        "reachable": state.seen.is_ok(),
    });
    if let Some(outside) = outside(machine) {
        out["outside"] = json!(outside);
    }
    match &state.seen {
        Err(why) => out["error"] = json!(why),
        Ok(Seen {
            facts,
            vitals,
            drift,
        }) => {
            out["os"] = json!(vitals.os.clone().unwrap_or_else(|| facts.os.clone()));
            out["codename"] = json!(facts.codename);
            out["arch"] = json!(facts.arch);
            out["kernel"] = json!(facts.kernel);
            out["processors"] = json!(facts.cpus);
            out["uptimeSeconds"] = json!(vitals.uptime);
            out["memoryBytes"] = json!(vitals.memory.map(|kib| kib * 1024));
            out["memoryFreeBytes"] = json!(vitals.memory_free.map(|kib| kib * 1024));
            match drift {
                Drift::Changes(n) => out["drift"] = json!(n),
                Drift::Obstacles(why) => {
                    out["drift"] = Value::Null;
                    out["obstacles"] = json!(why);
                }
                Drift::Unknown => out["drift"] = Value::Null,
            }
        }
    }
    out
}
