//! What every resource kind can do.

use crate::{Observation, Query, Script, Undo};
use std::fmt::Debug;
use std::time::Duration;

/// `kind:key`, unique on a machine: `file:/etc/hosts`, `service:chrony`.
pub type ResourceId = String;

/// One thing on one machine, as it should be.
pub trait Resource: Debug + Send + Sync {
    /// `kind:key`.
    fn id(&self) -> ResourceId;

    /// What must be known to compare. May ask for more once the first answers are there.
    fn wants(&self, seen: &Observation) -> Vec<Query>;

    /// The difference; `None` if all is as it should be. Pure.
    ///
    /// # Errors
    /// When what was found can't be changed into what should be.
    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError>;

    /// Resources whose change must be followed by a restart of this one.
    fn watches(&self) -> &[ResourceId] {
        &[]
    }

    /// Resources that this one only prepares: where none of them has a change, this one has none
    /// either. Empty: it stands for itself.
    fn prepares(&self) -> &[ResourceId] {
        &[]
    }

    /// The change that a watched resource asks for, if this one has no change of its own.
    fn follow(&self, _seen: &Observation, _because: &str) -> Option<Change> {
        None
    }
}

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Something new.
    Create,
    /// Something that is there differs.
    Update,
    /// Something goes away.
    Remove,
    /// A guarded command runs.
    Run,
    /// A service is restarted or reloaded.
    Restart,
}

/// A file of the bundle that the machine needs before the change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Upload {
    /// Hash in hex; the file's name in the bundle.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Path on the machine.
    pub to: String,
}

/// A difference and the way to close it.
#[derive(Debug, Clone)]
pub struct Change {
    /// What kind of change.
    pub verb: Verb,
    /// One line: `install chrony 4.3`, `mode 0644 → 0600`.
    pub summary: String,
    /// Unified difference of text, secrets masked.
    pub diff: Option<String>,
    /// The shell that makes the change; runs under `set -e`.
    pub apply: Script,
    /// How to undo it; goes into the machine's journal.
    pub undo: Undo,
    /// Files that must be there first.
    pub uploads: Vec<Upload>,
    /// Facts that the script uses as shell variables `FACT_...`.
    pub needs: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
    /// It can cut the connection (addresses, firewall, sshd, the operator's own account): the machine
    /// takes it back unless a new connection confirms it.
    pub guard: Option<Guard>,
    /// The machine does no work for others while it is made: its node is drained before and serves again
    /// after the step.
    pub empties: bool,
    /// What is lost by it and can't be had back: needs the operator's word.
    pub destroys: Option<String>,
    /// It is made of what this resource of this machine gets in the same run, and is worth nothing
    /// without it.
    pub with: Option<(String, ResourceId)>,
}

impl Change {
    /// A change with the usual limit (5 minutes) and nothing special.
    pub fn new(verb: Verb, summary: impl Into<String>, apply: Script, undo: Undo) -> Self {
        Self {
            verb,
            summary: summary.into(),
            diff: None,
            apply,
            undo,
            uploads: Vec::new(),
            needs: Vec::new(),
            limit: Duration::from_secs(300),
            guard: None,
            empties: false,
            destroys: None,
            with: None,
        }
    }

    /// Under a guard if it can lock the operator out: files to be kept, and what makes them count again.
    #[must_use]
    pub(crate) fn guarded(
        mut self,
        wanted: bool,
        seen: &Observation,
        id: &str,
        paths: &[String],
        then: Script,
    ) -> Self {
        self.guard = wanted.then(|| Guard {
            recorded: seen.journal.find(id).is_some(),
            paths: paths.to_vec(),
            before: Script::new(),
            then,
            advice: String::new(),
        });
        self
    }

    /// With what lets the new state go, before the files are put back.
    #[must_use]
    pub(crate) fn letting_go(mut self, before: Script) -> Self {
        if let Some(guard) = &mut self.guard {
            guard.before = before;
        }
        self
    }

    /// With a word on what to do when the guard has taken it back.
    #[must_use]
    pub(crate) fn advising(mut self, advice: impl Into<String>) -> Self {
        if let Some(guard) = &mut self.guard {
            guard.advice = advice.into();
        }
        self
    }
}

/// How a machine takes a change back by itself.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// The resource is in the journal already: it goes back to what it was a moment before, and stays
    /// there. Otherwise it is undone and forgotten.
    pub recorded: bool,
    /// Files that are kept before the change and put back.
    pub paths: Vec<String>,
    /// What lets the new state go while its files are still there; before any file is back.
    pub before: Script,
    /// What makes the old state count, such as a reload; after all files are back.
    pub then: Script,
    /// What the operator can do to have the change all the same; may be empty.
    pub advice: String,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The machine is not as the resource needs it.
    #[error("{id}: {what}")]
    Unfit {
        /// Resource.
        id: ResourceId,
        /// What is in the way.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The journal holds lines that this release can't read.
    #[error("the machine's record was written by a newer release of Bramble")]
    NewerJournal,
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            PlanError::Unfit { hint, .. } => hint.clone(),
            PlanError::NewerJournal => "use that release".into(),
        }
    }
}

/// Unified difference of two texts, at most 200 lines.
pub fn text_diff(old: &str, new: &str) -> String {
    let diff = similar::TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(2).to_string();
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= 200 {
        return text;
    }
    format!(
        "{}\n... {} more lines",
        lines[..200].join("\n"),
        lines.len() - 200
    )
}
