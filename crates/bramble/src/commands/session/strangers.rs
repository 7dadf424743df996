//! Nodes of the cluster whose machines are no longer in the file: they leave it, and their machines are made
//! what they were, where they can be reached and say themselves that they belong to this cluster.

use super::leaving;
use super::planning::own_account;
use crate::args::Global;
use crate::context::Context;
use crate::kube_place::Node;
use bramble_engine::plan::{self, Scope};
use bramble_engine::{Look, Plan};
use bramble_machine::{Blueprint, Observation};
use bramble_spec::Cluster;
use bramble_spec::cluster::{Machine, Role};
use std::collections::BTreeMap;

/// What is said of a node, if its machine is not in the file. `owner`: the cluster that it says it belongs to.
pub fn remark(cluster: &Cluster, name: &str, owner: Option<&str>) -> Option<String> {
    if cluster.machine(name).is_some_and(Machine::is_node) {
        return None;
    }
    let what = match owner == Some(&cluster.name) {
        true => {
            "`bramble up` takes it out of the cluster; to keep it, put it back: bramble machine add"
        }
        false => {
            "it does not say that Bramble made it, so it stays until you delete it: kubectl drain, kubectl delete node"
        }
    };
    Some(format!(
        "node {name} is in the cluster but not in the file: {what}"
    ))
}

/// Plans that they leave. Gives the machines that are cleaned; they are part of the look then.
pub(super) async fn leave(
    context: &Context,
    global: &Global,
    look: &mut Look,
    nodes: &[Node],
    plan: &mut Plan,
) -> Vec<Machine> {
    let cluster = &context.cluster;
    let mut unknown: Vec<&Node> = Vec::new();
    for node in nodes {
        if cluster.machine(&node.name).is_some_and(Machine::is_node) {
            continue;
        }
        match cluster.machines.iter().find(|m| Some(m.address) == node.address) {
            Some(machine) => plan.remarks.push(format!(
                "node {} is in the cluster but not in the file, where its address is that of {}: call the machine {0} again, or delete the node if {1} is another one",
                node.name, machine.name
            )),
            None => unknown.push(node),
        }
    }
    if unknown.is_empty() {
        return Vec::new();
    }
    let guests: Vec<Machine> = unknown.iter().filter_map(|n| guest(cluster, n)).collect();
    let found = visit(context, global, &guests).await;
    let mut leaving: Vec<&Node> = Vec::new();
    let mut cleaned = Vec::new();
    for node in unknown {
        let guest = guests.iter().find(|m| m.name == node.name);
        let seen = found.seen.get(&node.name);
        let own = seen.filter(|seen| is_ours(seen, node, plan));
        let marked = node.cluster.as_deref() == Some(&cluster.name);
        let (Some(guest), Some(seen)) = (guest, own) else {
            if marked {
                leaving.push(node);
                let why = found
                    .unseen
                    .get(&node.name)
                    .map(|why| crate::error::chain(why));
                plan.remarks.push(left_as_it_is(node, why));
            } else {
                plan.remarks.extend(remark(cluster, &node.name, None));
            }
            continue;
        };
        leaving.push(node);
        match cleaning(guest, seen) {
            Ok(machine) => {
                plan.machines.insert(node.name.clone(), machine);
                look.seen.insert(node.name.clone(), seen.clone());
                cleaned.push(guest.clone());
            }
            Err(why) => plan.remarks.push(left_as_it_is(node, Some(why))),
        }
    }
    let sessions = found.sessions.into_iter();
    look.sessions
        .extend(sessions.filter(|(name, _)| cleaned.iter().any(|m| m.name == *name)));
    leaving::leave_strangers(context, look, &leaving, plan);
    cleaned
}

/// How a machine that the file no longer names is reached: as the control planes are.
fn guest(cluster: &Cluster, node: &Node) -> Option<Machine> {
    let model = cluster.with_role(Role::ControlPlane).next()?;
    let mut machine = Machine {
        name: node.name.clone(),
        address: node.address?,
        management: None,
        mac: None,
        disks: Vec::new(),
        pod_range: None,
        ..model.clone()
    };
    machine.ssh.host_key = None;
    Some(machine)
}

/// Only looks; a host key that nobody knows is not learned for it.
async fn visit(context: &Context, global: &Global, guests: &[Machine]) -> Look {
    let careful = Global {
        accept_new_host_keys: false,
        ..global.clone()
    };
    let targets: Vec<_> = guests.iter().map(|m| context.target(m)).collect();
    let nothing = |_: &BTreeMap<_, _>| Blueprint::default();
    let fleet = context.fleet(&careful);
    bramble_engine::observe(&fleet, &targets, &nothing, &|_, _| {}).await
}

/// An address may have passed on to another machine: the one that is found there must have the node's name,
/// and a record that says that it is of this cluster.
fn is_ours(seen: &Observation, node: &Node, plan: &Plan) -> bool {
    seen.facts.hostname == node.name && seen.journal.cluster.as_ref() == Some(&plan.cluster)
}

fn cleaning(guest: &Machine, seen: &Observation) -> Result<plan::MachinePlan, String> {
    let whole = Scope::default();
    let machine = plan::away(seen, &whole, &guest.name).map_err(|e| e.to_string())?;
    match own_account(&guest.ssh.user, &guest.name, &machine) {
        Some(obstacle) => Err(obstacle.message),
        None => Ok(machine),
    }
}

fn left_as_it_is(node: &Node, why: Option<String>) -> String {
    let why = why.unwrap_or_else(|| {
        "the machine at its address is another one, or has no record of this cluster".into()
    });
    format!(
        "{0} leaves the cluster, but its machine stays as it is: {why}. Don't let it start again in this network before it is wiped; or put its entry back into the file and run `bramble down --machine {0}`",
        node.name
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_node_that_is_not_in_the_file_leaves_if_it_is_ours() {
        let text = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  \
                    machines:\n    - { name: one, roles: [control-plane], address: 192.168.1.11 }\n";
        let cluster = bramble_spec::load("test", text).unwrap();
        assert_eq!(remark(&cluster, "one", None), None);
        let ours = remark(&cluster, "three", Some("home")).unwrap();
        assert!(ours.contains("`bramble up` takes it out"), "{ours}");
        for owner in [None, Some("other")] {
            let alien = remark(&cluster, "three", owner).unwrap();
            assert!(alien.contains("it stays until you delete it"), "{alien}");
        }
    }
}
