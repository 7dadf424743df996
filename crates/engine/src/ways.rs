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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::plan::Item;
    use bramble_machine::{Change, Script, Undo, Verb};

    fn ways() -> Ways {
        let way = Way {
            through: "gate".into(),
            steps: vec!["door"],
        };
        ["one", "two"]
            .map(|name| (name.to_owned(), way.clone()))
            .into()
    }

    /// Steps with one change each; those in brackets have none.
    fn machine(steps: &[&str]) -> MachinePlan {
        let step = |name: &&str| {
            let bare = name.trim_matches(['[', ']']);
            let change = Change::new(
                Verb::Create,
                "",
                Script::new(),
                Undo::Action(Default::default()),
            );
            let id = format!("file:/{bare}");
            StepPlan {
                name: bare.to_owned(),
                needs: Vec::new(),
                items: (bare == *name)
                    .then_some(Item { id, change })
                    .into_iter()
                    .collect(),
                finally: Script::new(),
                undo: false,
            }
        };
        MachinePlan {
            steps: steps.iter().map(step).collect(),
            journal_size: 7,
        }
    }

    fn plan(machines: &[(&str, &[&str])]) -> Plan {
        let machines = machines
            .iter()
            .map(|(name, steps)| ((*name).to_owned(), machine(steps)));
        Plan {
            machines: machines.collect(),
            ..Plan::default()
        }
    }

    fn needs(plan: &Plan, machine: &str) -> Vec<String> {
        let steps = plan.machines[machine].steps.iter();
        let texts = steps.flat_map(|s| {
            let needs = s.needs.iter();
            needs.map(|(m, n)| format!("{} needs {n} of {m}", s.name))
        });
        texts.collect()
    }

    #[test]
    fn a_plan_that_opens_a_way_is_carried_out_up_to_there_first() {
        let mut plan = plan(&[("gate", &["base", "door", "web"]), ("two", &["base"])]);
        let ways = ways();
        assert!(opens(&plan, &ways["one"]));
        assert!(opening(&plan, &ways).is_none(), "nobody waits");
        plan.later.insert("one".into(), "gate".into());
        let part = opening(&plan, &ways).unwrap();
        let names: Vec<&String> = part.machines.keys().collect();
        assert_eq!(names, ["gate"]);
        let gate = &part.machines["gate"];
        let steps: Vec<&str> = gate.steps.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(steps, ["base", "door"]);
        assert_eq!(gate.journal_size, 7);
        assert_eq!(part.later, plan.later);
    }

    #[test]
    fn a_way_that_stays_as_it_is_opens_nothing() {
        let plan = plan(&[("gate", &["base", "[door]", "web"])]);
        assert!(!opens(&plan, &ways()["one"]));
    }

    #[test]
    fn machines_wait_while_their_way_changes_and_only_then() {
        let mut changing = plan(&[("gate", &["base", "door"]), ("one", &["base", "[x]"])]);
        first(&mut changing, &ways());
        let expected = ["base needs door of gate", "x needs door of gate"];
        assert_eq!(needs(&changing, "one"), expected);
        assert!(needs(&changing, "gate").is_empty());
        let mut quiet = plan(&[("gate", &["base", "[door]"]), ("one", &["base"])]);
        first(&mut quiet, &ways());
        assert!(needs(&quiet, "one").is_empty());
    }

    #[test]
    fn a_way_goes_after_those_who_need_it_were_let_go() {
        // `two` was not seen: nobody waits for it.
        let mut plan = plan(&[("gate", &["web", "door", "base"]), ("one", &[])]);
        plan.down = true;
        last(&mut plan, &ways());
        assert_eq!(needs(&plan, "gate"), ["door needs release of one"]);
    }
}
