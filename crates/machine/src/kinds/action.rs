//! A guarded command for what is no state: it says itself whether it is done.

use crate::resource::text_diff;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How an action tells that it is done.
#[derive(Debug, Clone)]
pub enum Check {
    /// A path exists.
    Exists(String),
    /// A program that changes nothing ends with 0.
    Succeeds(String),
}

/// A command with its check, its undo and its limit.
#[derive(Debug, Clone)]
pub struct Action {
    /// Name, unique on the machine.
    pub name: String,
    /// What it does, for the plan: `initialize the control plane`.
    pub title: String,
    /// Whether it is done.
    pub check: Check,
    /// The program; runs under `set -e`.
    pub run: Script,
    /// Program that undoes it, also when it was cut off half way. Must not hold secrets: it is
    /// kept in the machine's journal.
    pub undo: String,
    /// Facts that the program uses as `$FACT_...`.
    pub needs: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
    /// After an interruption undo first (true), or just run again (false).
    pub restart_clean: bool,
    /// What its undo destroys and can't be had back.
    pub destroys: Option<String>,
    /// Text that a plan shows as what will run; no secrets.
    pub shows: Option<String>,
}

impl Action {
    /// An action with the usual limit that is run again after an interruption.
    pub fn new(
        name: impl Into<String>,
        title: impl Into<String>,
        check: Check,
        run: Script,
    ) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            check,
            run,
            undo: String::new(),
            needs: Vec::new(),
            limit: Duration::from_secs(300),
            restart_clean: false,
            destroys: None,
            shows: None,
        }
    }

    /// With a program that undoes it.
    #[must_use]
    pub fn undone_by(mut self, program: impl Into<String>) -> Self {
        self.undo = program.into();
        self
    }
}

impl Action {
    /// Undoing it destroys this.
    #[must_use]
    pub fn destroying(mut self, what: impl Into<String>) -> Self {
        self.destroys = Some(what.into());
        self
    }
}

impl Resource for Action {
    fn id(&self) -> ResourceId {
        format!("action:{}", self.name)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![match &self.check {
            Check::Exists(path) => Query::Stat(path.clone()),
            Check::Succeeds(program) => Query::Command(program.clone()),
        }]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let done = match &self.check {
            Check::Exists(path) => seen.stat(path).is_some(),
            Check::Succeeds(program) => seen.printed(program).is_some_and(|p| p.exit == 0),
        };
        let pending = seen.journal.pending(&self.id());
        if done && !pending {
            return Ok(None);
        }
        let completed = seen.journal.completed(&self.id());
        let undo = super::Undo::Action(Undo {
            name: self.name.clone(),
            title: self.title.clone(),
            program: self.undo.clone(),
            destroys: self.destroys.clone(),
        });
        if done && completed && self.restart_clean {
            // It stands: only the line that says so is missing.
            let apply = Script::new();
            return Ok(Some(Change::new(Verb::Run, super::UNFINISHED, apply, undo)));
        }
        let mut apply = Script::new();
        let mut summary = self.title.clone();
        // What was finished once is in use: it is never cleaned away on the way.
        if pending && self.restart_clean && !completed {
            // Its own function: the undo may return early.
            apply
                .line("clean_up() { :")
                .line(&self.undo)
                .line("}")
                .line("clean_up");
            summary.push_str(" (an interrupted try is cleaned up first)");
        }
        apply.extend(&self.run);
        let mut change = Change::new(Verb::Run, summary, apply, undo);
        change.needs.clone_from(&self.needs);
        change.diff = self.shows.as_deref().map(|text| text_diff("", text));
        change.limit = self.limit;
        Ok(Some(change))
    }
}

/// How an action is undone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Name of the action.
    pub name: String,
    /// What the action did.
    pub title: String,
    /// The program; empty if there is nothing to undo.
    pub program: String,
    /// What the program destroys and can't be had back.
    #[serde(default)]
    pub destroys: Option<String>,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        Script::of(self.program.clone())
    }

    pub(super) fn summary(&self) -> String {
        if self.program.is_empty() {
            format!("forget: {}", self.title)
        } else {
            format!("undo: {}", self.title)
        }
    }
}
