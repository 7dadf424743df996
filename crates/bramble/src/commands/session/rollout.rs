//! The order in which nodes are raised to another release: the pods of all control planes one by one, then
//! the kubelets of the control planes one by one, then the workers, as many at a time as the file allows.
//! Each node is drained before its kubelet is changed and serves again after it; the first that fails ends
//! it for all that have not begun.

use super::leaving::{INIT, JOIN, drain_step};
use crate::kube_place::Node;
use bramble_blueprint::{API_SERVER, api_server};
use bramble_engine::plan::{ApiPlan, MachinePlan, Obstacle, Scope, StepPlan};
use bramble_engine::{ApiChange, Look, Plan};
use bramble_machine::Verb;
use bramble_machine::api::ApiResource;
use bramble_machine::step::{ApiStep, StepRef};
use bramble_spec::Cluster;
use bramble_spec::cluster::{Machine, Role};

/// The step that raises a control plane's own pods.
const PODS: &str = "control-plane/upgrade";
/// The step in the API that says what nodes are.
const NODES: &str = "nodes";

/// Puts the plan's changes that empty nodes in their order. `nodes`: what the API says of them, if it was
/// asked.
pub(super) fn order(
    cluster: &Cluster,
    look: &Look,
    scope: &Scope,
    nodes: Option<&[Node]>,
    plan: &mut Plan,
) {
    let mut raised: Vec<&Machine> = cluster
        .machines
        .iter()
        .filter(|m| node_step(plan, m).is_some_and(empties))
        .collect();
    let drained = |m: &Machine| {
        let mut nodes = nodes.unwrap_or_default().iter();
        nodes.any(|n| n.name == m.name && n.drained)
    };
    // Those that a run which was cut off has drained are away already: they come first.
    // Then those that are not ready, which are as good as away.
    let ready = |m: &Machine| {
        let mut nodes = nodes.unwrap_or_default().iter();
        nodes.any(|n| n.name == m.name && n.ready)
    };
    raised.sort_by_key(|m| (!drained(m), nodes.is_some() && ready(m)));
    let planes: Vec<&Machine> = cluster.with_role(Role::ControlPlane).collect();
    let pods: Vec<StepRef> = planes
        .iter()
        .filter(|m| changes(plan, &m.name, PODS))
        .map(|m| (m.name.clone(), PODS.to_owned()))
        .collect();
    one_by_one(&pods, plan);
    let (first, rest): (Vec<&Machine>, Vec<_>) = raised
        .iter()
        .copied()
        .partition(|m| m.is(Role::ControlPlane));
    plan.obstacles.extend(older(cluster, look, plan));
    if !raised.is_empty() || !pods.is_empty() {
        let found = obstacles(cluster, look, nodes, &rest);
        plan.obstacles.extend(found);
        newcomers(cluster, &pods, plan);
    }
    let workers = cluster.machines.iter().filter(|m| m.is_node());
    let workers: Vec<&Machine> = workers.filter(|m| !m.is(Role::ControlPlane)).collect();
    let allowed = cluster.kubernetes.upgrade.max_unavailable;
    let away = workers
        .iter()
        .filter(|m| nodes.is_some() && !ready(m) && !raised.iter().any(|r| r.name == m.name));
    let at_once = allowed
        .of(workers.len())
        .saturating_sub(away.count())
        .max(1);
    plan.remarks
        .extend(said(cluster, &pods, &first, &rest, at_once));
    let mut before = pods;
    // Drained by a run that was cut off, and not to be raised any more: nobody has seen yet that they came back.
    let left = cluster.machines.iter().filter(|m| {
        let raised = raised.iter().any(|r| r.name == m.name);
        let asked = scope.machine(&m.name) && scope.includes(step_name(m));
        drained(m) && !raised && asked && look.seen.contains_key(&m.name)
    });
    for machine in left {
        before.push(served(cluster, machine, None, plan));
    }
    let before = in_turns(cluster, &first, 1, before, plan);
    let served = in_turns(cluster, &rest, at_once, before, plan);
    // It uncordons what it finds drained.
    for api in plan.api.iter_mut().filter(|a| a.step.name == NODES) {
        api.step.needs.extend(served.iter().cloned());
    }
}

