//! The difference between what should be and what is. Pure.

use crate::api::ApiChange;
use bramble_machine::journal::Identity;
use bramble_machine::program;
use bramble_machine::step::{ApiStep, Blueprint};
use bramble_machine::{
    Change, HOME, Observation, PlanError, Resource, ResourceId, Script, Step, StepRef, Undo, Verb,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The name of the step that keeps a change which an interrupted run has not confirmed.
pub const CONFIRM: &str = "confirm";

/// The name of the step that undoes what the file no longer names.
pub const RETIRE: &str = "retire";

/// The same for what is needed until everything else is done.
pub const RETIRE_LAST: &str = "retire/last";

/// The name of the step that takes Bramble's record off a machine.
pub const FORGET: &str = "forget";

/// What others wait for who need a machine of a teardown to be done and its lock to be released.
pub const RELEASE: &str = "release";

/// Which part of the whole is planned.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only these steps; empty = all.
    pub steps: Vec<String>,
    /// Only these machines; empty = all.
    pub machines: Vec<String>,
}

impl Scope {
    /// Whether a step belongs to it.
    pub fn includes(&self, name: &str) -> bool {
        self.steps.is_empty()
            || self.steps.iter().any(|s| {
                s == name
                    || name
                        .strip_prefix(s.as_str())
                        .is_some_and(|r| r.starts_with('/'))
            })
    }
    /// Whether a machine belongs to it.
    pub fn machine(&self, name: &str) -> bool {
        self.machines.is_empty() || self.machines.iter().any(|m| m == name)
    }
}

/// What is to be done, in order.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The cluster.
    pub cluster: Identity,
    /// Whether this takes the cluster down.
    pub down: bool,
    /// By machine.
    pub machines: BTreeMap<String, MachinePlan>,
    /// In the API.
    pub api: Vec<ApiPlan>,
    /// Machines that could not be looked at, and why.
    pub unreachable: BTreeMap<String, String>,
    /// Machines that can be looked at only once a part of this plan is carried out, and the machine that
    /// lets them through then.
    pub later: BTreeMap<String, String>,
    /// What makes the plan impossible, by machine.
    pub obstacles: Vec<Obstacle>,
    /// Things worth a remark.
    pub remarks: Vec<String>,
}

/// What makes a plan impossible.
#[derive(Debug, Clone, Serialize)]
pub struct Obstacle {
    /// Machine.
    pub machine: String,
    /// What is in the way.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What is to be done on one machine.
#[derive(Debug, Clone, Default)]
pub struct MachinePlan {
    /// All steps, in order; those without items only order the others. A teardown may have several
    /// parts of one step, see [`away`].
    pub steps: Vec<StepPlan>,
    /// Size of the journal when it was looked at.
    pub journal_size: u64,
}

/// What is to be done in one step.
#[derive(Debug, Clone)]
pub struct StepPlan {
    /// Name.
    pub name: String,
    /// Steps that must be finished first.
    pub needs: Vec<StepRef>,
    /// Changes in order.
    pub items: Vec<Item>,
    /// What runs after the items.
    pub finally: Script,
    /// Changes are undone rather than made.
    pub undo: bool,
}

/// One change.
#[derive(Debug, Clone)]
pub struct Item {
    /// Resource.
    pub id: ResourceId,
    /// The change.
    pub change: Change,
}

/// What is to be done in the API for one step.
#[derive(Debug, Clone)]
pub struct ApiPlan {
    /// What should be there.
    pub step: ApiStep,
    /// The changes; `None` = known after the control plane exists.
    pub changes: Option<Vec<ApiChange>>,
    /// It waits for what it needs and for nothing else; others are made one after the other.
    pub apart: bool,
    /// Steps that it does not wait for, but is not begun once one of them has failed.
    pub unless_failed: Vec<StepRef>,
}

impl Plan {
    /// Number of changes; an API step of unknown changes counts its resources.
    pub fn changes(&self) -> usize {
        let machines: usize = self.machines.values().map(MachinePlan::changes).sum();
        let api: usize = self
            .api
            .iter()
            .map(|a| a.changes.as_ref().map_or(a.step.resources.len(), Vec::len))
            .sum();
        machines + api
    }

