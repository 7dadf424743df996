//! Machines that leave a cluster which goes on without them: emptied first, then taken out of etcd, then
//! made what they were, then forgotten by the API.

use crate::context::Context;
use crate::kube_place::{KubePlace, Node};
use bramble_engine::plan::{ApiPlan, Item, MachinePlan, Obstacle, StepPlan};
use bramble_engine::{ApiChange, Look, Plan};
use bramble_machine::api::ApiResource;
use bramble_machine::step::{ApiStep, StepRef};
use bramble_machine::{Change, Observation, Script, Undo, Verb};
use bramble_spec::cluster::{Machine, Role};
use std::net::IpAddr;
use std::time::Duration;

/// The step that makes a node of a worker.
pub(super) const JOIN: &str = "worker/join";
/// The step that makes a control plane.
pub(super) const INIT: &str = "control-plane/init";
/// The steps in the API that take out nodes whose machines have left.
pub const LEAVE: &str = "leave/";
/// The step of a control plane that stays: it takes those that leave out of etcd.
const MEMBERS: &str = "control-plane/members";

/// Whether a step of a machine is undone.
fn goes(plan: &MachinePlan, step: &str) -> bool {
    let mut steps = plan.steps.iter().filter(|s| s.name == step);
    steps.any(|s| s.undo && !s.items.is_empty())
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
        // One whose join was cut off has no member that could take others out.
        !going && seen.is_some_and(|seen| seen.facts.control_plane && has(plan, seen, INIT))
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

/// A machine that leaves a cluster which goes on.
struct Leaver {
    name: String,
    address: IpAddr,
    control_plane: bool,
    /// The plan undoes what made a node of it.
    undone: bool,
    /// Its pods can be moved before it goes.
    lives: bool,
}

/// How machines are made to leave.
#[derive(Debug, Default)]
pub(super) struct Manner<'a> {
    /// Machines that were named: the cluster forgets them even where nothing is left on them to undo.
    pub named: &'a [String],
    /// Those of them that can't be reached, and never will be.
    pub lost: Vec<String>,
    /// Nothing goes unless the cluster can be told of it.
    pub orderly: bool,
}

/// What the cluster that goes on does about the machines of the plan that leave it, and about those that
/// are lost.
pub(super) async fn leave(
    context: &Context,
    look: &Look,
    manner: &Manner<'_>,
    place: &KubePlace,
    plan: &mut Plan,
) {
    let candidates: Vec<Leaver> = context
        .cluster
        .machines
        .iter()
        .filter(|m| m.is_node())
        .filter_map(|m| candidate(m, manner, plan))
        .collect();
    if candidates.is_empty() {
        return;
    }
    let Some(keeper) = keeper(context, look, plan) else {
        // The API goes with the last control plane.
        if manner.orderly {
            plan.obstacles.extend(nobody(context, look, &candidates));
        }
        return;
    };
    let known = match place.nodes(&look.sessions).await {
        Ok(known) => known.unwrap_or_default(),
        Err(error) if manner.orderly => {
            let obstacle = |leaver: &Leaver| Obstacle {
                machine: leaver.name.clone(),
                message: format!(
                    "the API does not answer, so nothing can be moved off it: {}",
                    error.message
                ),
                hint: format!(
                    "`bramble status` says what ails the cluster; to clean the machine all the same: bramble down --machine {}",
                    leaver.name
                ),
            };
            plan.obstacles.extend(candidates.iter().map(obstacle));
            return;
        }
        // The machines may go all the same: that is what a machine that is needed elsewhere is for.
        Err(error) => {
            plan.remarks.push(format!(
                "the API does not answer, so nothing is moved off {0} first, and it will still be listed as a node (kubectl delete node ...): {1}",
                names(&candidates),
                error.message
            ));
            let undone: Vec<Leaver> = candidates.into_iter().filter(|c| c.undone).collect();
            members(&keeper.name, &undone, plan);
            return;
        }
    };
    let node = |leaver: &Leaver| known.iter().find(|node| node.name == leaver.name);
    let lives = |leaver: &Leaver| !leaver.undone && node(leaver).is_some_and(|node| node.ready);
    if manner.orderly {
        let found = candidates.iter().filter(|leaver| lives(leaver));
        let found = found.map(|l| alive(&l.name, manner.lost.contains(&l.name)));
        plan.obstacles.extend(found);
    }
    let leavers: Vec<Leaver> = candidates
        .into_iter()
        .filter(|leaver| !lives(leaver))
        .filter(|leaver| concerns(leaver, node(leaver).is_some(), manner))
        .map(|leaver| Leaver {
            // Nobody confirms that pods have left a node that is not ready; they go with it.
            lives: leaver.lives && node(&leaver).is_some_and(|node| node.ready),
            ..leaver
        })
        .collect();
    let listed: Vec<String> = leavers
        .iter()
        .filter(|leaver| node(leaver).is_some())
        .map(|leaver| leaver.name.clone())
        .collect();
    let limit = context.cluster.kubernetes.upgrade.drain_limit;
    take_out(limit, &keeper.name, &leavers, &listed, plan);
}

