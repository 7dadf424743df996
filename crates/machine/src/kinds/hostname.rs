//! The machine's name.

use super::file::{self, File};
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// The machine's name, now and after a reboot.
#[derive(Debug, Clone)]
pub struct HostName {
    /// One label or a full name.
    pub name: String,
}

impl HostName {
    /// A name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn file(&self) -> File {
        File::text("/etc/hostname", format!("{}\n", self.name))
    }
}

impl Resource for HostName {
    fn id(&self) -> ResourceId {
        "hostname:bramble".into()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        self.file().wants(seen)
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let (id, file) = (self.id(), self.file());
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(name) {
            return Err(PlanError::Unfit {
                id,
                what: format!("{:?} is no host name", self.name),
                hint: "use letters, digits and hyphens, 64 at most".into(),
            });
        }
        let live = seen.facts.hostname.as_str();
        let file_differs = file.differences(seen);
        let mut said = Vec::new();
        if live != self.name {
            said.push(format!("{live} → {}", self.name));
        }
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
            Some(super::Undo::HostName(undo)) => Some(&undo.file),
            _ => None,
        };
        let undo = Undo {
            file: file.undo(first, seen),
            live: live.to_owned(),
        };
        let mut apply = Script::new();
        if !file_differs.is_empty() {
            apply.extend(&file.write(undo.file.absent));
        }
        if live != self.name {
            apply.extend(&set(&self.name));
        }
        let mut change = Change::new(
            Verb::Update,
            said.join(", "),
            apply,
            super::Undo::HostName(undo),
        );
        change.diff = file.diff(seen);
        Ok(Some(change))
    }
}

/// `/proc/sys` is read-only in some containers, where the system call works.
fn set(name: &str) -> Script {
    let name = word(name);
    Script::of(format!(
        "hostname {name} 2>/dev/null || printf '%s\\n' {name} >/proc/sys/kernel/hostname"
    ))
}

/// How the name is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The file that holds the name at boot.
    pub file: file::Undo,
    /// The running name before.
    pub live: String,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        let mut script = self.file.script();
        if !self.live.is_empty() {
            script.extend(&set(&self.live));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        format!("call the machine {:?} again", self.live)
    }
}
