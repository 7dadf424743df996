//! Machines that can be reached only once another one lets them through: which part of a plan comes
//! first because of that, and what goes last in a teardown. Pure.

use crate::Plan;
use crate::plan::{MachinePlan, RELEASE, StepPlan};
use bramble_machine::{StepRef, Way};
use std::collections::BTreeMap;

/// By machine.
pub type Ways = BTreeMap<String, Way>;

/// Whether one of these steps has something to do.
fn changes(machine: &MachinePlan, way: &Way) -> bool {
    let mut steps = machine.steps.iter().filter(|s| is_of(way, s));
    steps.any(|s| !s.items.is_empty())
}

fn is_of(way: &Way, step: &StepPlan) -> bool {
    way.steps.contains(&step.name.as_str())
}

/// Whether the plan changes what lets a machine through.
pub fn opens(plan: &Plan, way: &Way) -> bool {
    plan.machines
        .get(&way.through)
        .is_some_and(|m| changes(m, way))
}

/// The part of a plan that lets through the machines that it leaves for later: of each machine that
/// they wait for, everything up to the last step of the way. `None` where none is left for later.
pub fn opening(plan: &Plan, ways: &Ways) -> Option<Plan> {
    let mut machines = BTreeMap::new();
    for name in plan.later.keys() {
        let way = ways.get(name)?;
        let machine = plan.machines.get(&way.through)?;
        let last = machine.steps.iter().rposition(|s| is_of(way, s))?;
        machines
            .entry(way.through.clone())
            .or_insert_with(|| MachinePlan {
                steps: machine.steps[..=last].to_vec(),
                journal_size: machine.journal_size,
            });
    }
    (!machines.is_empty()).then(|| Plan {
        cluster: plan.cluster.clone(),
        machines,
        unreachable: plan.unreachable.clone(),
        later: plan.later.clone(),
        ..Plan::default()
    })
}

/// While the way to a machine changes nothing is done there: packages would come through it.
pub fn first(plan: &mut Plan, ways: &Ways) {
    let needs = |way: &Way| -> Vec<StepRef> {
        let machine = plan.machines.get(&way.through);
        let steps = machine.into_iter().flat_map(|m| &m.steps);
        steps
            .filter(|s| is_of(way, s) && !s.items.is_empty())
            .map(|s| (way.through.clone(), s.name.clone()))
            .collect()
    };
    let all: Vec<_> = ways
        .iter()
        .map(|(name, way)| (name, needs(way)))
        .filter(|(_, needs)| !needs.is_empty())
        .collect();
    for (name, needs) in all {
        let machine = plan.machines.get_mut(name);
        for step in machine.into_iter().flat_map(|m| &mut m.steps) {
            step.needs.extend(needs.iter().cloned());
        }
    }
}

/// In a teardown the way to a machine goes only when the machine is done and its lock released:
/// afterwards it can't be reached any more.
pub fn last(plan: &mut Plan, ways: &Ways) {
    for (name, way) in ways {
        if !plan.machines.contains_key(name) {
            continue;
        }
        let machine = plan.machines.get_mut(&way.through);
        let steps = machine.into_iter().flat_map(|m| &mut m.steps);
        for step in steps.filter(|s| is_of(way, s)) {
            step.needs.push((name.clone(), RELEASE.to_owned()));
        }
    }
}
