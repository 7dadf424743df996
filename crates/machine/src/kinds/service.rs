//! A systemd service.

use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// A unit that is enabled and runs (or is disabled and stopped), and follows its configuration.
#[derive(Debug, Clone)]
pub struct Service {
    /// Unit name with suffix, such as `chrony.service`.
    pub unit: String,
    /// Starts at boot and runs now; otherwise it does neither.
    pub on: bool,
    /// Resources whose change asks for a restart.
    pub watch: Vec<ResourceId>,
    /// Reload instead of restart.
    pub reload: bool,
    /// A failure can lock the operator out.
    pub disruptive: bool,
}

impl Service {
    /// A service that runs.
    pub fn on(unit: impl Into<String>) -> Self {
        Self {
            unit: unit.into(),
            on: true,
            watch: Vec::new(),
            reload: false,
            disruptive: false,
        }
    }

    /// A service that doesn't run.
    pub fn off(unit: impl Into<String>) -> Self {
        Self {
            on: false,
            ..Self::on(unit)
        }
    }

    /// Restarted after a change of these resources.
    #[must_use]
    pub fn watching<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.watch = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Reloaded instead of restarted.
    #[must_use]
    pub fn reloading(mut self) -> Self {
        self.reload = true;
        self
    }

    fn undo(&self, seen: &Observation) -> super::Undo {
        let unit = seen.unit(&self.unit);
        super::Undo::Service(Undo {
            unit: self.unit.clone(),
            enabled: unit.file == "enabled",
            active: unit.active == "active",
            masked: unit.load == "masked",
            reload: self.reload,
        })
    }

    fn script(&self, verb: &str) -> Script {
        let unit = word(&self.unit);
        let mut script = Script::of(format!("refresh {unit}"));
        for other in self.units() {
            script.line(format!("refresh {}", word(other)));
        }
        if self.on {
            script.line(format!("at_boot {unit}"));
            script.line(format!("systemctl reset-failed {unit} 2>/dev/null || :"));
            // A unit that doesn't start explains itself in its own log, not in systemctl's words.
            script.line(format!(
                "systemctl {verb} {unit} || {{ c=$?; why {unit}; exit $c; }}"
            ));
        } else {
            script.line(format!("systemctl -q disable --now {unit}"));
        }
        script
    }
}

impl Service {
    /// Other units whose files are watched, as a timer watches what it starts: systemd knows their old ones.
    fn units(&self) -> Vec<&str> {
        let files = self.watch.iter().filter_map(|id| id.strip_prefix("file:"));
        let paths = files.filter_map(|path| path.strip_prefix("/etc/systemd/system/"));
        let mut out: Vec<&str> = Vec::new();
        for path in paths {
            // A drop-in is in the folder of its unit.
            let name = path.split_once(".d/").map_or(path, |(unit, _)| unit);
            if name != self.unit && !name.contains('/') && !out.contains(&name) {
                out.push(name);
            }
        }
        out
    }

    fn guarded(&self, change: Change, seen: &Observation) -> Change {
        let unit = word(&self.unit);
        let again = if self.reload {
            "try-reload-or-restart"
        } else {
            "try-restart"
        };
        let then = Script::of(format!("systemctl daemon-reload\nsystemctl {again} {unit}"));
        change.guarded(self.disruptive, seen, &self.id(), &[], then)
    }
}

impl Resource for Service {
    fn id(&self) -> ResourceId {
        format!("service:{}", self.unit)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Unit(self.unit.clone())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let unit = seen.unit(&self.unit);
        let mut said = Vec::new();
        if self.on {
            // `static`, `generated`, `alias`: nothing to enable.
            if matches!(unit.file.as_str(), "" | "disabled" | "masked") {
                said.push("enable");
            }
            if !matches!(unit.active.as_str(), "active" | "reloading") {
                said.push("start");
            }
        } else {
            if unit.file == "enabled" {
                said.push("disable");
            }
            if matches!(unit.active.as_str(), "active" | "activating" | "reloading") {
                said.push("stop");
            }
        }
        let pending = seen.journal.pending(&self.id());
        if said.is_empty() && !pending {
            return Ok(None);
        }
        let (verb, summary) = if said.is_empty() {
            (
                Verb::Restart,
                "restart, left out by an interrupted run".to_owned(),
            )
        } else {
            (Verb::Update, said.join(" and "))
        };
        // Restart rather than start: the installation of its package may have started the service in
        // this very run, with the configuration that it came with.
        let change = Change::new(verb, summary, self.script("restart"), self.undo(seen));
        Ok(Some(self.guarded(change, seen)))
    }

    fn watches(&self) -> &[ResourceId] {
        &self.watch
    }

    fn follow(&self, seen: &Observation, because: &str) -> Option<Change> {
        if !self.on {
            return None;
        }
        let verb = if self.reload {
            "reload-or-restart"
        } else {
            "restart"
        };
        let word = if self.reload { "reload" } else { "restart" };
        let summary = format!("{word} because {because} changed");
        let change = Change::new(Verb::Restart, summary, self.script(verb), self.undo(seen));
        Some(self.guarded(change, seen))
    }
}

/// How a service is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Unit name.
    pub unit: String,
    /// It was enabled before.
    pub enabled: bool,
    /// It ran before.
    pub active: bool,
    /// It was masked before.
    pub masked: bool,
    /// Reload is enough for it to take up its old configuration.
    pub reload: bool,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        let unit = word(&self.unit);
        let mut script = Script::new();
        let gone = format!("systemctl cat {unit} >/dev/null 2>&1 || return 0");
        script.line(gone);
        if !self.active {
            script.line(format!("systemctl stop {unit}"));
            script.line(format!("systemctl reset-failed {unit} 2>/dev/null || :"));
        }
        if !self.enabled {
            script.line(format!("systemctl -q disable {unit} 2>/dev/null || :"));
        } else {
            script.line(format!("systemctl -q enable {unit} 2>/dev/null || :"));
        }
        if self.masked {
            script.line(format!("systemctl -q mask {unit}"));
        }
        script
    }

    pub(super) fn finally(&self) -> Script {
        let unit = word(&self.unit);
        let mut script = Script::of("systemctl daemon-reload");
        if self.active {
            let verb = if self.reload {
                "reload-or-restart"
            } else {
                "restart"
            };
            script.line(format!(
                "if systemctl cat {unit} >/dev/null 2>&1; then systemctl {verb} {unit}; fi"
            ));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        match (self.active, self.enabled) {
            (true, _) => format!("restart {} with its old configuration", self.unit),
            (false, true) => format!("stop {}", self.unit),
            (false, false) => format!("stop and disable {}", self.unit),
        }
    }
}
