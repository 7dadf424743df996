//! Runs: started at the daemon and followed here.

use super::Meant;
use crate::ask;
use crate::error::{CliError, Kind};
use crate::plan_view;
use crate::printer::{Printer, Style};
use crate::progress::Progress;
use crate::remote::Remote;
use crate::stop;
use bramble_engine::Event;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

pub(super) async fn up(remote: &Remote, meant: &Meant, printer: &Printer) -> Result<(), CliError> {
    if let Some(file) = &meant.file {
        keep(remote, &meant.name, file).await?;
    }
    let run = begin(remote, &meant.name, &json!({ "verb": "up" })).await?;
    let end = follow(remote, &run, printer).await?;
    done(remote, meant, &run, &end, printer).await
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
    let end = follow(remote, &run, printer).await?;
    done(remote, meant, &run, &end, printer).await
}

fn unknown(remote: &Remote, name: &str) -> CliError {
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
    let made = remote.send(Method::POST, &path, wish).await?;
    let run = made["name"].as_str();
    run.map(str::to_owned)
        .ok_or_else(|| CliError::failed("the daemon names no run"))
}

/// Shows what happens until the run is over; its last line.
async fn follow(remote: &Remote, run: &str, printer: &Printer) -> Result<Value, CliError> {
    let (sender, receiver) = unbounded_channel();
    let shown = tokio::spawn(Progress::new(printer).follow(receiver));
    let mut end = Value::Null;
    let on = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        match value["event"].as_str() {
            Some("begin" | "end") if printer.json() => printer.line(&value),
            Some("begin") if value["changes"] != 0 => printer.note(format!(
                "{}: {}",
                run,
                plan_view::count(number(&value["changes"]), "change")
            )),
            _ => {
                if let Ok(event) = serde_json::from_value::<Event>(value.clone()) {
                    // Who shows them ends only after this.
                    let _ = sender.send(event);
                }
            }
        }
        if value["event"] == "end" {
            end = value;
        }
    };
    let mut stop = stop::listen(*printer);
    let followed = {
        let mut following = std::pin::pin!(remote.follow(run, on));
        tokio::select! {
            followed = &mut following => followed,
            _ = stop.wait_for(|stop| *stop) => {
                cancel(remote, run, printer).await;
                following.await
            }
        }
    };
    drop(sender);
    let _ = shown.await;
    followed.map(|()| end)
}

/// As Ctrl-C does to a run of this computer's.
async fn cancel(remote: &Remote, run: &str, printer: &Printer) {
    let path = format!("/runs/{run}/cancel");
    if let Err(error) = remote.send(Method::POST, &path, &Value::Null).await {
        printer.warn(format!("{run} is not stopped: {}", error.message));
    }
}

fn number(value: &Value) -> usize {
    let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
    number.unwrap_or(0)
}

/// How it ended, as the exit code says it.
async fn done(
    remote: &Remote,
    meant: &Meant,
    run: &str,
    end: &Value,
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
            let text = format!("{}: {changes}, {took:.1} s", meant.name);
            printer.out(printer.paint(Style::Green, text));
            Ok(())
        }
        Some("cancelled") => Err(CliError::new(
            Kind::Interrupted,
            "stopped before everything was done",
        )
        .hint("run the same command again: it goes on where it stopped")),
        _ => {
            let why = over["reason"].as_str().unwrap_or("it failed");
            Err(CliError::new(failure(end), why).hint(
                "run the same command again once the cause is mended: it goes on where it stopped",
            ))
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