/// The order in words.
fn said(
    cluster: &Cluster,
    pods: &[StepRef],
    planes: &[&Machine],
    workers: &[&Machine],
    at_once: usize,
) -> Option<String> {
    let names = |machines: &[&Machine]| {
        let names: Vec<&str> = machines.iter().map(|m| m.name.as_str()).collect();
        names.join(", ")
    };
    let mut parts = Vec::new();
    if !pods.is_empty() {
        let names: Vec<&str> = pods.iter().map(|(name, _)| name.as_str()).collect();
        parts.push(format!("the control plane on {}", names.join(", ")));
    }
    if !planes.is_empty() {
        parts.push(format!("the kubelets of {}", names(planes)));
    }
    if !workers.is_empty() {
        parts.push(format!("{} ({at_once} at a time)", names(workers)));
    }
    (!parts.is_empty()).then(|| {
        format!(
            "to {}, one after the other: {}",
            cluster.kubernetes.version,
            parts.join("; then ")
        )
    })
}

/// The step that makes a node of a machine.
fn node_step<'a>(plan: &'a Plan, machine: &Machine) -> Option<&'a StepPlan> {
    let steps = &plan.machines.get(&machine.name)?.steps;
    steps.iter().find(|s| s.name == step_name(machine))
}

fn step_name(machine: &Machine) -> &'static str {
    if machine.is(Role::ControlPlane) {
        INIT
    } else {
        JOIN
    }
}

fn empties(step: &StepPlan) -> bool {
    !step.undo && step.items.iter().any(|item| item.change.empties)
}

fn changes(plan: &Plan, machine: &str, step: &str) -> bool {
    let steps = plan.machines.get(machine).map(|m| m.steps.as_slice());
    let mut steps = steps.unwrap_or_default().iter();
    steps.any(|s| s.name == step && !s.items.is_empty())
}

fn needs(plan: &mut Plan, machine: &str, step: &str, more: &[StepRef]) {
    let steps = plan
        .machines
        .get_mut(machine)
        .map(|m: &mut MachinePlan| &mut m.steps);
    for found in steps.into_iter().flatten().filter(|s| s.name == step) {
        found.needs.extend(more.iter().cloned());
    }
}

fn one_by_one(steps: &[StepRef], plan: &mut Plan) {
    for (before, step) in steps.iter().zip(steps.iter().skip(1)) {
        needs(plan, &step.0, &step.1, std::slice::from_ref(before));
    }
}

/// Machines that join meanwhile have the new programs already: no kubelet may be newer than the API.
fn newcomers(cluster: &Cluster, pods: &[StepRef], plan: &mut Plan) {
    for machine in &cluster.machines {
        if node_step(plan, machine).is_some_and(|step| !empties(step)) {
            let others: Vec<StepRef> = pods
                .iter()
                .filter(|p| p.0 != machine.name)
                .cloned()
                .collect();
            needs(plan, &machine.name, step_name(machine), &others);
        }
    }
}

/// Lets machines take turns, all of them after `before`. Gives what comes after them.
fn in_turns(
    cluster: &Cluster,
    machines: &[&Machine],
    at_once: usize,
    before: Vec<StepRef>,
    plan: &mut Plan,
) -> Vec<StepRef> {
    let mut served_so_far: Vec<StepRef> = Vec::new();
    for (turn, machine) in machines.iter().enumerate() {
        let name = &machine.name;
        let earlier = &served_so_far[..turn.saturating_sub(at_once - 1)];
        // What its kubelet needs is there before it is emptied for it.
        let prepared = prepared(plan, machine);
        let after = before.iter().chain(earlier).cloned().chain(prepared);
        let after = after.collect();
        let limit = cluster.kubernetes.upgrade.drain_limit;
        let drain = ApiResource::Drained {
            name: name.clone(),
            limit,
            force: false,
        };
        let mut turn = turn_step(drain_step(name), after, drain, "cordon, drain");
        // Those beside it as well: whoever has not begun when one fails stays as it is.
        turn.unless_failed.clone_from(&served_so_far);
        plan.api.push(turn);
        let drained = (String::new(), drain_step(name));
        needs(
            plan,
            name,
            step_name(machine),
            std::slice::from_ref(&drained),
        );
        served_so_far.push(served(cluster, machine, Some(drained), plan));
    }
    before.into_iter().chain(served_so_far).collect()
}

/// The last step of a machine before the one that makes a node of it, if there is something to do in it.
fn prepared(plan: &Plan, machine: &Machine) -> Option<StepRef> {
    let steps = &plan.machines.get(&machine.name)?.steps;
    let before = steps.iter().take_while(|s| s.name != step_name(machine));
    let last = before.filter(|s| !s.undo && !s.items.is_empty()).last()?;
    Some((machine.name.clone(), last.name.clone()))
}

