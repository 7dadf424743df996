//! `bramble runs`: runs that the daemon knows already, whoever has asked for them.

use super::follow::{Interrupt, follow};
use super::runs::{done, unknown};
use crate::args::{Global, RunChoice, RunName, RunsAction, RunsArgs};
use crate::error::CliError;
use crate::printer::{Printer, Style};
use crate::remote::Remote;
use crate::table::{Cell, cell, lines};
use reqwest::Method;
use serde_json::Value;

/// Looks at them, follows one, stops one.
pub(super) async fn run(
    remote: &Remote,
    global: &Global,
    args: &RunsArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let cluster = global.cluster.as_deref();
    if let (Some(cluster), Some(run), true) = (cluster, args.named(), global.given.cluster) {
        of_cluster(run, cluster)?;
    }
    match &args.action {
        None | Some(RunsAction::List) => list(remote, cluster, printer).await,
        Some(RunsAction::Follow { run }) => {
            let found = match run {
                RunChoice::Named(name) => one(remote, name).await?,
                RunChoice::Latest => latest(remote, cluster).await?,
            };
            watch(remote, &found, printer).await
        }
        Some(RunsAction::Cancel { run }) => cancel(remote, run, printer).await,
    }
}

/// Looks whether a run is one of the cluster that was named.
fn of_cluster(run: &RunName, cluster: &str) -> Result<(), CliError> {
    if run.cluster() == cluster {
        return Ok(());
    }
    let what = format!("{} is no run of {cluster}", run.as_str());
    Err(CliError::usage(what).hint("leave out --cluster, or name one of its runs"))
}

async fn list(remote: &Remote, cluster: Option<&str>, printer: &Printer) -> Result<(), CliError> {
    let all = all(remote, cluster).await?;
    if printer.json() {
        printer.value(&all);
        return Ok(());
    }
    if all.is_empty() {
        printer.note(none(remote, cluster));
        return Ok(());
    }
    let head = ["RUN", "CLUSTER", "DOES", "STATE", "ASKED", "BY"];
    let mut rows = vec![head.map(Cell::from).into()];
    rows.extend(all.iter().map(row));
    for line in lines(printer, &rows) {
        printer.out(line);
    }
    Ok(())
}

/// The runs, the newest first.
async fn all(remote: &Remote, cluster: Option<&str>) -> Result<Vec<Value>, CliError> {
    let path = match cluster {
        Some(name) => format!("/clusters/{name}/runs"),
        None => "/runs".to_owned(),
    };
    match (remote.get(&path).await?, cluster) {
        (Some(Value::Array(all)), _) => Ok(all),
        (None, Some(name)) => Err(unknown(remote, name)),
        _ => Err(CliError::failed(format!(
            "{} answers {path} with no list of runs",
            remote.url()
        ))),
    }
}

fn none(remote: &Remote, cluster: Option<&str>) -> String {
    match cluster {
        Some(name) => format!("{} remembers no run of {name}", remote.url()),
        None => format!("{} remembers no run", remote.url()),
    }
}

async fn latest(remote: &Remote, cluster: Option<&str>) -> Result<Value, CliError> {
    let newest = all(remote, cluster).await?.into_iter().next();
    newest.ok_or_else(|| CliError::usage(none(remote, cluster)))
}

async fn one(remote: &Remote, run: &RunName) -> Result<Value, CliError> {
    let name = run.as_str();
    let found = remote.get(&format!("/runs/{name}")).await?;
    found.ok_or_else(|| {
        let error = CliError::usage(format!("{} knows no run {name}", remote.url()));
        error.hint(format!(
            "bramble --server {} runs lists those that it remembers",
            remote.url()
        ))
    })
}

/// Follows a run; its end is this command's.
async fn watch(remote: &Remote, run: &Value, printer: &Printer) -> Result<(), CliError> {
    let (name, cluster, verb) = (text(run, "name"), text(run, "cluster"), text(run, "verb"));
    printer.note(format!(
        "{name}: {verb} {cluster}, asked for by {}",
        by(run)
    ));
    let end = follow(remote, name, Interrupt::Leaves, printer).await?;
    let again = format!(
        "bramble --server {} --cluster {cluster} {verb}",
        remote.url()
    );
    done(remote, name, &end, &again, printer).await
}

async fn cancel(remote: &Remote, run: &RunName, printer: &Printer) -> Result<(), CliError> {
    one(remote, run).await?;
    let name = run.as_str();
    let path = format!("/runs/{name}/cancel");
    let asked = remote.send(Method::POST, &path, &Value::Null).await?;
    if printer.json() {
        printer.value(&asked);
        return Ok(());
    }
    printer.out(format!("{name} stops after the steps that it is at"));
    printer.out(format!(
        "follow it   bramble --server {} runs follow {name}",
        remote.url()
    ));
    Ok(())
}

fn row(run: &Value) -> Vec<Cell> {
    // Parts of a second tell nobody anything here.
    let asked = text(run, "asked").split('.').next().unwrap_or_default();
    let asked = asked.trim_end_matches('Z').replace('T', " ");
    vec![
        text(run, "name").into(),
        text(run, "cluster").into(),
        text(run, "verb").into(),
        state(run),
        format!("{asked} UTC").into(),
        by(run).into(),
    ]
}

fn state(run: &Value) -> Cell {
    match (text(run, "state"), run["cancel"] == true) {
        ("accepted", false) => cell(Style::Yellow, "waits"),
        ("running", false) => cell(Style::Yellow, format!("{} %", run["percent"])),
        ("accepted" | "running", true) => cell(Style::Yellow, "stops"),
        ("done", _) => cell(Style::Green, "done"),
        ("failed", _) => cell(Style::Red, "failed"),
        (other, _) => other.into(),
    }
}

/// Who asked for it: a user's name, a button, the daemon for a reason.
fn by(run: &Value) -> String {
    let named = run["by"].as_object().and_then(|by| by.iter().next());
    let named = named.and_then(|(kind, name)| Some((kind.as_str(), name.as_str()?)));
    match named {
        Some(("user", name)) => name.to_owned(),
        Some(("button", id)) => format!("button {id}"),
        Some((_, why)) => format!("the daemon: {why}"),
        None => "somebody".to_owned(),
    }
}

fn text<'a>(run: &'a Value, key: &str) -> &'a str {
    run[key].as_str().unwrap_or_default()
}