/// Nodes of this cluster whose machines are no longer in the file leave it.
pub(super) fn leave_strangers(context: &Context, look: &Look, nodes: &[&Node], plan: &mut Plan) {
    let Some(keeper) = keeper(context, look, plan) else {
        return;
    };
    let leavers: Vec<Leaver> = nodes
        .iter()
        .filter_map(|node| {
            let undone = plan.machines.get(&node.name);
            // One that came back under its old name lacks the label.
            let made = undone.is_some_and(|m| goes(m, INIT));
            Some(Leaver {
                name: node.name.clone(),
                address: node.address?,
                control_plane: node.control_plane || made,
                undone: made || undone.is_some_and(|m| goes(m, JOIN)),
                lives: node.ready,
            })
        })
        .collect();
    let listed: Vec<String> = leavers.iter().map(|leaver| leaver.name.clone()).collect();
    let limit = context.cluster.kubernetes.upgrade.drain_limit;
    take_out(limit, &keeper.name, &leavers, &listed, plan);
    if leavers.iter().any(|leaver| leaver.control_plane) {
        joiners_wait(&keeper.name, plan);
    }
}

/// etcd takes no new member while it still counts a dead one.
fn joiners_wait(keeper: &str, plan: &mut Plan) {
    let others = plan.machines.iter_mut().filter(|(name, _)| *name != keeper);
    let steps = others.flat_map(|(_, machine)| &mut machine.steps);
    for step in steps.filter(|s| s.name == INIT && !s.undo) {
        step.needs.push((keeper.to_owned(), MEMBERS.into()));
    }
}

fn candidate(machine: &Machine, manner: &Manner<'_>, plan: &Plan) -> Option<Leaver> {
    let own = plan.machines.get(&machine.name);
    let undone = own.is_some_and(|m| goes(m, JOIN) || goes(m, INIT));
    let lost = manner.lost.contains(&machine.name);
    // A machine that was not looked at, and is not given up, is no matter of this plan.
    let forgotten = lost || own.is_some() && manner.named.contains(&machine.name);
    (undone || forgotten).then(|| Leaver {
        name: machine.name.clone(),
        address: machine.address,
        control_plane: machine.is(Role::ControlPlane) || own.is_some_and(|m| goes(m, INIT)),
        undone,
        lives: undone,
    })
}

/// Whether the cluster has to do something about a leaver. A member of etcd may outlive its node, on a machine
/// that others have wiped: who removes the machine has it looked for. `down` is for what the machine records, and
/// again has nothing to do.
fn concerns(leaver: &Leaver, listed: bool, manner: &Manner<'_>) -> bool {
    let member = leaver.control_plane && manner.orderly;
    leaver.undone || listed || member || manner.lost.contains(&leaver.name)
}

/// What is in the way where a cluster goes on somewhere, and nobody of it can be told.
fn nobody(context: &Context, look: &Look, leavers: &[Leaver]) -> Vec<Obstacle> {
    let leaves = |name: &str| leavers.iter().any(|leaver| leaver.name == name);
    let unseen: Vec<&str> = context
        .cluster
        .with_role(Role::ControlPlane)
        .map(|m| m.name.as_str())
        .filter(|name| !leaves(name) && look.unseen.contains_key(*name))
        .collect();
    if unseen.is_empty() {
        return Vec::new();
    }
    let obstacle = |leaver: &Leaver| Obstacle {
        machine: leaver.name.clone(),
        message: format!(
            "no control plane that stays can be reached, and one of them has to take it out of the cluster: {}",
            unseen.join(", ")
        ),
        hint: "`bramble fleet ping` shows which machines answer".into(),
    };
    leavers.iter().map(obstacle).collect()
}

