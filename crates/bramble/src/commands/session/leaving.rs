//! Machines that leave a cluster which goes on without them: emptied first, then taken out of etcd, then
//! made what they were, then forgotten by the API.

use crate::context::Context;
use crate::kube_place::KubePlace;
use bramble_engine::plan::{ApiPlan, Item, MachinePlan, Obstacle, StepPlan};
use bramble_engine::{ApiChange, Look, Plan};
use bramble_machine::api::ApiResource;
use bramble_machine::step::{ApiStep, StepRef};
use bramble_machine::{Change, Observation, Script, Undo, Verb};
use bramble_spec::cluster::{Machine, Role};
use std::collections::BTreeSet;
use std::time::Duration;

/// The step that makes a node of a worker.
pub(super) const JOIN: &str = "worker/join";
/// The step that makes a control plane.
pub(super) const INIT: &str = "control-plane/init";
/// The step in the API that takes out nodes whose machines have left.
const LEAVE: &str = "nodes/leave";
/// The step of a control plane that stays: it takes those that leave out of etcd.
const MEMBERS: &str = "control-plane/members";

/// Whether a step of a machine is undone.
fn goes(plan: &MachinePlan, step: &str) -> bool {
    let mut steps = plan.steps.iter().filter(|s| s.name == step);
    steps.any(|s| !s.items.is_empty())
}

/// Whether a machine is of this cluster and has made a step.
fn has(plan: &Plan, seen: &Observation, step: &str) -> bool {
    let journal = &seen.journal;
    journal.cluster.as_ref() == Some(&plan.cluster)
        && journal.records.iter().any(|r| r.step == step)
}

/// A control plane that stays, by which the others are taken out.
fn keeper<'a>(context: &'a Context, look: &Look, plan: &Plan) -> Option<&'a Machine> {
    context.cluster.with_role(Role::ControlPlane).find(|m| {
        let seen = look.seen.get(&m.name);
        let going = plan.machines.get(&m.name).is_some_and(|p| goes(p, INIT));
        !going && seen.is_some_and(|seen| has(plan, seen, INIT))
    })
}

/// The last control plane doesn't go while workers stay that would wait for it forever, and could join no
/// other.
pub(super) fn orphans(context: &Context, look: &Look, plan: &mut Plan) {
    let stays = |name: &String, seen: &Observation| {
        has(plan, seen, JOIN) && !plan.machines.get(name).is_some_and(|m| goes(m, JOIN))
    };
    let workers = look.seen.iter().filter(|(name, seen)| stays(name, seen));
    let workers: Vec<&str> = workers.map(|(name, _)| name.as_str()).collect();
    if workers.is_empty() || keeper(context, look, plan).is_some() {
        return;
    }
    let planes = plan.machines.iter().filter(|(_, m)| goes(m, INIT));
    let planes: Vec<String> = planes.map(|(name, _)| name.clone()).collect();
    for machine in planes {
        plan.machines.remove(&machine);
        plan.obstacles.push(Obstacle {
            machine,
            message: format!(
                "it is the control plane of {}, which would stay",
                workers.join(", ")
            ),
            hint: format!("take all of it down, or the workers first: bramble down --step {JOIN}"),
        });
    }
}

/// Workers leave before the control planes that they talk to.
pub(super) fn order_teardown(plan: &mut Plan) {
    let leaving: Vec<StepRef> = plan
        .machines
        .iter()
        .filter(|(_, m)| goes(m, JOIN))
        .map(|(name, _)| (name.clone(), JOIN.to_owned()))
        .collect();
    for machine in plan.machines.values_mut() {
        for step in machine.steps.iter_mut().filter(|s| s.name == INIT) {
            step.needs.extend(leaving.iter().cloned());
        }
    }
}

