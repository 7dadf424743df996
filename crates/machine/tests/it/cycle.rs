//! The cycle that every kind goes through, by the crate's real programs.

use crate::machine::Machine;
use bramble_machine::journal::Identity;
use bramble_machine::journal::Line;
use bramble_machine::program::{self, Guarded, Part, Said};
use bramble_machine::{Change, Guard, Observation, PlanError, Resource, Script, probe};
use std::collections::BTreeSet;
use std::process::Command;

const NONCE: &str = "3b1f0c9d7a52";

/// One look at the machine: asks until nothing more is wanted.
pub fn look(machine: &Machine, resources: &[&dyn Resource]) -> Observation {
    let mut seen = Observation::default();
    for round in 0..5 {
        let wanted: BTreeSet<_> = resources
            .iter()
            .flat_map(|r| r.wants(&seen))
            .filter(|q| !seen.knows(q))
            .collect();
        if wanted.is_empty() && round > 0 {
            return seen;
        }
        let text = probe::program(&wanted, NONCE, round == 0);
        check(&text);
        let out = machine.run(&text);
        assert!(
            out.stderr.is_empty(),
            "the probe complains: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        let output = String::from_utf8_lossy(&out.stdout).into_owned();
        probe::read(&output, &wanted, NONCE, &mut seen).expect("a whole answer");
    }
    panic!("{resources:?} want more in every round");
}

/// What the plan says now.
pub fn plan(machine: &Machine, resource: &dyn Resource) -> Result<Option<Change>, PlanError> {
    resource.plan(&look(machine, &[resource]))
}

/// The change that is due.
pub fn due(machine: &Machine, resource: &dyn Resource) -> Change {
    plan(machine, resource)
        .expect("a plan")
        .unwrap_or_else(|| panic!("{} sees no difference", resource.id()))
}

/// Makes a change with `before` and `after` around it.
pub fn carry_out(
    machine: &Machine,
    id: &str,
    change: &Change,
    before: &str,
    after: &str,
) -> Vec<Said> {
    let mut apply = Script::of(before);
    apply.extend(&change.apply);
    apply.extend(&Script::of(after));
    let part = Part {
        id: id.to_owned(),
        apply,
        begin: Some(Line::Begin {
            id: id.to_owned(),
            step: "test".into(),
            undo: change.undo.clone(),
        }),
        end: Line::Done { id: id.to_owned() },
    };
    step(machine, &[part], &Script::new())
}

/// Makes the change that is due and expects that it succeeds.
pub fn apply(machine: &Machine, resource: &dyn Resource) -> Change {
    let change = due(machine, resource);
    let said = carry_out(machine, &resource.id(), &change, "", "");
    assert_eq!(
        said.last(),
        Some(&Said::End),
        "{}: {said:#?}",
        resource.id()
    );
    change
}

/// A machine without a systemd whose timers run: the shell of the guard is run by hand.
pub const TIMER: &str = "printf '#!/bin/sh\\nexit 0\\n' >/usr/local/bin/systemd-run
chmod 0755 /usr/local/bin/systemd-run
";

/// Makes the change that is due, armed as in a run; the timer is not awaited.
pub fn armed(machine: &Machine, resource: &dyn Resource) -> Guard {
    let (id, change) = (resource.id(), due(machine, resource));
    let guard = change.guard.clone().expect("a guard");
    let guarded = Guarded {
        id: &id,
        undo: &change.undo,
        guard: &guard,
    };
    let before = program::arm(&[guarded], "@77");
    let said = carry_out(machine, &id, &change, before.as_str(), "");
    assert_eq!(said.last(), Some(&Said::End), "{id}: {said:#?}");
    guard
}

/// What the machine does by itself when nobody confirms the armed changes.
pub fn take_back(machine: &Machine) {
    machine.hand("sh /run/bramble/revert.sh");
}

/// Undoes everything that the machine's journal holds, last first.
pub fn undo(machine: &Machine, before: &str) -> Vec<Said> {
    let journal = look(machine, &[]).journal;
    let mut parts = Vec::new();
    let mut finally = Script::new();
    for record in journal.records.iter().rev() {
        let mut apply = Script::of(before);
        apply.extend(&record.undo.script());
        parts.push(Part {
            id: record.id.clone(),
            apply,
            begin: None,
            end: Line::Gone {
                id: record.id.clone(),
            },
        });
        finally.extend(&record.undo.finally());
    }
    step(machine, &parts, &finally)
}

/// Undoes everything and expects that nothing is left.
pub fn undo_all(machine: &Machine) {
    let said = undo(machine, "");
    assert_eq!(said.last(), Some(&Said::End), "{said:#?}");
    let journal = look(machine, &[]).journal;
    assert_eq!(journal.records, [], "the journal is not empty");
}

fn step(machine: &Machine, parts: &[Part], finally: &Script) -> Vec<Said> {
    let text = program::program(&Identity::default(), parts, &[], finally, NONCE);
    check(&text);
    let out = machine.run(&text);
    assert!(
        out.stderr.is_empty(),
        "the program complains: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| program::read_line(line, NONCE))
        .collect()
}

fn check(text: &str) {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("a program");
    let out = Command::new("sh")
        .arg("-n")
        .arg(file.path())
        .output()
        .expect("sh");
    assert!(
        out.status.success(),
        "sh -n: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// One kind in one situation.
pub struct Case<'a> {
    /// What was on the machine before Bramble came.
    pub prepare: &'a str,
    pub resource: &'a dyn Resource,
    /// What the machine does when it is switched on.
    pub boot: &'a str,
    /// Looks at the machine once all is undone; files are compared anyway.
    pub gone: Option<&'a dyn Fn(&Machine)>,
    /// What somebody does by hand later, and what the plan must then say.
    pub drift: &'a [(&'a str, &'a str)],
    /// Differences that may remain in the end.
    pub remains: &'a [&'a str],
}

impl<'a> Case<'a> {
    pub fn new(prepare: &'a str, resource: &'a dyn Resource) -> Self {
        Self {
            prepare,
            resource,
            boot: "",
            gone: None,
            drift: &[],
            remains: &[],
        }
    }

    pub fn drift(mut self, drift: &'a [(&'a str, &'a str)]) -> Self {
        self.drift = drift;
        self
    }

    pub fn boot(mut self, script: &'a str) -> Self {
        self.boot = script;
        self
    }

    pub fn gone(mut self, look: &'a dyn Fn(&Machine)) -> Self {
        self.gone = Some(look);
        self
    }

    pub fn remains(mut self, remains: &'a [&'a str]) -> Self {
        self.remains = remains;
        self
    }

    /// Goes through the whole cycle; `held` looks at the machine while the change is in place.
    pub fn run(self, held: impl Fn(&Machine)) {
        let Some(machine) = Machine::new(self.prepare) else {
            return;
        };
        machine.hand(self.boot);
        let resource = self.resource;
        apply(&machine, resource);
        self.quiet(&machine, "after it was applied");
        held(&machine);
        for (hand, says) in self.drift {
            machine.hand(hand);
            let change = due(&machine, resource);
            assert!(
                change.summary.contains(says),
                "after {hand:?} the plan says {:?} instead of {says:?}",
                change.summary
            );
            apply(&machine, resource);
            self.quiet(&machine, "after a repair");
            held(&machine);
        }
        undo_all(&machine);
        self.back(&machine, "after undo");
        self.interrupted(&machine);
    }

    /// Nothing to do, and nothing written by finding that out.
    fn quiet(&self, machine: &Machine, when: &str) {
        let written = machine.written();
        let change = plan(machine, self.resource).expect("a plan");
        assert!(
            change.is_none(),
            "{} {when} wants: {}",
            self.resource.id(),
            change.map(|c| c.summary).unwrap_or_default()
        );
        assert_eq!(machine.written(), written, "a look wrote something {when}");
    }

    fn back(&self, machine: &Machine, when: &str) {
        let mut left = machine.differences();
        left.retain(|line| !self.remains.iter().any(|r| line.ends_with(r)));
        assert_eq!(left, [] as [String; 0], "{} {when}", self.resource.id());
        if let Some(look) = self.gone {
            look(machine);
        }
    }

    /// Fails at each kind of command in turn: the next run finishes, and undo finds its way back
    /// from wherever things stopped.
    fn interrupted(&self, machine: &Machine) {
        let id = self.resource.id();
        let places = [
            ("exit 9", ""),
            ("", "exit 9"),
            ("mv() { exit 9; }", ""),
            ("mv() { command mv \"$@\"; exit 9; }", ""),
            ("cp() { exit 9; }", ""),
            ("chown() { exit 9; }", ""),
            ("sync() { exit 9; }", ""),
            ("mkdir() { command mkdir \"$@\"; exit 9; }", ""),
            ("useradd() { command useradd \"$@\"; exit 9; }", ""),
            ("usermod() { exit 9; }", ""),
            ("mount() { exit 9; }", ""),
        ];
        for (before, after) in places {
            // Finished by the next run.
            let change = due(machine, self.resource);
            let rare = ["useradd", "usermod", "mount"]
                .into_iter()
                .find(|c| before.starts_with(c));
            if rare.is_some_and(|c| !change.apply.as_str().contains(c)) {
                continue;
            }
            let said = carry_out(machine, &id, &change, before, after);
            if said.last() != Some(&Said::End) {
                apply(machine, self.resource);
            }
            self.quiet(machine, &format!("finished after {before:?} {after:?}"));
            // Undo is cut off as well, and runs again.
            if undo(machine, before).last() != Some(&Said::End) {
                undo_all(machine);
            }
            self.back(machine, &format!("undone after {before:?}"));
            // Never finished, but undone at once.
            let change = due(machine, self.resource);
            carry_out(machine, &id, &change, before, after);
            undo_all(machine);
            self.back(machine, &format!("undone half way at {before:?}"));
        }
    }
}

/// The error of a plan and its hint.
pub fn refused(machine: &Machine, resource: &dyn Resource) -> String {
    match plan(machine, resource) {
        Err(error) => format!("{error}; {}", error.hint()),
        Ok(change) => panic!("planned: {:?}", change.map(|c| c.summary)),
    }
}

/// What a change that fails says.
pub fn fails(machine: &Machine, resource: &dyn Resource) -> String {
    let change = due(machine, resource);
    let said = carry_out(machine, &resource.id(), &change, "", "");
    assert!(
        matches!(said.last(), Some(Said::Failed(..))),
        "did not fail: {said:?}"
    );
    let lines = said.into_iter().filter_map(|s| match s {
        Said::Output(line) => Some(line),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}
