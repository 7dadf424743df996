//! Machines that can be reached only once another one lets them through.

use bramble_engine::plan::{FORGET, Obstacle, Scope};
use bramble_engine::ways::{self, Ways};
use bramble_engine::{Look, Plan};
use bramble_machine::Way;
use std::collections::BTreeMap;

/// What the plan does on the way to a machine comes before what it does there. A machine that was not
/// reached because its way is made by this plan is left for later.
pub(super) fn order(plan: &mut Plan, look: &Look, scope: &Scope, all: &Ways) {
    for (name, why) in &look.unseen {
        let Some(way) = all.get(name) else { continue };
        if why.is_unreachable() && scope.machine(name) && ways::opens(plan, way) {
            plan.unreachable.remove(name);
            plan.later.insert(name.clone(), way.through.clone());
        }
    }
    plan.remarks.extend(remark(plan));
    ways::first(plan, all);
}

fn remark(plan: &Plan) -> Option<String> {
    let through = plan.later.values().next()?;
    let names: Vec<&str> = plan.later.keys().map(String::as_str).collect();
    let names = names.join(", ");
    Some(format!(
        "behind {through}, looked at once it lets them through: {names}"
    ))
}

/// The way to a machine goes last, and not at all while something of Bramble stays behind it. What can't be
/// looked at may hold something of it; unless the way is asked for by its name, it stays for that.
pub(super) fn order_teardown(plan: &mut Plan, look: &Look, scope: &Scope, all: &Ways) {
    for through in all.values().map(|w| &w.through) {
        let closes = |plan: &Plan| {
            let mut ways = all.values().filter(|w| w.through == *through);
            ways.any(|w| ways::opens(plan, w))
        };
        if !closes(plan) {
            continue;
        }
        let left = left_behind(plan, look, all, through).join(", ");
        let silent = silent_behind(look, scope, all, through).join(", ");
        let (message, hint) = if !left.is_empty() {
            (
                format!("{left} behind it would stay, and be cut off"),
                "take all of it down, or the machines behind it first: bramble down --machine NAME"
                    .to_owned(),
            )
        } else if !silent.is_empty() {
            (
                format!("{silent} behind it can't be looked at, and would be cut off"),
                format!(
                    "switch them on and run this again; if nothing of Bramble is on them: bramble down --machine {through}"
                ),
            )
        } else {
            continue;
        };
        plan.machines.remove(through);
        plan.obstacles.push(Obstacle {
            machine: through.clone(),
            message,
            hint,
        });
    }
    ways::last(plan, all);
}

/// Machines that can't be looked at because the way to them is gone already are what a teardown leaves, and
/// no reason to fail when it is run again; unless somebody asks for just them.
pub(super) fn behind_what_is_gone(plan: &mut Plan, look: &Look, scope: &Scope, all: &Ways) {
    if !scope.machines.is_empty() {
        return;
    }
    let gone = |way: &Way| {
        let seen = look.seen.get(&way.through);
        seen.is_some_and(|s| {
            let mut records = s.journal.records.iter();
            !records.any(|r| way.steps.contains(&r.step.as_str()))
        })
    };
    let mut behind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, why) in &look.unseen {
        if let Some(way) = all.get(name).filter(|w| why.is_unreachable() && gone(w)) {
            plan.unreachable.remove(name);
            behind.entry(&way.through).or_default().push(name);
        }
    }
    plan.remarks.extend(behind.into_iter().map(|(through, names)| {
        format!(
            "{} not looked at: {through} has nothing of the router any more, and lets nobody through; a teardown of everything takes it last, when nothing of Bramble is left behind it",
            names.join(", ")
        )
    }));
}

/// Machines behind one that don't answer, where the teardown is of everything.
fn silent_behind<'a>(look: &'a Look, scope: &Scope, all: &Ways, through: &str) -> Vec<&'a str> {
    let behind = |name: &str| all.get(name).is_some_and(|w| w.through == through);
    look.unseen
        .keys()
        .filter(|name| scope.machines.is_empty() && behind(name))
        .map(String::as_str)
        .collect()
}