    /// Number of steps with something to do, as events tell of them; parts of one step count once.
    pub fn steps(&self) -> usize {
        let machines = self.machines.iter().flat_map(|(name, machine)| {
            let steps = machine.steps.iter().filter(|s| !s.items.is_empty());
            steps.map(move |step| (name, &step.name))
        });
        let machines = machines.collect::<BTreeSet<_>>().len();
        let changes = |a: &&ApiPlan| a.changes.as_ref().is_none_or(|c| !c.is_empty());
        machines + self.api.iter().filter(changes).count()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes() == 0
    }

    /// Why a machine has no part in this plan, if it can't be looked at.
    pub fn absent(&self, machine: &str) -> Option<String> {
        let later = |through: &String| format!("is not reached before {through} lets it through");
        let unreachable = self.unreachable.get(machine).cloned();
        unreachable.or_else(|| self.later.get(machine).map(later))
    }
}

impl MachinePlan {
    /// Number of changes.
    pub fn changes(&self) -> usize {
        self.steps.iter().map(|s| s.items.len()).sum()
    }
}

/// Plans one machine towards its blueprint.
///
/// # Errors
/// What makes the plan impossible; all of it, not only the first.
pub fn towards(
    blueprint: &Blueprint,
    machine: &str,
    seen: &Observation,
    scope: &Scope,
) -> Result<MachinePlan, Vec<PlanError>> {
    let mut errors = Vec::new();
    if seen.journal.newer > 0 {
        return Err(vec![PlanError::NewerJournal]);
    }
    let steps = blueprint
        .machines
        .get(machine)
        .map(|b| b.steps.as_slice())
        .unwrap_or_default();
    let wanted: BTreeSet<ResourceId> = steps
        .iter()
        .flat_map(|s| s.resources.iter().map(|r| r.id()))
        .collect();
    let mut out = MachinePlan {
        steps: Vec::new(),
        journal_size: seen.journal.size,
    };
    if scope.machine(machine) {
        out.steps.extend(confirm_step(seen));
        out.steps
            .push(undo_step(RETIRE, retired(seen, &wanted, scope, false)));
    }
    let mut changed: BTreeSet<ResourceId> = BTreeSet::new();
    for step in steps {
        let mut items = Vec::new();
        if scope.machine(machine) && scope.includes(step.name) {
            for resource in &step.resources {
                match compare(resource.as_ref(), seen, &changed) {
                    Ok(Some(change)) => {
                        changed.insert(resource.id());
                        items.push(Item {
                            id: resource.id(),
                            change,
                        });
                    }
                    Ok(None) => {}
                    Err(error) => errors.push(error),
                }
            }
        } else {
            // What must not be is an obstacle for any part: a new kubelet beside an old API server
            // is wrong on whichever machine it is asked for.
            let found = step.resources.iter().filter_map(|r| r.plan(seen).err());
            errors.extend(found.filter(|e| matches!(e, PlanError::Unfit { .. })));
        }
        out.steps.push(StepPlan {
            name: step.name.to_owned(),
            needs: step.needs.clone(),
            items,
            finally: Script::new(),
            undo: false,
        });
    }
    if scope.machine(machine) {
        let last = retired(seen, &wanted, scope, true);
        out.steps.push(undo_step(RETIRE_LAST, last));
    }
    drop_needless(steps, &changed, &mut out);
    if errors.is_empty() {
        Ok(out)
    } else {
        Err(errors)
    }
}

/// What is recorded and no longer wanted, of the one kind or the other (see [`Undo::is_last`]).
fn retired<'a>(
    seen: &'a Observation,
    wanted: &BTreeSet<ResourceId>,
    scope: &Scope,
    last: bool,
) -> Vec<(&'a str, &'a Undo)> {
    let records = seen.journal.records.iter();
    records
        .filter(|r| !wanted.contains(&r.id) && scope.includes(&r.step))
        .filter(|r| r.undo.is_last() == last)
        .map(|r| (r.id.as_str(), &r.undo))
        .collect()
}

/// Takes out preparations for changes that are not part of the plan.
fn drop_needless(steps: &[Step], changed: &BTreeSet<ResourceId>, plan: &mut MachinePlan) {
    let needless: BTreeSet<ResourceId> = steps
        .iter()
        .flat_map(|s| &s.resources)
        .filter(|r| !r.prepares().is_empty() && !r.prepares().iter().any(|id| changed.contains(id)))
        .map(|r| r.id())
        .collect();
    for step in plan.steps.iter_mut().filter(|s| !s.undo) {
        step.items.retain(|item| !needless.contains(&item.id));
    }
}

