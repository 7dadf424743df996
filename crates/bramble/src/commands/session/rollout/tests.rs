#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use bramble_engine::plan::Item;
use bramble_machine::query::Answer;
use bramble_machine::{Change, Observation, Query, Script, Undo};

/// One control plane and four workers of v1.31.2, two of which may be away at a time.
fn cluster() -> Cluster {
    let workers: String = ["a", "b", "c", "d"]
        .iter()
        .enumerate()
        .map(|(n, name)| format!("    - {{ name: {name}, address: 10.77.0.2{n} }}\n"))
        .collect();
    let text = format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: home }}\nspec:\n  kubernetes: {{ version: v1.31.2, upgrade: {{ maxUnavailable: 2 }} }}\n  machines:\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n{workers}"
    );
    bramble_spec::load("test", &text).unwrap()
}

/// All machines, the control plane with an API server of a release.
fn look(api_server: Option<&str>) -> Look {
    let mut look = Look::default();
    for name in ["one", "a", "b", "c", "d"] {
        look.seen.insert(name.into(), Observation::default());
    }
    let plane = look.seen.get_mut("one").unwrap();
    if let Some(release) = api_server {
        let text = format!("    image: registry.k8s.io/kube-apiserver:{release}\n");
        let query = Query::Content(API_SERVER.into());
        plane.answers.insert(query, Answer::Text(Some(text)));
    }
    look
}

fn change(plan: &mut Plan, machine: &str, step: &str, empties: bool) {
    let mut change = Change::new(
        Verb::Update,
        "",
        Script::new(),
        Undo::Action(Default::default()),
    );
    change.empties = empties;
    let step = StepPlan {
        name: step.into(),
        needs: Vec::new(),
        items: vec![Item {
            id: "x".into(),
            change,
        }],
        finally: Script::new(),
        undo: false,
    };
    let steps = &mut plan.machines.entry(machine.into()).or_default().steps;
    steps.push(step);
}

fn node(name: &str, drained: bool) -> Node {
    Node {
        name: name.into(),
        ready: true,
        drained,
        cluster: None,
        address: None,
        control_plane: false,
    }
}

fn nodes(drained: &[&str]) -> Vec<Node> {
    let names = ["one", "a", "b", "c", "d"].iter();
    names.map(|n| node(n, drained.contains(n))).collect()
}

fn steps(plan: &Plan) -> Vec<&str> {
    plan.api.iter().map(|a| a.step.name.as_str()).collect()
}

fn names(steps: &[StepRef]) -> Vec<&str> {
    steps.iter().map(|(_, name)| name.as_str()).collect()
}

fn obstacles_of(plan: &Plan) -> Vec<String> {
    let said = |o: &Obstacle| format!("{}: {}", o.machine, o.message);
    plan.obstacles.iter().map(said).collect()
}

#[test]
fn nobody_begins_once_one_beside_it_has_failed() {
    let mut plan = Plan::default();
    change(&mut plan, "one", PODS, false);
    for name in ["a", "b", "c", "d"] {
        change(&mut plan, name, JOIN, true);
    }
    order(
        &cluster(),
        &look(Some("v1.30.4")),
        &Scope::default(),
        Some(&nodes(&[])),
        &mut plan,
    );
    assert_eq!(obstacles_of(&plan), [""; 0]);
    let drain = |name: &str| plan.api.iter().find(|a| a.step.name == name).unwrap();
    let c = drain("drain/c");
    assert_eq!(names(&c.step.needs), [PODS, "serve/a"]);
    assert_eq!(names(&c.unless_failed), ["serve/a", "serve/b"]);
    let d = drain("drain/d");
    assert_eq!(names(&d.step.needs), [PODS, "serve/a", "serve/b"]);
    assert_eq!(names(&d.unless_failed), ["serve/a", "serve/b", "serve/c"]);
}

#[test]
fn a_node_that_was_left_drained_is_served_where_it_is_asked_for() {
    let left = |steps: &[&str], machines: &[&str]| {
        let owned = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect();
        let scope = Scope {
            steps: owned(steps),
            machines: owned(machines),
        };
        let mut plan = Plan::default();
        let known = nodes(&["b"]);
        order(
            &cluster(),
            &look(Some("v1.31.2")),
            &scope,
            Some(&known),
            &mut plan,
        );
        self::steps(&plan).join(" ")
    };
    assert_eq!(left(&[], &[]), "serve/b");
    assert_eq!(left(&[], &["b"]), "serve/b");
    assert_eq!(left(&["worker"], &[]), "serve/b");
    // It would wait for a release that nothing brings.
    assert_eq!(left(&["base"], &[]), "");
    assert_eq!(left(&[], &["a"]), "");
}

#[test]
fn a_control_plane_that_is_in_the_way_already_is_not_named_twice() {
    let mut plan = Plan::default();
    change(&mut plan, "a", JOIN, true);
    plan.obstacles.push(Obstacle {
        machine: "one".into(),
        message: "it belongs to another cluster".into(),
        hint: String::new(),
    });
    order(
        &cluster(),
        &look(Some("v1.30.4")),
        &Scope::default(),
        None,
        &mut plan,
    );
    assert_eq!(obstacles_of(&plan), ["one: it belongs to another cluster"]);
}

#[test]
fn no_kubelet_gets_newer_than_an_api_server() {
    let planned = |api: Option<&str>, changes: &[(&str, &str, bool)]| {
        let mut plan = Plan::default();
        for (machine, step, empties) in changes {
            change(&mut plan, machine, step, *empties);
        }
        order(&cluster(), &look(api), &Scope::default(), None, &mut plan);
        obstacles_of(&plan)
    };
    let old = Some("v1.30.4");
    for (machine, step, empties) in [("a", JOIN, true), ("a", JOIN, false), ("one", INIT, true)] {
        let said = planned(old, &[(machine, step, empties)]);
        assert_eq!(said.len(), 1, "{machine} {step} {empties}");
        assert!(
            said[0].starts_with("one: its API server is of v1.30.4"),
            "{said:?}"
        );
        let with = planned(old, &[("one", PODS, false), (machine, step, empties)]);
        assert_eq!(with, [""; 0]);
    }
    // There is none yet, or it is of the release.
    assert_eq!(
        planned(None, &[("one", INIT, false), ("a", JOIN, false)]),
        [""; 0]
    );
    assert_eq!(planned(Some("v1.31.2"), &[("a", JOIN, true)]), [""; 0]);
    assert_eq!(planned(old, &[("a", "base/hosts", false)]), [""; 0]);
}
