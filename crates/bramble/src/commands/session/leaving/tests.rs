#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn leaver(name: &str, control_plane: bool, lives: bool) -> Leaver {
    Leaver {
        name: name.into(),
        address: IpAddr::from([10, 0, 0, 9]),
        control_plane,
        undone: lives,
        lives,
    }
}

fn undone(step: &str) -> MachinePlan {
    let undo = Undo::Action(Default::default());
    let change = Change::new(Verb::Remove, "undo it", Script::new(), undo);
    MachinePlan {
        steps: vec![StepPlan {
            name: step.into(),
            needs: Vec::new(),
            items: vec![Item {
                id: "action:x".into(),
                change,
            }],
            finally: Script::new(),
            undo: true,
        }],
        journal_size: 0,
    }
}

fn needs(plan: &Plan, machine: &str, step: &str) -> Vec<String> {
    let show = |(m, s): &StepRef| format!("{m} {s}").trim().to_owned();
    if machine.is_empty() {
        let mut api = plan.api.iter().filter(|a| a.step.name == step);
        return api.next().unwrap().step.needs.iter().map(show).collect();
    }
    let steps = &plan.machines[machine].steps;
    let found = steps.iter().find(|s| s.name == step).unwrap();
    found.needs.iter().map(show).collect()
}

#[test]
fn a_control_plane_leaves_empty_and_out_of_etcd_before_it_is_undone() {
    let mut plan = Plan::default();
    plan.machines.insert("two".into(), undone(INIT));
    let all = [leaver("two", true, true), leaver("three", true, false)];
    let listed = ["two".to_owned(), "three".to_owned()];
    take_out(Duration::from_secs(60), "one", &all, &listed, &mut plan);
    assert_eq!(needs(&plan, "one", MEMBERS), ["drain/two"]);
    let items = &plan.machines["one"].steps[0].items;
    let items: Vec<&str> = items.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(items, ["etcd-member:two", "etcd-member:three"]);
    let before = ["drain/two".to_owned(), format!("one {MEMBERS}")];
    assert_eq!(needs(&plan, "two", INIT), before);
    let two = [
        format!("two {INIT}"),
        "drain/two".to_owned(),
        format!("one {MEMBERS}"),
    ];
    assert_eq!(needs(&plan, "", "leave/two"), two);
    assert_eq!(needs(&plan, "", "leave/three"), [format!("one {MEMBERS}")]);
    assert!(!plan.api.iter().any(|a| a.step.name == "drain/three"));
    assert!(
        !plan.machines.contains_key("three"),
        "nothing is done there"
    );
}

#[test]
fn a_worker_that_is_gone_from_the_api_is_only_undone() {
    let mut plan = Plan::default();
    plan.machines.insert("four".into(), undone(JOIN));
    let all = [leaver("four", false, true)];
    take_out(Duration::from_secs(60), "one", &all, &[], &mut plan);
    assert!(plan.api.is_empty());
    assert!(needs(&plan, "four", JOIN).is_empty());
    assert!(!plan.machines.contains_key("one"));
}

#[test]
fn down_again_of_a_control_plane_that_is_gone_has_nothing_to_do() {
    let gone = Leaver {
        undone: false,
        ..leaver("one", true, false)
    };
    let named = ["one".to_owned()];
    let down = Manner {
        named: &named,
        ..Manner::default()
    };
    assert!(!concerns(&gone, false, &down));
    assert!(concerns(&gone, true, &down), "its node is still listed");
    let remove = Manner {
        named: &named,
        orderly: true,
        ..Manner::default()
    };
    assert!(concerns(&gone, false, &remove), "a member may be left");
}