fn compare(
    resource: &dyn Resource,
    seen: &Observation,
    changed: &BTreeSet<ResourceId>,
) -> Result<Option<Change>, PlanError> {
    if let Some(change) = resource.plan(seen)? {
        return Ok(Some(change));
    }
    let cause = resource.watches().iter().find(|id| changed.contains(*id));
    Ok(cause.and_then(|id| resource.follow(seen, id)))
}

/// Plans one machine towards nothing: everything recorded is undone in reverse order, grouped by
/// the steps that made it. A step to which something was added later comes more than once: what was
/// made last goes first, whatever its step. Which steps on other machines must be undone before is
/// for the caller to add.
///
/// # Errors
/// The record is one that this release can't read whole: nothing may be thrown away then.
pub fn away(seen: &Observation, scope: &Scope, machine: &str) -> Result<MachinePlan, PlanError> {
    if seen.journal.newer > 0 {
        return Err(PlanError::NewerJournal);
    }
    let mut groups: Vec<(String, Vec<(&str, &Undo)>)> = Vec::new();
    if scope.machine(machine) {
        for record in seen
            .journal
            .records
            .iter()
            .rev()
            .filter(|r| scope.includes(&r.step))
        {
            if groups.last().is_none_or(|(step, _)| *step != record.step) {
                groups.push((record.step.clone(), Vec::new()));
            }
            if let Some((_, group)) = groups.last_mut() {
                // Reversed here because `undo_step` takes them in the order in which they were made.
                group.insert(0, (record.id.as_str(), &record.undo));
            }
        }
    }
    let mut steps: Vec<StepPlan> = Vec::new();
    if scope.machine(machine) {
        steps.extend(confirm_step(seen));
    }
    steps.extend(
        groups
            .into_iter()
            .map(|(name, group)| undo_step(&name, group)),
    );
    if scope.machine(machine) && scope.steps.is_empty() && seen.facts.home {
        steps.push(forget_step());
    }
    Ok(MachinePlan {
        steps,
        journal_size: seen.journal.size,
    })
}

/// A run that was cut off between a change that could cut the connection and its confirmation: within a
/// minute the machine takes it back, whatever was planned meanwhile. What of it is not done is in the plan
/// as well, like any change that was cut off.
fn confirm_step(seen: &Observation) -> Option<StepPlan> {
    seen.facts.armed.then(|| {
        let said = "keep what an interrupted run changed, as the machine is reached; else it takes it back";
        let undo = Undo::Action(Default::default());
        StepPlan {
            name: CONFIRM.to_owned(),
            needs: Vec::new(),
            items: vec![Item {
                id: program::UNCONFIRMED.to_owned(),
                change: Change::new(Verb::Update, said, program::keep(), undo),
            }],
            finally: Script::new(),
            // Nothing of it is recorded.
            undo: true,
        }
    })
}

fn forget_step() -> StepPlan {
    let program = Script::of(format!(
        "if [ -d {HOME}/originals ]; then\n\
         for a in passwd group shadow gshadow subuid subgid; do\n\
         if [ -e {HOME}/originals/$a.backup ]; then cp -a {HOME}/originals/$a.backup /etc/$a-; \
         else rm -f /etc/$a-; fi\n\
         done\nfi\nrm -rf {HOME}"
    ));
    let undo = Undo::Action(Default::default());
    let change = Change::new(Verb::Remove, "remove Bramble's record", program, undo);
    StepPlan {
        name: FORGET.to_owned(),
        needs: Vec::new(),
        items: vec![Item {
            id: format!("record:{HOME}"),
            change,
        }],
        finally: Script::new(),
        undo: true,
    }
}

/// A step that undoes records, the last made first.
fn undo_step(name: &str, records: Vec<(&str, &Undo)>) -> StepPlan {
    let mut finally = Script::new();
    let mut items = Vec::new();
    for (id, undo) in records.into_iter().rev() {
        finally.extend(&undo.finally());
        let mut change = Change::new(Verb::Remove, undo.summary(), undo.script(), undo.clone());
        change.destroys = undo.destroys();
        items.push(Item {
            id: id.to_owned(),
            change,
        });
    }
    StepPlan {
        name: name.to_owned(),
        needs: Vec::new(),
        items,
        finally,
        undo: true,
    }
}