/// What the cluster that goes on does about the machines of the plan that leave it, and about those that
/// are lost: they can't be reached and never will be.
pub(super) async fn leave(
    context: &Context,
    look: &Look,
    lost: &[String],
    place: &KubePlace,
    plan: &mut Plan,
) {
    let nodes: BTreeSet<String> = plan
        .machines
        .iter()
        .filter(|(_, m)| goes(m, JOIN) || goes(m, INIT))
        .map(|(name, _)| name.clone())
        .collect();
    let Some(keeper) =
        keeper(context, look, plan).filter(|_| !nodes.is_empty() || !lost.is_empty())
    else {
        // The API goes with the last control plane.
        return;
    };
    let api = match place.connect(&look.sessions).await {
        Ok(connected) => connected,
        // The machines may go all the same: that is what a machine that is needed elsewhere is for.
        Err(error) => {
            plan.remarks.push(format!(
                "the API does not answer, so nothing is moved off {0} first, and it will still be listed as a node (kubectl delete node ...): {1}",
                names(nodes.iter().chain(lost)),
                error.message
            ));
            None
        }
    };
    let known: BTreeSet<String> = match &api {
        Some(connected) => match connected.api.status().await {
            Ok(status) => status.nodes.into_iter().map(|n| n.name).collect(),
            Err(_) => nodes.iter().chain(lost).cloned().collect(),
        },
        None => BTreeSet::new(),
    };
    let going: Vec<&String> = nodes.iter().filter(|n| known.contains(*n)).collect();
    for name in &going {
        let machine = plan.machines.get_mut(*name);
        for step in machine.into_iter().flat_map(|m| &mut m.steps) {
            step.needs.push((String::new(), drain_step(name)));
        }
        plan.api.push(drained(context, name));
    }
    members(context, keeper, &nodes, lost, plan);
    let out: Vec<&String> = going
        .into_iter()
        .chain(lost.iter().filter(|n| known.contains(*n)))
        .collect();
    if !out.is_empty() {
        plan.api.push(forgotten(&out, &nodes, context));
    }
}

fn names<'a>(all: impl Iterator<Item = &'a String>) -> String {
    all.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The step in the API that empties a node.
pub(super) fn drain_step(node: &str) -> String {
    format!("drain/{node}")
}

fn drained(context: &Context, name: &str) -> ApiPlan {
    let limit = context.cluster.kubernetes.upgrade.drain_limit;
    let resource = ApiResource::Drained {
        name: name.to_owned(),
        limit,
        force: true,
    };
    let change = ApiChange {
        id: resource.id(),
        verb: Verb::Run,
        summary: "cordon, drain; pods that nothing would start again are lost".into(),
        diff: None,
    };
    ApiPlan {
        step: ApiStep {
            name: drain_step(name),
            needs: Vec::new(),
            resources: vec![resource],
        },
        changes: Some(vec![change]),
        apart: true,
    }
}

/// Nodes are deleted when their machines are done: an earlier kubelet would register again.
fn forgotten(out: &[&String], nodes: &BTreeSet<String>, context: &Context) -> ApiPlan {
    let step = |name: &str| {
        let plane = context
            .cluster
            .machine(name)
            .is_some_and(|m| m.is(Role::ControlPlane));
        if plane { INIT } else { JOIN }
    };
    let resources: Vec<ApiResource> = out
        .iter()
        .map(|name| ApiResource::NoNode {
            name: (*name).clone(),
        })
        .collect();
    let changes = resources.iter().map(|resource| ApiChange {
        id: resource.id(),
        verb: Verb::Remove,
        summary: "take the node out of the cluster".into(),
        diff: None,
    });
    ApiPlan {
        changes: Some(changes.collect()),
        step: ApiStep {
            name: LEAVE.into(),
            needs: out
                .iter()
                .filter(|name| nodes.contains(**name))
                .map(|name| ((*name).clone(), step(name).to_owned()))
                .collect(),
            resources,
        },
        apart: true,
    }
}

/// Members of etcd go one after the other, by the word of a control plane that stays, each only while the
/// rest keeps its quorum; and before the machine itself stops its member.
fn members(
    context: &Context,
    keeper: &Machine,
    nodes: &BTreeSet<String>,
    lost: &[String],
    plan: &mut Plan,
) {
    let leaving: Vec<&Machine> = context
        .cluster
        .with_role(Role::ControlPlane)
        .filter(|m| nodes.contains(&m.name) || lost.contains(&m.name))
        .collect();
    if leaving.is_empty() {
        return;
    }
    let item = |machine: &&Machine| {
        let program =
            bramble_etcd::program::remove_member(&machine.name, &machine.address.to_string());
        let undo = Undo::Action(Default::default());
        let said = format!("take {} out of etcd", machine.name);
        let mut change = Change::new(Verb::Remove, said, program, undo);
        change.limit = Duration::from_secs(180);
        Item {
            id: format!("etcd-member:{}", machine.name),
            change,
        }
    };
    let step = StepPlan {
        name: MEMBERS.into(),
        needs: leaving
            .iter()
            .filter(|m| plan.api.iter().any(|a| a.step.name == drain_step(&m.name)))
            .map(|m| (String::new(), drain_step(&m.name)))
            .collect(),
        items: leaving.iter().map(item).collect(),
        finally: Script::new(),
        // Nothing of it is recorded.
        undo: true,
    };
    plan.machines
        .entry(keeper.name.clone())
        .or_default()
        .steps
        .push(step);
    for machine in leaving {
        let own = plan.machines.get_mut(&machine.name);
        for step in own.into_iter().flat_map(|m| &mut m.steps) {
            step.needs.push((keeper.name.clone(), MEMBERS.into()));
        }
    }
}
