//! Kernel parameters.

use super::file::{self, File};
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

const FOLDER: &str = "/etc/sysctl.d";

/// Kernel parameters, now and after a reboot.
#[derive(Debug, Clone)]
pub struct Sysctl {
    /// Name of the group, unique on a machine.
    pub group: String,
    /// Names in dotted form with their values.
    pub values: Vec<(String, String)>,
}

impl Sysctl {
    /// A group of parameters.
    pub fn new<N: Into<String>, V: Into<String>>(
        group: impl Into<String>,
        values: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let values = values.into_iter().map(|(n, v)| (n.into(), v.into()));
        Self {
            group: group.into(),
            values: values.collect(),
        }
    }

    fn file(&self) -> File {
        let mut text = String::new();
        for (name, value) in &self.values {
            let _ = writeln!(text, "{name} = {value}");
        }
        File::text(
            format!("/etc/sysctl.d/90-bramble-{}.conf", self.group),
            text,
        )
    }
}

fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Resource for Sysctl {
    fn id(&self) -> ResourceId {
        format!("sysctl:{}", self.group)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = self.file().wants(seen);
        wants.push(Query::Stat(FOLDER.into()));
        let names = self.values.iter().map(|(n, _)| n.clone());
        wants.extend(names.map(Query::Sysctl));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let (id, file) = (self.id(), self.file());
        let mut said = Vec::new();
        let mut live = Vec::new();
        let mut apply = Script::of(SET);
        for (name, value) in &self.values {
            let (old, new) = (seen.sysctl(name), normal(value));
            // Those that are right already as well: should somebody change them later, that is
            // not what was there at first.
            live.extend(old.map(|old| (name.clone(), old.to_owned())));
            // All of them: what is undone in the same run may take one with it.
            apply.line(format!("sysctl_set {} {}", word(name), word(&new)));
            if old != Some(new.as_str()) {
                said.push(format!("{name} {} → {new}", old.unwrap_or("(none)")));
            }
        }
        let file_differs = file.differences(seen);
        if !file_differs.is_empty() {
            said.push(format!("{}: {}", file.path, file_differs.join(", ")));
        }
        if said.is_empty() && !seen.journal.pending(&id) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let first = match super::recorded(seen, &id) {
            Some(super::Undo::Sysctl(undo)) => Some(undo),
            _ => None,
        };
        let undo = Undo {
            file: file.undo(first.map(|u| &u.file), seen),
            folder: seen.stat(FOLDER).is_some(),
            live,
        };
        if !file_differs.is_empty() {
            apply.line(format!("mkdir -p {FOLDER}"));
            apply.extend(&file.write(undo.file.absent));
        }
        let verb = if first.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::Sysctl(undo));
        change.diff = file.diff(seen);
        Ok(Some(change))
    }
}

/// The kernel takes some values and keeps others; both must be noticed.
const SET: &str = r#"sysctl_path() { printf '/proc/sys/%s' "$1" | tr ./ /.; }
sysctl_set() {
	f=/proc/sys/$(printf %s "$1" | tr ./ /.)
	[ -e "$f" ] || { echo "kernel parameter $1 does not exist: is its module loaded?"; exit 1; }
	now=$(tr -s '[:space:]' ' ' <"$f"); now=${now% }
	[ "$now" != "$2" ] || return 0
	{ printf '%s\n' "$2" >"$f"; } 2>/dev/null || { echo "kernel parameter $1 is $now and can not be set to $2 on this machine"; exit 1; }
	now=$(tr -s '[:space:]' ' ' <"$f"); now=${now% }
	[ "$now" = "$2" ] || { echo "kernel parameter $1 is $now after it was set to $2"; exit 1; }
}
"#;

/// How parameters are undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The file that sets them at boot.
    pub file: file::Undo,
    /// The folder of the file was there before.
    pub folder: bool,
    /// Values before.
    pub live: Vec<(String, String)>,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.live, &later.live, |a, b| a.0 == b.0);
        self
    }

    pub(super) fn script(&self) -> Script {
        let mut script = self.file.script();
        if !self.folder {
            script.line(format!("rmdir {FOLDER} 2>/dev/null || :"));
        }
        if !self.live.is_empty() {
            script.extend(&Script::of(SET));
        }
        for (name, value) in &self.live {
            // A parameter may be gone with its module.
            script.line(format!(
                "( sysctl_set {} {} ) || :",
                word(name),
                word(value)
            ));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        let names: Vec<&str> = self.live.iter().map(|(n, _)| n.as_str()).collect();
        if names.is_empty() {
            return self.file.summary();
        }
        format!(
            "{}, old values of {}",
            self.file.summary(),
            names.join(", ")
        )
    }
}
