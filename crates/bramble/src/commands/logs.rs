//! `bramble logs`: the journal of a machine.

use crate::args::{Global, LogsArgs};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use crate::suggest::closest;
use bramble_fleet::{Exit, Finished, Session};
use bramble_machine::shell::word;
use std::time::Duration;

/// How long reading a finite number of lines may take.
const LIMIT: Duration = Duration::from_secs(60);
/// `--follow` goes on until Ctrl-C; a connection that is gone ends it before.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long ending the program on the machine may take.
const END: Duration = Duration::from_secs(5);
/// Exit code of the program for a unit that there is not.
const NO_UNIT: i32 = 67;

/// Shows the last lines, and those that come with `--follow`.
pub async fn run(global: &Global, args: &LogsArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let target = context.target(context.machine(&args.machine)?);
    let session = context.fleet(global).connect(&target).await?;
    let mut reader = Reader::default();
    let Some(done) = read(&session, args, printer, &mut reader).await? else {
        return Err(CliError::silent(Kind::Interrupted));
    };
    match &done.exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(NO_UNIT) => Err(no_unit(args, &reader.units)),
        exit => Err(CliError::failed(format!(
            "journalctl on {} ended with {exit}: {}",
            args.machine,
            done.stderr_tail(3)
        ))),
    }
}

/// Shows lines as they come; `None` if Ctrl-C ended it.
async fn read(
    session: &Session,
    args: &LogsArgs,
    printer: &Printer,
    reader: &mut Reader,
) -> Result<Option<Finished>, CliError> {
    let program = program(args, printer.json());
    let (limit, what) = if args.follow {
        (FOREVER, "follow the log")
    } else {
        (LIMIT, "read the log")
    };
    let (pid_sender, pid) = tokio::sync::watch::channel(0u32);
    let reading = session.run(program.as_bytes(), limit, what, |line| {
        match reader.take(line) {
            Line::Pid(pid) => {
                pid_sender.send_replace(pid);
            }
            Line::Entry(text) => printer.out(text),
            Line::Other => {}
        }
    });
    tokio::pin!(reading);
    tokio::select! {
        done = &mut reading => return Ok(Some(done?)),
        _ = tokio::signal::ctrl_c() => {}
    }
    let pid = *pid.borrow();
    // Reading goes on meanwhile: lines that nobody takes would hold the connection up.
    tokio::join!(end(session, pid), async {
        let _ = tokio::time::timeout(END, &mut reading).await;
    });
    Ok(None)
}

/// Ends the program: without this it would go on there until its next line.
async fn end(session: &Session, pid: u32) {
    if pid == 0 {
        return;
    }
    let program = format!("kill {pid}");
    // The run is over in any case; what can't be ended ends with its next line.
    let _ = session
        .run(program.as_bytes(), END, "end the log's program", |_| {})
        .await;
}

fn program(args: &LogsArgs, json: bool) -> String {
    let mut out = String::from("echo \"pid $$\"\n");
    let mut command = format!("journalctl --quiet --no-pager --lines {}", args.lines);
    if let Some(unit) = &args.unit {
        let name = word(unit_name(unit));
        out.push_str(&format!(
            "if [ \"$(systemctl show --property LoadState --value -- {name})\" = not-found ] &&\n\
             \x20  [ -z \"$(journalctl --quiet --no-pager --lines 1 --unit {name})\" ]; then\n\
             \x20 systemctl list-units --all --plain --no-legend --type service | sed 's/^/unit /; s/\\.service .*//'\n\
             \x20 exit {NO_UNIT}\n\
             fi\n"
        ));
        command.push_str(&format!(" --unit {name}"));
    }
    if args.follow {
        command.push_str(" --follow");
    }
    if json {
        command.push_str(" --output json");
    }
    out.push_str(&format!("echo entries\nexec {command}\n"));
    out
}

/// systemd's own completion of a name: a service unless it says otherwise.
fn unit_name(name: &str) -> String {
    if name.contains('.') {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

fn no_unit(args: &LogsArgs, units: &[String]) -> CliError {
    let unit = args.unit.as_deref().unwrap_or_default();
    let error = CliError::usage(format!("{} has no unit {unit:?}", args.machine));
    match closest(unit, units.iter().map(String::as_str)) {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None => error.hint(format!(
            "bramble ssh {} -- systemctl list-units lists them",
            args.machine
        )),
    }
}

/// One line of the program's output.
enum Line<'a> {
    Pid(u32),
    Entry(&'a str),
    Other,
}

/// Tells the head of the output from the log.
#[derive(Default)]
struct Reader {
    entries: bool,
    units: Vec<String>,
}

impl Reader {
    fn take<'a>(&mut self, line: &'a str) -> Line<'a> {
        if self.entries {
            return Line::Entry(line);
        }
        if line == "entries" {
            self.entries = true;
        } else if let Some(unit) = line.strip_prefix("unit ") {
            self.units.push(unit.trim().to_owned());
        } else if let Some(pid) = line.strip_prefix("pid ").and_then(|p| p.parse().ok()) {
            return Line::Pid(pid);
        }
        Line::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_log_that_look_like_the_head_are_shown() {
        let mut reader = Reader::default();
        let shown: Vec<&str> = ["pid 7", "unit a", "entries", "pid 8", "unit b", "entries"]
            .into_iter()
            .filter_map(|line| match reader.take(line) {
                Line::Entry(text) => Some(text),
                _ => None,
            })
            .collect();
        assert_eq!(shown, ["pid 8", "unit b", "entries"]);
        assert_eq!(reader.units, ["a"]);
    }
}