/// Machines behind one that this plan does not take down whole.
fn left_behind<'a>(plan: &Plan, look: &'a Look, all: &'a Ways, through: &str) -> Vec<&'a str> {
    let goes = |name: &str| {
        let steps = plan.machines.get(name).map(|m| &m.steps);
        steps.is_some_and(|steps| steps.iter().any(|s| s.name == FORGET))
    };
    let ours = |name: &String| {
        let cluster = look.seen.get(name).map(|seen| &seen.journal.cluster);
        cluster.is_some_and(|c| c.as_ref() == Some(&plan.cluster))
    };
    all.iter()
        .filter(|(name, way)| way.through == through && ours(name) && !goes(name))
        .map(|(name, _)| name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_engine::observe::Unseen;
    use bramble_engine::plan::{self, MachinePlan};
    use bramble_machine::journal::{Identity, Journal, Line, to_line};
    use bramble_machine::{Observation, Undo};

    fn all() -> Ways {
        let way = Way {
            through: "gate".into(),
            steps: vec!["router/dhcp"],
        };
        ["one", "two"]
            .map(|name| (name.to_owned(), way.clone()))
            .into()
    }

    /// A machine of the cluster with one record of each of these steps.
    fn seen(steps: &[&str]) -> Observation {
        let own = Line::Cluster(Identity::default());
        let records = steps.iter().map(|step| {
            to_line(&Line::Begin {
                id: format!("file:/{step}"),
                step: (*step).to_owned(),
                undo: Undo::Action(Default::default()),
            })
        });
        let lines: Vec<String> = [to_line(&own)].into_iter().chain(records).collect();
        let mut seen = Observation {
            journal: Journal::parse(&lines.join("\n")),
            ..Observation::default()
        };
        seen.facts.home = true;
        seen
    }

    /// The teardown of `gate` and `one`, as far as the scope goes; `two` was not seen.
    fn teardown(steps: &[&str], machines: &[&str]) -> Plan {
        let scope = Scope {
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            machines: machines.iter().map(|s| (*s).to_owned()).collect(),
        };
        let mut look = Look::default();
        let mut plan = Plan {
            down: true,
            ..Plan::default()
        };
        for (name, steps) in [
            ("gate", &["base/access", "router/dhcp", "router/vpn"]),
            ("one", &["base/access", "runtime", "kubernetes"]),
        ] {
            let seen = seen(steps);
            let machine = plan::away(&seen, &scope, name).unwrap();
            plan.machines.insert(name.into(), machine);
            look.seen.insert(name.into(), seen);
        }
        order_teardown(&mut plan, &look, &scope, &all());
        plan
    }

    #[test]
    fn a_whole_teardown_ends_with_the_router() {
        let plan = teardown(&[], &[]);
        assert!(plan.obstacles.is_empty(), "{:?}", plan.obstacles);
        let needs = |machine: &MachinePlan| {
            let steps = machine.steps.iter().filter(|s| !s.needs.is_empty());
            steps.map(|s| s.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(needs(&plan.machines["gate"]), ["router/dhcp"]);
        assert!(needs(&plan.machines["one"]).is_empty());
    }

    #[test]
    fn no_router_goes_while_something_of_bramble_stays_behind_it() {
        for (steps, machines) in [
            (&["router"][..], &[][..]),
            (&[], &["gate"]),
            (&["router", "kubernetes"], &[]),
        ] {
            let plan = teardown(steps, machines);
            assert_eq!(plan.obstacles.len(), 1, "{steps:?} {machines:?}");
            let obstacle = &plan.obstacles[0];
            assert_eq!(obstacle.machine, "gate");
            assert!(
                obstacle.message.starts_with("one behind it would stay"),
                "{}",
                obstacle.message
            );
            assert!(!plan.machines.contains_key("gate"));
        }
        // What nobody behind it needs may go.
        let plan = teardown(&["router/vpn"], &[]);
        assert!(plan.obstacles.is_empty());
        assert_eq!(plan.machines["gate"].changes(), 1);
        // So may machines behind it.
        assert!(teardown(&[], &["one"]).obstacles.is_empty());
    }

    fn unseen(names: &[&str]) -> Look {
        let why = || Unseen::Closed {
            through: "gate".into(),
        };
        Look {
            unseen: names
                .iter()
                .map(|name| ((*name).to_owned(), why()))
                .collect(),
            ..Look::default()
        }
    }

    /// A plan that has something to do in a step of `gate`, and the machines that were not seen.
    fn changing(step: &str, names: &[&str]) -> Plan {
        let mut gate = plan::away(&seen(&[step]), &Scope::default(), "gate").unwrap();
        gate.steps.truncate(1);
        Plan {
            machines: [("gate".to_owned(), gate)].into(),
            unreachable: names
                .iter()
                .map(|name| ((*name).to_owned(), "silent".to_owned()))
                .collect(),
            ..Plan::default()
        }
    }

    #[test]
    fn who_waits_for_the_router_is_looked_at_later() {
        let names = ["one", "two", "far"];
        let mut plan = changing("router/dhcp", &names);
        order(&mut plan, &unseen(&names), &Scope::default(), &all());
        let later: Vec<&String> = plan.later.keys().collect();
        assert_eq!(later, ["one", "two"]);
        let rest: Vec<&String> = plan.unreachable.keys().collect();
        assert_eq!(rest, ["far"], "it is not behind the router");
        let remark = "behind gate, looked at once it lets them through: one, two";
        assert_eq!(plan.remarks, [remark]);
    }

    #[test]
    fn nobody_is_waited_for_who_would_not_come() {
        let names = ["one", "two"];
        let only = |machine: &str| Scope {
            steps: Vec::new(),
            machines: vec![machine.to_owned()],
        };
        // Nothing changes on the way.
        let mut plan = changing("router/vpn", &names);
        order(&mut plan, &unseen(&names), &Scope::default(), &all());
        assert!(plan.later.is_empty() && plan.remarks.is_empty());
        // Nobody asked for them.
        let mut plan = changing("router/dhcp", &names);
        order(&mut plan, &unseen(&names), &only("gate"), &all());
        assert!(plan.later.is_empty());
        // The router is there as well as these machines.
        let mut plan = changing("router/dhcp", &[]);
        order(&mut plan, &Look::default(), &Scope::default(), &all());
        assert!(plan.later.is_empty());
    }

    #[test]
    fn no_router_goes_while_nobody_knows_what_is_behind_it() {
        let after = |machines: &[&str]| {
            let scope = Scope {
                steps: Vec::new(),
                machines: machines.iter().map(|s| (*s).to_owned()).collect(),
            };
            let mut look = unseen(&["two"]);
            look.seen.insert("gate".into(), seen(&["router/dhcp"]));
            let mut plan = changing("router/dhcp", &["two"]);
            order_teardown(&mut plan, &look, &scope, &all());
            let said: Vec<String> = plan.obstacles.into_iter().map(|o| o.message).collect();
            (plan.machines.contains_key("gate"), said)
        };
        let said = "two behind it can't be looked at, and would be cut off";
        assert_eq!(after(&[]), (false, vec![said.to_owned()]));
        // Whoever names it knows.
        assert_eq!(after(&["gate"]), (true, vec![]));
    }

    #[test]
    fn a_teardown_that_was_done_does_nothing_when_it_is_run_again() {
        let names = ["far", "one", "two"];
        let after = |steps: &[&str], machines: &[&str]| {
            let scope = Scope {
                steps: Vec::new(),
                machines: machines.iter().map(|s| (*s).to_owned()).collect(),
            };
            let mut look = unseen(&names);
            look.seen.insert("gate".into(), seen(steps));
            let mut plan = changing("base", &names);
            behind_what_is_gone(&mut plan, &look, &scope, &all());
            let rest: Vec<String> = plan.unreachable.into_keys().collect();
            (rest, plan.remarks.len())
        };
        assert_eq!(after(&["base"], &[]), (vec!["far".to_owned()], 1));
        // The router still is one, so they should be there; or they were asked for by name.
        assert_eq!(after(&["router/dhcp"], &[]).0, names);
        assert_eq!(after(&["base"], &["one"]).0, names);
    }
}
