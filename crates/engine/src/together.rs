//! Changes that are made of what another machine gets in the same run. Pure.

use crate::Plan;
use crate::plan::{MachinePlan, Obstacle};

/// Lets each such change wait for the step on the other machine that makes what it is made of. Where the
/// plan leaves that out, as a scope of one machine does, the change would be made of something that
/// nobody will ever have: the machine is taken out of the plan, and what is in its way is said.
pub fn join(plan: &mut Plan) {
    let mut needs = Vec::new();
    let mut alone = Vec::new();
    for (name, machine) in &plan.machines {
        for (at, step) in machine.steps.iter().enumerate() {
            for item in &step.items {
                let Some((other, id)) = &item.change.with else {
                    continue;
                };
                match plan.machines.get(other).and_then(|m| made_in(m, id)) {
                    None => alone.push(Obstacle {
                        machine: name.clone(),
                        message: format!(
                            "{} is made of {id} on {other}, which isn't there yet and isn't part of this plan",
                            item.id
                        ),
                        hint: format!("bramble up --machine {other}, then this again"),
                    }),
                    // A machine's own steps are in order anyway.
                    Some(_) if other == name => {}
                    Some(made) => needs.push((name.clone(), at, (other.clone(), made.to_owned()))),
                }
            }
        }
    }
    for (name, at, need) in needs {
        let machine = plan.machines.get_mut(&name);
        if let Some(step) = machine.and_then(|m| m.steps.get_mut(at)) {
            step.needs.push(need);
        }
    }
    for obstacle in alone {
        plan.machines.remove(&obstacle.machine);
        plan.obstacles.push(obstacle);
    }
}

/// The step that makes a resource.
fn made_in<'a>(machine: &'a MachinePlan, id: &str) -> Option<&'a str> {
    let mut steps = machine.steps.iter().filter(|s| !s.undo);
    steps
        .find(|s| s.items.iter().any(|item| item.id == *id))
        .map(|s| s.name.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::plan::{Item, StepPlan};
    use bramble_machine::{Change, Script, Undo, Verb};

    /// A machine with a step of one change, made with something of `gate` or not.
    fn machine(step: &str, id: &str, with: Option<&str>) -> MachinePlan {
        let undo = Undo::Action(Default::default());
        let mut change = Change::new(Verb::Create, "", Script::new(), undo);
        change.with = with.map(|id| ("gate".to_owned(), id.to_owned()));
        let item = Item {
            id: id.to_owned(),
            change,
        };
        let step = StepPlan {
            name: step.to_owned(),
            needs: Vec::new(),
            items: vec![item],
            finally: Script::new(),
            undo: false,
        };
        MachinePlan {
            steps: vec![step],
            journal_size: 0,
        }
    }

    fn plan(machines: Vec<(&str, MachinePlan)>) -> Plan {
        let machines = machines.into_iter().map(|(n, m)| (n.to_owned(), m));
        let mut plan = Plan {
            machines: machines.collect(),
            ..Plan::default()
        };
        join(&mut plan);
        plan
    }

    const KEYS: &str = "keys:registry";

    #[test]
    fn what_is_made_in_the_same_run_is_waited_for() {
        let plan = plan(vec![
            ("gate", machine("router/registry", KEYS, None)),
            ("one", machine("runtime", "file:/ca", Some(KEYS))),
        ]);
        assert!(plan.obstacles.is_empty());
        let need = ("gate".to_owned(), "router/registry".to_owned());
        assert_eq!(plan.machines["one"].steps[0].needs, [need]);
        assert!(plan.machines["gate"].steps[0].needs.is_empty());
    }

    #[test]
    fn what_is_not_made_is_in_the_way() {
        let mut removed = machine("router/registry", KEYS, None);
        removed.steps[0].undo = true;
        for gate in [
            None,
            Some(machine("router/vpn", "keys:vpn", None)),
            Some(removed),
        ] {
            let gate = gate.map(|machine| ("gate", machine));
            let one = ("one", machine("runtime", "file:/ca", Some(KEYS)));
            let two = ("two", machine("runtime", "file:/own", None));
            let plan = plan(gate.into_iter().chain([one, two]).collect());
            assert!(!plan.machines.contains_key("one"), "nothing of it is done");
            assert!(plan.machines.contains_key("two"));
            let [obstacle] = plan.obstacles.as_slice() else {
                panic!("{:?}", plan.obstacles);
            };
            assert_eq!(obstacle.machine, "one");
            assert_eq!(
                obstacle.message,
                "file:/ca is made of keys:registry on gate, which isn't there yet and isn't part of this plan"
            );
            assert_eq!(obstacle.hint, "bramble up --machine gate, then this again");
        }
    }

    #[test]
    fn a_machine_does_not_wait_for_itself() {
        let mut gate = machine("router/registry", KEYS, None);
        let own = machine("runtime", "file:/ca", Some(KEYS));
        gate.steps.extend(own.steps);
        let plan = plan(vec![("gate", gate)]);
        assert!(plan.obstacles.is_empty());
        let mut steps = plan.machines["gate"].steps.iter();
        assert!(steps.all(|s| s.needs.is_empty()));
    }
}
