//! One program that makes a step's changes, and the reader of what it says while it runs.
//!
//! The program is one function that is called at its very end: a connection that is cut while the
//! program travels leaves a syntax error, not half of the changes. Before the first change the
//! journal learns how to undo all of them.

use crate::journal::{Identity, Line, to_line};
use crate::shell::word;
use crate::{Guard, HOME, ResourceId, Script, Undo};
use std::fmt::Write as _;

/// One change of a program.
#[derive(Debug, Clone)]
pub struct Part {
    /// Resource.
    pub id: ResourceId,
    /// Shell that makes the change.
    pub apply: Script,
    /// Line to write before any part runs.
    pub begin: Option<Line>,
    /// Line to write after this part.
    pub end: Line,
}

/// What a program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A part begins.
    Started(usize),
    /// A part is done.
    Done(usize),
    /// A part failed with this exit code; nothing after it runs.
    Failed(usize, i32),
    /// Another program of Bramble is still running on the machine.
    Busy,
    /// All parts are done.
    End,
    /// Output of a tool.
    Output(String),
}

/// Makes the program. `facts` are set as shell variables; they travel on standard input only.
pub fn program(
    cluster: &Identity,
    parts: &[Part],
    facts: &[(String, String)],
    finally: &Script,
    nonce: &str,
) -> String {
    let mut out = String::from(PRELUDE);
    let _ = writeln!(out, "f() {{ printf '\\n%s %s\\n' {nonce} \"$1\"; }}");
    for (index, part) in parts.iter().enumerate() {
        let _ = writeln!(out, "r{index}() {{ :\n{}}}", part.apply.as_str());
    }
    let _ = writeln!(out, "finally() {{ :\n{}}}", finally.as_str());
    let _ = writeln!(out, "main() {{\nprepare || {{ f busy; exit 75; }}");
    for (name, value) in facts {
        let _ = writeln!(out, "{}={}", fact_variable(name), word(value));
    }
    let first = to_line(&Line::Cluster(cluster.clone()));
    let _ = writeln!(out, "[ -s $B/journal ] || j {}", word(first));
    for line in parts.iter().filter_map(|p| p.begin.as_ref()) {
        let _ = writeln!(out, "j {}", word(to_line(line)));
    }
    let _ = writeln!(out, "sync $B/journal");
    for (index, part) in parts.iter().enumerate() {
        let _ = writeln!(out, "f 'start {index}'\n( set -e; r{index} ) 2>&1; c=$?");
        let _ = writeln!(out, "[ $c = 0 ] || {{ f \"failed {index} $c\"; exit 1; }}");
        // An action's end is written down for good at once: after a power cut it must not look as if
        // it had been cut off.
        let sync = if part.id.starts_with("action:") {
            "; sync $B/journal"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "j {}{sync}; f 'done {index}'",
            word(to_line(&part.end))
        );
    }
    out.push_str("sync $B/journal\n( finally ) 2>&1\nf end\n}\nmain </dev/null\n");
    out
}

/// Seconds that a machine waits for a new connection before it takes a change back.
pub const REVERT_AFTER: u64 = 60;

/// A change that can cut the connection.
#[derive(Debug, Clone, Copy)]
pub struct Guarded<'a> {
    /// Resource.
    pub id: &'a str,
    /// How it is undone.
    pub undo: &'a Undo,
    /// How it goes back to what it was a moment ago.
    pub guard: &'a Guard,
}

/// Shell function that prints the processes that have the lock of a run open.
pub const HOLDERS: &str = "holders() { find /proc/[0-9]*/fd -lname /run/bramble/lock 2>/dev/null | cut -d/ -f3 | sort -u; }";

/// Where files are kept until a change is confirmed.
const KEPT: &str = "/run/bramble/kept";

/// Shell that arms a timer on the machine: unless [`confirm`] comes in time, these changes are taken
/// back: what was managed before is as it was a moment ago, what was not is undone and forgotten.
pub fn arm(changes: &[Guarded], nonce: &str) -> Script {
    let mut script = keep_files(changes);
    let end = format!("END{}", nonce.trim_start_matches('@'));
    script.line(format!("{HOLDERS}\nholders >{KEPT}/run"));
    script.line(format!("cat > /run/bramble/revert.sh <<'{end}'"));
    script.extend(&Script::of(PRELUDE));
    // Whoever moves the file first decides: this program, or the new connection that confirms.
    script.line("mv -T /run/bramble/revert.sh /run/bramble/reverting.sh || exit 0");
    // The step's program may still be at work.
    script.line("prepare");
    // Whoever looked before this has seen something else: it shows in the size of the journal.
    let settled = to_line(&Line::Gone {
        id: UNCONFIRMED.to_owned(),
    });
    script.line(format!("j {}", word(settled)));
    for (index, change) in changes.iter().enumerate().rev() {
        take_back(&mut script, index, change);
    }
    for (index, change) in changes.iter().enumerate() {
        let finally = if change.guard.recorded {
            change.guard.then.clone()
        } else {
            change.undo.finally()
        };
        script
            .line(format!("v{index}() {{ :"))
            .extend(&finally)
            .line(format!("}}\n( v{index} )"));
    }
    // The run is over for this machine, but its lock lives until the server learns that the connection is
    // gone, which can take minutes: nobody has to wait for that.
    script
        .line(HOLDERS)
        .line(format!(
            "if [ -s {KEPT}/run ] && run=$(holders | grep -Fx -f {KEPT}/run); then rm -f /run/bramble/holder; kill $run; fi"
        ))
        .line(format!("rm -rf /run/bramble/reverting.sh {KEPT}"))
        .line(end);
    script.line("systemctl stop bramble-revert.timer bramble-revert.service 2>/dev/null || :");
    script.line("systemctl reset-failed bramble-revert.service 2>/dev/null || :");
    script.line(format!(
        "systemd-run --quiet --collect --unit=bramble-revert --on-active={REVERT_AFTER} --timer-property=AccuracySec=1s /bin/sh /run/bramble/revert.sh"
    ));
    script
}

