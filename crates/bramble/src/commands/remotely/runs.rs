//! Runs: started at the daemon and followed here.

use super::Meant;
use super::follow::{Interrupt, follow, number};
use crate::ask;
use crate::error::{CliError, Kind};
use crate::plan_view;
use crate::printer::{Printer, Style};
use crate::remote::Remote;
use reqwest::Method;
use serde_json::{Value, json};

/// How what is left of a run is done, for who started it.
const AGAIN: &str = "run the same command again";

pub(super) async fn up(remote: &Remote, meant: &Meant, printer: &Printer) -> Result<(), CliError> {
    if let Some(file) = &meant.file {
        keep(remote, &meant.name, file).await?;
    }
    let run = begin(remote, &meant.name, &json!({ "verb": "up" })).await?;
    let end = follow(remote, &run, Interrupt::Cancels, printer).await?;
    done(remote, &run, &end, AGAIN, printer).await
}

pub(super) async fn down(
    remote: &Remote,
    meant: &Meant,
    yes: bool,
    printer: &Printer,
) -> Result<(), CliError> {
    let name = &meant.name;
    if remote.get(&format!("/clusters/{name}")).await?.is_none() {
        return Err(unknown(remote, name));
    }
    let what = format!("{} takes {name} down, with all that it holds", remote.url());
    ask::confirm(printer, yes, &what, name)?;
    let run = begin(remote, name, &json!({ "verb": "down", "confirm": name })).await?;
    let end = follow(remote, &run, Interrupt::Cancels, printer).await?;
    done(remote, &run, &end, AGAIN, printer).await
}

/// That there is no such cluster.
pub(super) fn unknown(remote: &Remote, name: &str) -> CliError {
    CliError::usage(format!("{} knows no cluster {name}", remote.url()))
}

/// The daemon keeps the file as it is here.
async fn keep(remote: &Remote, name: &str, file: &str) -> Result<(), CliError> {
    let path = format!("/clusters/{name}");
    match remote.get(&path).await? {
        None => {
            let body = json!({ "file": file });
            remote.send(Method::POST, "/clusters", &body).await?;
        }
        Some(known) if known["file"] != file => {
            let body = json!({ "file": file, "version": known["version"] });
            remote.send(Method::PUT, &path, &body).await?;
        }
        Some(_) => {}
    }
    Ok(())
}

/// Starts a run; its name.
async fn begin(remote: &Remote, name: &str, wish: &Value) -> Result<String, CliError> {
    let path = format!("/clusters/{name}/runs");
    let made = remote.send(Method::POST, &path, wish).await;
    let made = made.map_err(|error| match error.kind {
        Kind::Locked => error.hint(format!(
            "bramble --server {} --cluster {name} runs follow latest",
            remote.url()
        )),
        _ => error,
    })?;
    let run = made["name"].as_str();
    run.map(str::to_owned)
        .ok_or_else(|| CliError::failed("the daemon names no run"))
}

/// How it ended, as the exit code says it; `again` is how what is left of it is done.
pub(super) async fn done(
    remote: &Remote,
    run: &str,
    end: &Value,
    again: &str,
    printer: &Printer,
) -> Result<(), CliError> {
    let over = remote.get(&format!("/runs/{run}")).await?;
    let over = over.ok_or_else(|| CliError::failed(format!("the daemon has forgotten {run}")))?;
    if printer.json() {
        return match over["state"].as_str() {
            Some("done") => Ok(()),
            Some("cancelled") => Err(CliError::silent(Kind::Interrupted)),
            _ => Err(CliError::silent(failure(end))),
        };
    }
    match over["state"].as_str() {
        Some("done") => {
            let changes = match number(&end["changes"]) {
                0 => "nothing to do".to_owned(),
                some => plan_view::count(some, "change"),
            };
            let took = end["took"].as_f64().unwrap_or(0.0);
            let cluster = over["cluster"].as_str().unwrap_or(run);
            let text = format!("{cluster}: {changes}, {took:.1} s");
            printer.out(printer.paint(Style::Green, text));
            Ok(())
        }
        Some("cancelled") => Err(CliError::new(
            Kind::Interrupted,
            "stopped before everything was done",
        )
        .hint(format!("{again}: it goes on where it stopped"))),
        _ => {
            let why = over["reason"].as_str().unwrap_or("it failed");
            Err(CliError::new(failure(end), why).hint(format!(
                "{again} once the cause is mended: it goes on where it stopped"
            )))
        }
    }
}

/// What the exit code of the program itself would be.
fn failure(end: &Value) -> Kind {
    let failed = end["failed"].as_array().is_none_or(|f| !f.is_empty());
    let unreachable = end["unreachable"]
        .as_object()
        .is_some_and(|u| !u.is_empty());
    match (failed, unreachable) {
        (false, true) => Kind::Unreachable,
        _ => Kind::Failed,
    }
}
