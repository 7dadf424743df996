//! Kernel modules.

use super::file::{self, File};
use crate::shell::{word, words};
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

const FOLDER: &str = "/etc/modules-load.d";

/// Kernel modules that are loaded now and at boot. In a container, which can't load any, nothing
/// is changed: what they provide must be there.
#[derive(Debug, Clone)]
pub struct Modules {
    /// Names of modules.
    pub names: Vec<String>,
}

/// Where a module's work shows when it is built into the kernel; a machine without modules is
/// refused only if one of these is missing.
const TRACES: [(&str, &str); 6] = [
    ("br_netfilter", "/proc/sys/net/bridge"),
    ("nf_conntrack", "/proc/sys/net/netfilter"),
    ("tun", "/dev/net/tun"),
    ("ip_tables", "/proc/net/ip_tables_names"),
    ("ip6_tables", "/proc/net/ip6_tables_names"),
    ("ip_vs", "/proc/net/ip_vs"),
];

/// Names of the modules that are built into the kernel.
const BUILTIN: &str =
    r"sed -n 's|.*/\(.*\)\.ko.*|\1|p' /lib/modules/$(uname -r)/modules.builtin | tr - _";

impl Modules {
    /// Modules by their names.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    fn file(&self) -> File {
        let text = self
            .names
            .iter()
            .map(|n| format!("{n}\n"))
            .collect::<String>();
        File::text("/etc/modules-load.d/bramble.conf", text)
    }

    fn trace(name: &str) -> Option<&'static str> {
        let name = name.replace('-', "_");
        TRACES
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, path)| *path)
    }

    fn sys(name: &str) -> String {
        format!("/sys/module/{}", name.replace('-', "_"))
    }

    /// Modules that are neither loaded nor built in.
    fn missing<'a>(&'a self, seen: &'a Observation) -> impl Iterator<Item = &'a String> {
        let builtin = seen
            .printed(BUILTIN)
            .map(|p| p.text.lines().collect::<Vec<_>>())
            .unwrap_or_default();
        self.names.iter().filter(move |name| {
            seen.stat(&Self::sys(name)).is_none()
                && !builtin.contains(&name.replace('-', "_").as_str())
        })
    }
}

impl Resource for Modules {
    fn id(&self) -> ResourceId {
        "modules:bramble".into()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants: Vec<Query> = self
            .names
            .iter()
            .map(|n| Query::Stat(Self::sys(n)))
            .collect();
        // Always, so that a machine that can't load modules needs no second look.
        let traces = self.names.iter().filter_map(|n| Self::trace(n));
        wants.extend(traces.map(|t| Query::Stat(t.into())));
        if !seen.facts.modules {
            return wants;
        }
        // Built-in modules without parameters have no folder: ask only if one is missing.
        if wants.iter().all(|q| seen.knows(q)) && self.missing(seen).next().is_some() {
            wants.push(Query::Command(BUILTIN.into()));
        }
        wants.push(Query::Stat(FOLDER.into()));
        wants.extend(self.file().wants(seen));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let (id, file) = (self.id(), self.file());
        let pending = seen.journal.pending(&id);
        if !seen.facts.modules && !pending {
            let lacking = self
                .missing(seen)
                .find(|name| Self::trace(name).is_some_and(|trace| seen.stat(trace).is_none()));
            return match lacking {
                None => Ok(None),
                Some(name) => Err(PlanError::Unfit {
                    id,
                    what: format!("the kernel lacks {name}, and this machine can't load modules"),
                    hint: format!(
                        "load it on the computer that runs this machine: modprobe {name}"
                    ),
                }),
            };
        }
        let load: Vec<String> = self.missing(seen).cloned().collect();
        let file_differs = file.differences(seen);
        let mut said = Vec::new();
        if !load.is_empty() {
            said.push(format!("load {}", load.join(", ")));
        }
        if !file_differs.is_empty() {
            said.push(format!("{}: {}", file.path, file_differs.join(", ")));
        }
        if said.is_empty() && !pending {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let first = match super::recorded(seen, &id) {
            Some(super::Undo::Modules(undo)) => Some(undo),
            _ => None,
        };
        let undo = Undo {
            file: file.undo(first.map(|u| &u.file), seen),
            folder: seen.stat(FOLDER).is_some(),
            loaded: load.clone(),
            there: self
                .names
                .iter()
                .filter(|n| !load.contains(n))
                .cloned()
                .collect(),
        };
        let mut apply = Script::new();
        if !load.is_empty() {
            apply.line(format!(
                "for m in {}; do modprobe -- \"$m\"; done",
                words(&load)
            ));
        }
        if !file_differs.is_empty() {
            apply.line(format!("mkdir -p {FOLDER}"));
            apply.extend(&file.write(undo.file.absent));
        }
        let verb = if first.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::Modules(undo));
        change.diff = file.diff(seen);
        Ok(Some(change))
    }
}

/// How modules are undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The file that loads them at boot.
    pub file: file::Undo,
    /// The folder of the file was there before.
    pub folder: bool,
    /// Modules that were not there before.
    pub loaded: Vec<String>,
    /// Modules that were there already.
    pub there: Vec<String>,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.loaded, &later.loaded, |a, b| a == b);
        let there = &self.there;
        self.loaded.retain(|m| !there.contains(m));
        self
    }

    pub(super) fn script(&self) -> Script {
        let mut script = self.file.script();
        if !self.folder {
            script.line(format!("rmdir {FOLDER} 2>/dev/null || :"));
        }
        for name in self.loaded.iter().rev() {
            // A module that is in use stays until the next boot.
            script.line(format!("modprobe -r -- {} 2>/dev/null || :", word(name)));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        if self.loaded.is_empty() {
            return self.file.summary();
        }
        format!("{}, unload {}", self.file.summary(), self.loaded.join(", "))
    }
}