/// Keeps the files of changes to resources that were managed before.
fn keep_files(changes: &[Guarded]) -> Script {
    let mut script = Script::of(format!("rm -rf {KEPT}\nmkdir -m 0700 {KEPT}"));
    let recorded = changes.iter().enumerate().filter(|(_, c)| c.guard.recorded);
    for (index, change) in recorded {
        for (number, path) in change.guard.paths.iter().enumerate() {
            let path = word(path);
            script.line(format!(
                "if there {path}; then cp -a -- {path} {KEPT}/{index}.{number}; fi"
            ));
        }
    }
    script
}

fn take_back(script: &mut Script, index: usize, change: &Guarded) {
    if !change.guard.recorded {
        let gone = to_line(&Line::Gone {
            id: change.id.to_owned(),
        });
        script
            .line(format!("u{index}() {{ :"))
            .extend(&change.undo.script())
            .line("}")
            .line(format!("( set -e; u{index} )\nj {}", word(gone)));
        return;
    }
    script
        .line(format!("b{index}() {{ :"))
        .extend(&change.guard.before)
        .line(format!("}}\n( b{index} )"));
    for (number, path) in change.guard.paths.iter().enumerate() {
        let (path, kept) = (word(path), format!("{KEPT}/{index}.{number}"));
        script.line(format!(
            "if there {kept}; then rm -rf -- {path}.bramble-new; cp -a -- {kept} {path}.bramble-new && mv -fT -- {path}.bramble-new {path}; else rm -f -- {path}; fi"
        ));
    }
}

/// Program for a new connection: the change stays. Ends with 0 if it was in time.
pub fn confirm() -> &'static str {
    "mv -T /run/bramble/revert.sh /run/bramble/confirmed.sh || exit 1\n\
     rm -rf /run/bramble/confirmed.sh /run/bramble/kept\nsystemctl stop bramble-revert.timer"
}

/// Id of a change that nobody has confirmed yet, in plans and in the journal.
pub const UNCONFIRMED: &str = "change:unconfirmed";

/// What [`confirm`] does, for a later run that finds a change which nobody has confirmed: by its own
/// connection the machine is reached.
pub fn keep() -> Script {
    let gone = "what an interrupted run changed was taken back or confirmed meanwhile: run the same command again";
    let mut script = Script::of(format!(
        "[ -e /run/bramble/revert.sh ] || {{ echo {}; exit 1; }}",
        word(gone)
    ));
    script.line(confirm());
    script
}

/// Name of the shell variable that holds a fact.
pub fn fact_variable(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("FACT_{name}")
}

/// Reads one line of the program's output; `None` for empty lines.
pub fn read_line(line: &str, nonce: &str) -> Option<Said> {
    let Some(rest) = line.strip_prefix(nonce).and_then(|r| r.strip_prefix(' ')) else {
        return (!line.trim().is_empty()).then(|| Said::Output(line.to_owned()));
    };
    let mut words = rest.split(' ');
    let verb = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(|w| w.parse::<usize>().ok());
    Some(match verb {
        "start" => Said::Started(number()?),
        "done" => Said::Done(number()?),
        "failed" => Said::Failed(
            number()?,
            number().and_then(|n| i32::try_from(n).ok()).unwrap_or(1),
        ),
        "busy" => Said::Busy,
        "end" => Said::End,
        _ => return None,
    })
}

/// The name under which a path's original is kept.
pub fn original_name(path: &str) -> String {
    use sha2::Digest;
    hex::encode(&sha2::Sha256::digest(path.as_bytes())[..16])
}

/// Where a path's original is kept.
pub fn original_path(path: &str) -> String {
    format!("{HOME}/originals/{}", original_name(path))
}

/// Functions and settings that every program begins with; `prepare` lets one run at a time.
pub const PRELUDE: &str = include_str!("prelude.sh");