/// Puts a node back into service once its machine is done.
fn served(
    cluster: &Cluster,
    machine: &Machine,
    drained: Option<StepRef>,
    plan: &mut Plan,
) -> StepRef {
    let name = &machine.name;
    let serve = ApiResource::Serving {
        name: name.clone(),
        kubelet: Some(cluster.kubernetes.version.to_string()),
    };
    let made = (name.clone(), step_name(machine).to_owned());
    let needs = drained.into_iter().chain([made]).collect();
    let step = format!("serve/{name}");
    plan.api.push(turn_step(
        step.clone(),
        needs,
        serve,
        "wait until it is ready, uncordon",
    ));
    (String::new(), step)
}

fn turn_step(name: String, needs: Vec<StepRef>, resource: ApiResource, said: &str) -> ApiPlan {
    let change = ApiChange {
        id: resource.id(),
        verb: Verb::Run,
        summary: said.to_owned(),
        diff: None,
    };
    ApiPlan {
        step: ApiStep {
            name,
            needs,
            resources: vec![resource],
        },
        changes: Some(vec![change]),
        apart: true,
        unless_failed: Vec::new(),
    }
}

/// Control planes whose API would be older than a kubelet that this plan makes or raises, and that it does not
/// raise.
fn older(cluster: &Cluster, look: &Look, plan: &Plan) -> Vec<Obstacle> {
    let wanted = cluster.kubernetes.version;
    let mut all = cluster.machines.iter();
    if !all.any(|m| node_step(plan, m).is_some_and(|s| !s.undo && !s.items.is_empty())) {
        return Vec::new();
    }
    let runs = |m: &Machine| api_server(look.seen.get(&m.name)?.content(API_SERVER)?);
    let planes = cluster.with_role(Role::ControlPlane);
    // What keeps one from being planned at all is said already.
    let planned = |m: &&Machine| !plan.obstacles.iter().any(|o| o.machine == m.name);
    let behind = planes.filter(planned).filter_map(|m| {
        let runs = runs(m).filter(|runs| *runs < wanted && !changes(plan, &m.name, PODS))?;
        Some(Obstacle {
            machine: m.name.clone(),
            message: format!(
                "its API server is of {runs} and this plan does not raise it; no kubelet may be newer than the API"
            ),
            hint: "raise the control planes first: bramble up without --machine and --step".into(),
        })
    });
    behind.collect()
}

/// What must not be while a release is raised.
fn obstacles(
    cluster: &Cluster,
    look: &Look,
    nodes: Option<&[Node]>,
    workers: &[&Machine],
) -> Vec<Obstacle> {
    let wanted = cluster.kubernetes.version;
    let mut out = Vec::new();
    let mut obstacle = |machine: &str, message: String, hint: String| {
        out.push(Obstacle {
            machine: machine.to_owned(),
            message,
            hint,
        });
    };
    let planes = cluster.with_role(Role::ControlPlane);
    for plane in planes.filter(|m| !look.seen.contains_key(&m.name)) {
        obstacle(
            &plane.name,
            format!("it can't be looked at, and every control plane has to be raised to {wanted}"),
            format!(
                "make it reachable; if it is gone for good: bramble machine remove {}",
                plane.name
            ),
        );
    }
    let allowed = cluster.kubernetes.upgrade.max_unavailable;
    let all = cluster
        .machines
        .iter()
        .filter(|m| m.is_node() && !m.is(Role::ControlPlane));
    let all: Vec<&str> = all.map(|m| m.name.as_str()).collect();
    let down: Vec<&str> = nodes
        .unwrap_or_default()
        .iter()
        .filter(|n| !n.ready && all.contains(&n.name.as_str()))
        .filter(|n| !workers.iter().any(|w| w.name == n.name))
        .map(|n| n.name.as_str())
        .collect();
    if !workers.is_empty() && down.len() >= allowed.of(all.len()) {
        obstacle(
            down[0],
            format!(
                "not ready: {}; with a worker that is raised more would be away than maxUnavailable ({}) allows",
                down.join(", "),
                allowed.of(all.len())
            ),
            "mend it first, or raise kubernetes.upgrade.maxUnavailable".into(),
        );
    }
    out
}

#[cfg(test)]
mod tests;
