//! `bramble unlock`: ends the program that holds a machine's lock.

use crate::args::{Global, UnlockArgs};
use crate::ask;
use crate::context::Context;
use crate::error::{CliError, Explain};
use crate::printer::Printer;
use bramble_fleet::Session;
use bramble_machine::program::HOLDERS;
use serde_json::json;
use std::time::Duration;

/// How long the look may take.
const LOOK: Duration = Duration::from_secs(20);
/// How long ending the holder may take.
const END: Duration = Duration::from_secs(30);

/// Who has the file open; the name of its holder and its age stand beside it.
const LOOK_PROGRAM: &str = r#"
[ -e /run/bramble/lock ] || exit 0
! flock -n /run/bramble/lock true || exit 0
echo "locked"
[ ! -e /run/bramble/holder ] || {
  printf 'holder %s\n' "$(head -c 1000 /run/bramble/holder | tr '\n' ' ')"
  echo "since $(( $(date +%s) - $(stat -c %Y /run/bramble/holder) ))"
}
holders | sed 's/^/pid /'
"#;

/// Ends them, gently first. The lock is free once the last one has closed the file.
const END_PROGRAM: &str = r#"
n=0
while ! flock -n /run/bramble/lock true; do
  n=$((n+1))
  [ "$n" -le 100 ] || { echo "still locked" >&2; exit 1; }
  case $n in
    1) holders | xargs -r kill 2>/dev/null ;;
    30|60) holders | xargs -r kill -s KILL 2>/dev/null ;;
  esac
  sleep 0.1
done
rm -f /run/bramble/holder
"#;

/// What is known of a lock.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lock {
    locked: bool,
    holder: Option<String>,
    seconds: Option<u64>,
    pids: Vec<u32>,
}

/// Shows the holder, asks, ends it.
pub async fn run(global: &Global, args: &UnlockArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let machine = context.machine(&args.machine)?;
    let session = context
        .fleet(global)
        .connect(&context.target(machine))
        .await?;
    let name = &machine.name;
    let lock = Lock::parse(&program(&session, LOOK_PROGRAM, LOOK, "look at the lock").await?);
    let holder = lock
        .holder
        .clone()
        .unwrap_or_else(|| "somebody who left no name".into());
    if !lock.locked {
        if printer.json() {
            printer.value(&json!({ "machine": name, "locked": false, "ended": [] }));
        } else {
            printer.out(format!("{name} is not locked: nothing to do"));
        }
        return Ok(());
    }
    let since = lock
        .seconds
        .map_or(String::new(), |s| format!(" for {}", super::fleet::span(s)));
    let what = format!(
        "{name} is locked by {holder}{since}. If that run still lives, unlocking lets two runs change the machine at once"
    );
    ask::confirm(printer, args.yes, &what, name)?;
    program(&session, END_PROGRAM, END, "end the holder of the lock").await?;
    if printer.json() {
        printer.value(
            &json!({ "machine": name, "locked": false, "holder": holder, "ended": lock.pids }),
        );
    } else {
        printer.out(format!("{name} is unlocked; it was locked by {holder}"));
    }
    Ok(())
}

async fn program(
    session: &Session,
    text: &str,
    limit: Duration,
    what: &str,
) -> Result<String, CliError> {
    let text = format!("{HOLDERS}\n{text}");
    let done = session.run(text.as_bytes(), limit, what, |_| {}).await?;
    if !done.success() {
        let (machine, said) = (session.machine(), done.stderr_tail(3));
        return Err(CliError::failed(format!(
            "{machine}: {what} ended with {}: {said}",
            done.exit
        )));
    }
    String::from_utf8(done.stdout).explain(what)
}

impl Lock {
    fn parse(text: &str) -> Self {
        let mut lock = Lock::default();
        for line in text.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("locked", _) => lock.locked = true,
                ("holder", name) => lock.holder = Some(name.trim().to_owned()),
                ("since", seconds) => lock.seconds = seconds.trim().parse().ok(),
                ("pid", pid) => lock.pids.extend(pid.trim().parse::<u32>().ok()),
                _ => {}
            }
        }
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_says_of_its_lock_is_read() {
        assert_eq!(Lock::parse(""), Lock::default());
        let lock = Lock::parse(
            "locked\nholder anna@desk (bramble up, process 7)\nsince 90\npid 12\npid 13\n",
        );
        assert!(lock.locked);
        assert_eq!(
            lock.holder.as_deref(),
            Some("anna@desk (bramble up, process 7)")
        );
        assert_eq!((lock.seconds, lock.pids), (Some(90), vec![12, 13]));
    }
}
