//! A run of the daemon, followed until it is over.

use crate::error::{CliError, Kind};
use crate::plan_view;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::remote::Remote;
use crate::stop;
use bramble_engine::Event;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

/// What Ctrl-C does to a run that is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// It stops, as a run of this computer's does: who follows it has started it.
    Cancels,
    /// It goes on, and nobody follows it any more.
    Leaves,
}

/// Shows what happens until the run is over; its last line.
pub(super) async fn follow(
    remote: &Remote,
    run: &str,
    interrupt: Interrupt,
    printer: &Printer,
) -> Result<Value, CliError> {
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
                match serde_json::from_value::<Event>(value.clone()) {
                    // In the order in which they come, the end last.
                    Ok(event) if printer.json() => printer.line(&event),
                    Ok(event) => {
                        // Who shows them ends only after this.
                        let _ = sender.send(event);
                    }
                    Err(_) => {}
                }
            }
        }
        if value["event"] == "end" {
            end = value;
        }
    };
    let mut stop = match interrupt {
        Interrupt::Cancels => stop::listen(*printer),
        Interrupt::Leaves => stop::when_told(),
    };
    let followed = {
        let mut following = std::pin::pin!(remote.follow(run, on));
        tokio::select! {
            followed = &mut following => Some(followed),
            _ = stop.wait_for(|stop| *stop) => match interrupt {
                Interrupt::Cancels => {
                    cancel(remote, run, printer).await;
                    Some(following.await)
                }
                Interrupt::Leaves => None,
            }
        }
    };
    drop(sender);
    let _ = shown.await;
    match followed {
        Some(followed) => followed.map(|()| end),
        None => {
            let there = format!("bramble --server {} runs", remote.url());
            printer.note(format!(
                "\n{run} goes on\nfollow it   {there} follow {run}\nstop it     {there} cancel {run}"
            ));
            Err(CliError::silent(Kind::Interrupted))
        }
    }
}

/// As Ctrl-C does to a run of this computer's.
async fn cancel(remote: &Remote, run: &str, printer: &Printer) {
    let path = format!("/runs/{run}/cancel");
    if let Err(error) = remote.send(Method::POST, &path, &Value::Null).await {
        printer.warn(format!("{run} is not stopped: {}", error.message));
    }
}

/// A number of an event.
pub(super) fn number(value: &Value) -> usize {
    let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
    number.unwrap_or(0)
}
