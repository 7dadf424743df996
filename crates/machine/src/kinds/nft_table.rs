//! A table of nftables with rules of our own, loaded at boot before the network comes up.
//!
//! Other tables are never touched. What is loaded is compared with what the file gave when it was
//! loaded, so that rules that somebody removes by hand are missed.

use super::file::{self, File};
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// A table of family `inet`, kept by a unit of its own.
#[derive(Debug, Clone)]
pub struct NftTable {
    /// Name of the table, unique on a machine; the file and the unit have it too.
    pub name: String,
    /// What the unit is for, for systemd's messages.
    pub title: String,
    /// What stands between the table's braces.
    pub rules: String,
    /// What to do when the rules lock the operator out.
    pub advice: String,
}

impl NftTable {
    /// The whole file: loading it replaces the table in one go.
    fn file(&self) -> File {
        let name = &self.name;
        let text = format!(
            "# Made by Bramble.\ntable inet {name}\ndelete table inet {name}\ntable inet {name} {{\n{}}}\n",
            self.rules
        );
        File::text(rules_path(name), text).checked("nft -c -f \"$new\"")
    }

    fn unit(&self) -> File {
        let (name, rules, loaded) = (&self.name, rules_path(&self.name), loaded(&self.name));
        let remember = format!("/bin/sh -c '{} >{loaded}'", listing(name));
        let text = format!(
            "# Made by Bramble.\n\
             [Unit]\n\
             Description=Bramble: {}\n\
             DefaultDependencies=no\n\
             Wants=network-pre.target\n\
             Before=network-pre.target\n\
             # Debian's unit begins by removing everybody's rules.\n\
             After=local-fs.target systemd-modules-load.service nftables.service\n\
             PartOf=nftables.service\n\
             ReloadPropagatedFrom=nftables.service\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             RemainAfterExit=yes\n\
             RuntimeDirectory={name}\n\
             ExecStart=/usr/sbin/nft -f {rules}\n\
             ExecStart={remember}\n\
             ExecReload=/usr/sbin/nft -f {rules}\n\
             ExecReload={remember}\n\
             ExecStop=-/usr/sbin/nft delete table inet {name}\n\
             \n\
             [Install]\n\
             WantedBy=sysinit.target\n",
            self.title
        );
        File::text(format!("/etc/systemd/system/{}", unit(name)), text)
    }

    /// Succeeds when exactly those rules are loaded that the file gave.
    fn check(&self) -> String {
        format!("{} | cmp -s - {}", listing(&self.name), loaded(&self.name))
    }

    fn differences(&self, seen: &Observation) -> Vec<String> {
        let mut said = Vec::new();
        for file in [self.file(), self.unit()] {
            let differs = file.differences(seen);
            if !differs.is_empty() {
                said.push(format!("{}: {}", file.path, differs.join(", ")));
            }
        }
        let unit = seen.unit(&unit(&self.name));
        if unit.file != "enabled" {
            said.push("load at boot".into());
        }
        let same = seen.printed(&self.check()).is_some_and(|p| p.exit == 0);
        if unit.active != "active" {
            said.push("load".into());
        } else if !same {
            said.push("load again: the rules in force are not those of the file".into());
        }
        said
    }

    fn apply(&self, undo: &Undo) -> Script {
        let (name, unit) = (&self.name, word(unit(&self.name)));
        let mut apply = Script::of(format!(
            "{{ printf 'table inet {name}\\ndelete table inet {name}\\n'; {} || :; }} >{}",
            listing(name),
            before(name)
        ));
        apply.extend(&self.file().write(undo.rules.absent));
        apply.extend(&self.unit().write(undo.unit.absent));
        apply.line(format!("refresh {unit}"));
        apply.line(format!("at_boot {unit}"));
        apply.line(format!("systemctl reset-failed {unit} 2>/dev/null || :"));
        apply.line(format!(
            "systemctl reload-or-restart {unit} || {{ c=$?; why {unit}; exit $c; }}"
        ));
        apply
    }
}

/// Where the rules are.
fn rules_path(name: &str) -> String {
    format!("/etc/{name}.nft")
}

fn unit(name: &str) -> String {
    format!("{name}.service")
}

/// What was in force right after the file was loaded.
fn loaded(name: &str) -> String {
    format!("/run/{name}/loaded")
}

/// What was in force before the last change.
fn before(name: &str) -> String {
    format!("/run/bramble/{name}.before")
}

/// Prints the rules in force without what they have counted.
fn listing(name: &str) -> String {
    format!("/usr/sbin/nft -s list table inet {name} 2>/dev/null")
}

impl Resource for NftTable {
    fn id(&self) -> ResourceId {
        format!("nft-table:{}", self.name)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = self.file().wants(seen);
        wants.extend(self.unit().wants(seen));
        wants.push(Query::Unit(unit(&self.name)));
        wants.push(Query::Command(self.check()));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let id = self.id();
        let mut said = self.differences(seen);
        if said.is_empty() && !seen.journal.pending(&id) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let first = match super::recorded(seen, &id) {
            Some(super::Undo::NftTable(undo)) => Some(undo),
            _ => None,
        };
        let (rules, unit) = (self.file(), self.unit());
        let undo = Undo {
            name: self.name.clone(),
            rules: rules.undo(first.map(|u| &u.rules), seen),
            unit: unit.undo(first.map(|u| &u.unit), seen),
        };
        let verb = match first {
            Some(_) => Verb::Update,
            None => Verb::Create,
        };
        let apply = self.apply(&undo);
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::NftTable(undo));
        change.diff = rules.diff(seen);
        // The rules themselves go back to those that were in force, which need not be those of a file.
        let paths = [rules.path, unit.path, loaded(&self.name)];
        let then = Script::of(format!(
            "systemctl daemon-reload\nif [ -e {0} ]; then /usr/sbin/nft -f {0}; fi",
            before(&self.name)
        ));
        Ok(Some(
            change
                .guarded(true, seen, &id, &paths, then)
                .advising(&self.advice),
        ))
    }
}

/// How a table is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Name of the table.
    pub name: String,
    /// The file with the rules.
    pub rules: file::Undo,
    /// The unit that loads it.
    pub unit: file::Undo,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        let mut script = Script::of(format!(
            "systemctl -q disable --now {} 2>/dev/null || :",
            word(unit(&self.name))
        ));
        script.line(format!(
            "/usr/sbin/nft delete table inet {} 2>/dev/null || :",
            self.name
        ));
        script.extend(&self.rules.script());
        script.extend(&self.unit.script());
        script.line(format!("rm -f {}", before(&self.name)));
        script
    }

    pub(super) fn finally(&self) -> Script {
        Script::of("systemctl daemon-reload")
    }

    pub(super) fn summary(&self) -> String {
        format!(
            "remove the packet rules {}, {}",
            self.name,
            self.rules.summary()
        )
    }
}