/// A node that runs is neither lost nor empty, even if only its own record would tell what to undo: its pods
/// would go on where nobody sees them.
fn alive(name: &str, lost: bool) -> Obstacle {
    let message = match lost {
        true => "it can't be reached from here, but its node is ready: it lives",
        false => "it has no record of a node that could be undone, but its node is ready: it lives",
    };
    let first = match lost {
        true => "mend the way to it (`bramble fleet ping`), or switch it off",
        false => "if it is a node that lost its record, drain it and run on it: kubeadm reset",
    };
    Obstacle {
        machine: name.to_owned(),
        message: message.into(),
        hint: format!("{first}; a machine that is dead is called so by the cluster after 40 s"),
    }
}

/// Empties the nodes, takes members out of etcd, and lets the API forget the nodes that it lists.
fn take_out(limit: Duration, keeper: &str, leavers: &[Leaver], listed: &[String], plan: &mut Plan) {
    for leaver in leavers
        .iter()
        .filter(|l| l.lives && listed.contains(&l.name))
    {
        let machine = plan.machines.get_mut(&leaver.name);
        for step in machine.into_iter().flat_map(|m| &mut m.steps) {
            step.needs.push((String::new(), drain_step(&leaver.name)));
        }
        plan.api.push(drained(limit, &leaver.name));
    }
    members(keeper, leavers, plan);
    let out = leavers.iter().filter(|l| listed.contains(&l.name));
    plan.api.extend(out.map(|leaver| forgotten(keeper, leaver)));
}

fn names(all: &[Leaver]) -> String {
    let names: Vec<&str> = all.iter().map(|leaver| leaver.name.as_str()).collect();
    names.join(", ")
}

/// The step in the API that empties a node.
pub(super) fn drain_step(node: &str) -> String {
    format!("drain/{node}")
}

fn drained(limit: Duration, name: &str) -> ApiPlan {
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
        unless_failed: Vec::new(),
    }
}

/// A node is deleted when its machine is done: an earlier kubelet would register again. One whose machine
/// nobody undoes is deleted once it is empty, and no longer in etcd.
fn forgotten(keeper: &str, leaver: &Leaver) -> ApiPlan {
    let resource = ApiResource::NoNode {
        name: leaver.name.clone(),
    };
    let change = ApiChange {
        id: resource.id(),
        verb: Verb::Remove,
        summary: "take the node out of the cluster".into(),
        diff: None,
    };
    let made = if leaver.control_plane { INIT } else { JOIN };
    let undone = (leaver.name.clone(), made.to_owned());
    let drained = (String::new(), drain_step(&leaver.name));
    let member = (keeper.to_owned(), MEMBERS.to_owned());
    let needs = [
        leaver.undone.then_some(undone),
        leaver.lives.then_some(drained),
        leaver.control_plane.then_some(member),
    ];
    ApiPlan {
        changes: Some(vec![change]),
        step: ApiStep {
            name: format!("{LEAVE}{}", leaver.name),
            needs: needs.into_iter().flatten().collect(),
            resources: vec![resource],
        },
        apart: true,
        unless_failed: Vec::new(),
    }
}

/// Members of etcd go one after the other, by the word of a control plane that stays, each only while the
/// rest keeps its quorum; and before the machine itself stops its member.
fn members(keeper: &str, leavers: &[Leaver], plan: &mut Plan) {
    let leaving: Vec<&Leaver> = leavers.iter().filter(|l| l.control_plane).collect();
    if leaving.is_empty() {
        return;
    }
    let item = |leaver: &&Leaver| {
        let program =
            bramble_etcd::program::remove_member(&leaver.name, &leaver.address.to_string());
        let undo = Undo::Action(Default::default());
        let said = format!("take {} out of etcd", leaver.name);
        let mut change = Change::new(Verb::Remove, said, program, undo);
        change.limit = Duration::from_secs(180);
        Item {
            id: format!("etcd-member:{}", leaver.name),
            change,
        }
    };
    let step = StepPlan {
        name: MEMBERS.into(),
        needs: leaving
            .iter()
            .filter(|l| plan.api.iter().any(|a| a.step.name == drain_step(&l.name)))
            .map(|l| (String::new(), drain_step(&l.name)))
            .collect(),
        items: leaving.iter().map(item).collect(),
        finally: Script::new(),
        // Nothing of it is recorded.
        undo: true,
    };
    // Last: what else is planned there doesn't wait for nodes to be empty.
    plan.machines
        .entry(keeper.to_owned())
        .or_default()
        .steps
        .push(step);
    for leaver in leaving {
        let own = plan.machines.get_mut(&leaver.name);
        for step in own.into_iter().flat_map(|m| &mut m.steps) {
            step.needs.push((keeper.to_owned(), MEMBERS.into()));
        }
    }
}

#[cfg(test)]
mod tests;
