//! The plan for all machines and the API, and what stands in its way.

use super::leaving::Manner;
use super::{leaving, rollout, ways};
use crate::context::Context;
use crate::error::CliError;
use crate::kube_place::{Compared, KubePlace, Node};
use bramble_engine::identity;
use bramble_engine::plan::{self, ApiPlan, MachinePlan, Obstacle, Scope};
use bramble_engine::together;
use bramble_engine::ways::Ways;
use bramble_engine::{ApiPlace, Look, Plan};
use bramble_machine::journal::Identity;
use bramble_machine::{Blueprint, Observation, Undo};
use bramble_spec::Cluster;
use bramble_spec::cluster::{Machine, Role};
use std::collections::{BTreeMap, BTreeSet};

/// The cluster as its machines know it; one that none of them knows gets a new id.
pub fn identity(context: &Context, look: &Look) -> Identity {
    let name = context.cluster.name.clone();
    let id = identity::id(&name, anchor(context).as_deref(), &look.seen);
    let id = id.map_or_else(identity::fresh, str::to_owned);
    Identity { name, id }
}

/// The machine that every run locks.
pub(super) fn anchor(context: &Context) -> Option<String> {
    context
        .cluster
        .with_role(Role::ControlPlane)
        .next()
        .map(|m| m.name.clone())
}

/// The machine that a run locks beside those that it changes: the first control plane that is reached.
pub(super) fn lockable_anchor(context: &Context, look: &Look) -> Option<String> {
    let mut planes = context.cluster.with_role(Role::ControlPlane);
    let reached = planes.find(|m| look.sessions.contains_key(&m.name));
    reached.map(|m| m.name.clone()).or_else(|| anchor(context))
}

/// Plans towards the file. Gives the nodes of the cluster as well, as far as the API was asked.
pub(super) async fn towards(
    context: &Context,
    blueprint: &Blueprint,
    look: &Look,
    scope: &Scope,
    place: &KubePlace,
) -> Result<(Plan, Vec<Node>), CliError> {
    let mut out = Plan {
        cluster: identity(context, look),
        remarks: blueprint.remarks.clone(),
        unreachable: unseen(context, look),
        ..Plan::default()
    };
    for (name, seen) in &look.seen {
        // Of machines that were not asked for only the control plane can be in the way of the others.
        let machine = context.cluster.machine(name);
        let counts = scope.machine(name) || machine.is_some_and(|m| m.is(Role::ControlPlane));
        if let Some(obstacle) = identity::foreign(&out.cluster, name, seen) {
            out.obstacles.extend(counts.then_some(obstacle));
            continue;
        }
        if let Some(obstacle) = machine.and_then(|m| another_role(m, seen)) {
            out.obstacles.extend(counts.then_some(obstacle));
            continue;
        }
        match plan::towards(blueprint, name, seen, scope) {
            Ok(machine) => admit(context, name, machine, &mut out),
            Err(_) if !counts => {}
            Err(errors) => out.obstacles.extend(errors.iter().map(|error| Obstacle {
                machine: name.clone(),
                message: error.to_string(),
                hint: error.hint(),
            })),
        }
    }
    let mut nodes = None;
    together::join(&mut out);
    ways::order(&mut out, look, scope, &blueprint.ways);
    let mut planes = context.cluster.with_role(Role::ControlPlane).peekable();
    let any = planes.peek().is_some();
    if any && planes.all(|m| out.absent(&m.name).is_some()) {
        out.remarks.push(
            "what lives in the cluster's API is not looked at: no control plane was seen".into(),
        );
        return Ok((out, Vec::new()));
    }
    // What is in the way on a machine explains what the API would refuse because of it.
    if scope.machines.is_empty() && out.obstacles.is_empty() {
        let mut steps: Vec<_> = blueprint
            .api
            .iter()
            .filter(|s| scope.includes(&s.name))
            .cloned()
            .collect();
        for step in &mut steps {
            step.needs
                .retain(|(machine, _)| out.absent(machine).is_none());
        }
        let compared = place
            .compare(&look.sessions, &steps, &blueprint.api, |name| {
                scope.includes(name)
            })
            .await
            .map_err(silent)?;
        let unknown = |step| ApiPlan {
            step,
            changes: None,
            apart: false,
            unless_failed: Vec::new(),
        };
        match compared {
            Compared::Absent => out.api = steps.into_iter().map(unknown).collect(),
            // The machines may be what keeps it from answering, so they are not kept waiting for it.
            Compared::Silent(why) => {
                out.remarks.push(format!(
                    "the API does not answer, so what changes there is known once it does: {why}"
                ));
                out.api = steps.into_iter().map(unknown).collect();
            }
            Compared::Known(difference) => {
                let known = difference.steps.into_iter().map(|(step, changes)| ApiPlan {
                    step,
                    changes: Some(changes),
                    apart: false,
                    unless_failed: Vec::new(),
                });
                out.api = known.collect();
                nodes = Some(difference.nodes);
            }
        }
    }
    // Who is away and who was drained counts for a part of the machines as well.
    if !scope.machines.is_empty() && out.obstacles.is_empty() {
        match place.nodes(&look.sessions).await {
            Ok(known) => nodes = known,
            Err(error) => out.remarks.push(format!(
                "the API does not answer, so nobody looked at which nodes are away: {}",
                error.message
            )),
        }
    }
    let found = forgotten(&context.cluster, nodes.as_deref().unwrap_or_default(), &out);
    out.obstacles.extend(found);
    rollout::order(&context.cluster, look, scope, nodes.as_deref(), &mut out);
    Ok((out, nodes.unwrap_or_default()))
}

/// Plans towards nothing.
pub(super) async fn away(
    context: &Context,
    look: &Look,
    scope: &Scope,
    ways: &Ways,
    manner: &Manner<'_>,
    place: &KubePlace,
) -> Result<Plan, CliError> {
    let mut out = Plan {
        cluster: identity(context, look),
        down: true,
        unreachable: unseen(context, look),
        ..Plan::default()
    };
    for (name, seen) in &look.seen {
        let asked = scope.machine(name);
        let foreign = identity::foreign(&out.cluster, name, seen);
        if let Some(obstacle) = foreign.or_else(|| under_a_node(name, seen, scope)) {
            out.obstacles.extend(asked.then_some(obstacle));
            continue;
        }
        match plan::away(seen, scope, name) {
            Ok(machine) => admit(context, name, machine, &mut out),
            Err(_) if !asked => {}
            Err(error) => out.obstacles.push(Obstacle {
                machine: name.clone(),
                message: error.to_string(),
                hint: error.hint(),
            }),
        }
    }
    leaving::orphans(context, look, &mut out);
    leaving::order_teardown(&mut out);
    ways::order_teardown(&mut out, look, scope, ways);
    ways::behind_what_is_gone(&mut out, look, scope, ways);
    leaving::leave(context, look, manner, place, &mut out).await;
    // Nothing is expected of them.
    out.unreachable
        .retain(|name, _| !manner.lost.contains(name));
    // When everything goes, the API goes with it; a part of it is taken out by name.
    if !scope.steps.is_empty() && scope.machines.is_empty() {
        let made = place.retired(&look.sessions, &[]).await.map_err(silent)?;
        let steps: Vec<_> = made
            .into_iter()
            .filter(|s| scope.includes(&s.name))
            .collect();
        let changes = place.plan(&look.sessions, &steps).await.map_err(silent)?;
        let mut changes = changes.into_iter().flatten();
        out.api.extend(steps.into_iter().map(|step| ApiPlan {
            step,
            changes: changes.next(),
            apart: false,
            unless_failed: Vec::new(),
        }));
    }
    Ok(out)
}

/// Control planes that the cluster took out while they were off, and that came back as they were: their kubelets
/// make nodes of them again, and nobody else knows their members of etcd.
fn forgotten(cluster: &Cluster, nodes: &[Node], plan: &Plan) -> Vec<Obstacle> {
    let is_made = |name: &str| {
        let steps = plan.machines.get(name).map(|m| m.steps.as_slice());
        let mut steps = steps.unwrap_or_default().iter();
        steps.any(|s| s.name == leaving::INIT && !s.items.is_empty())
    };
    let planes = cluster.with_role(Role::ControlPlane);
    let lost = planes.filter(|m| {
        let node = nodes.iter().find(|n| n.name == m.name);
        plan.machines.contains_key(&m.name)
            && node.is_some_and(|n| !n.control_plane)
            && !is_made(&m.name)
    });
    let obstacle = |machine: &Machine| {
        Obstacle {
        machine: machine.name.clone(),
        message: "the cluster knows it as a node, and no longer as a control plane: it was taken out, and came back with its old state".into(),
        hint: format!(
            "make it anew: bramble machine replace {0} (had only its label been taken off: kubectl label node {0} node-role.kubernetes.io/control-plane=)",
            machine.name
        ),
    }
    };
    lost.map(obstacle).collect()
}

/// A node that the file makes something else would lose what it is to its cluster, a member of etcd above all, without
/// leaving it first.
fn another_role(machine: &Machine, seen: &Observation) -> Option<Obstacle> {
    let made = |id: &str| seen.journal.find(id).is_some();
    let plane = machine.is(Role::ControlPlane);
    let was = match () {
        () if made("action:kubeadm-init") && !plane => "a control plane",
        () if made("action:kubeadm-join") && (plane || !machine.is_node()) => "a worker",
        () => return None,
    };
    let name = &machine.name;
    Some(Obstacle {
        machine: name.clone(),
        message: format!(
            "it is {was}, and the file gives it another role: it has to leave the cluster first"
        ),
        hint: format!(
            "put its roles back and run bramble down --machine {name}; then change them, and bramble up"
        ),
    })
}

/// Takes a machine's plan into the whole, unless it removes the login that it is carried out by.
fn admit(context: &Context, name: &str, machine: MachinePlan, plan: &mut Plan) {
    let login = context.cluster.machine(name).map(|m| m.ssh.user.as_str());
    match login.and_then(|own| own_account(own, name, &machine)) {
        Some(obstacle) => plan.obstacles.push(obstacle),
        None => drop(plan.machines.insert(name.to_owned(), machine)),
    }
}

/// Nobody saws off the branch on which the program sits: a user that Bramble made is not removed by a
/// login as that user.
pub(super) fn own_account(own: &str, name: &str, plan: &MachinePlan) -> Option<Obstacle> {
    let undone = plan.steps.iter().filter(|s| s.undo).flat_map(|s| &s.items);
    let removes = |undo: &Undo| matches!(undo, Undo::User(user) if user.absent && user.name == own);
    undone.map(|i| &i.change.undo).find(|undo| removes(undo))?;
    Some(Obstacle {
        machine: name.to_owned(),
        message: format!("it would remove the user {own}, as whom Bramble is logged in there"),
        hint: "log in as another user who may become root: change ssh.user".into(),
    })
}

/// A node doesn't have the floor taken away under its feet.
fn under_a_node(name: &str, seen: &Observation, scope: &Scope) -> Option<Obstacle> {
    let recorded: BTreeSet<&str> = seen.journal.records.iter().map(|r| &*r.step).collect();
    if !scope.machine(name) {
        return None;
    }
    let node = bramble_blueprint::node_steps()
        .into_iter()
        .find(|step| recorded.contains(step) && !scope.includes(step))?;
    let floor: Vec<&str> = recorded
        .into_iter()
        .filter(|step| scope.includes(step) && bramble_blueprint::holds_nodes(step))
        .collect();
    (!floor.is_empty()).then(|| Obstacle {
        machine: name.to_owned(),
        message: format!("it is a running node, which needs {}", floor.join(", ")),
        hint: format!("take the node down as well: add --step {node}, or leave --step out"),
    })
}

fn silent(error: bramble_engine::api::ApiError) -> CliError {
    CliError::failed(error.message).hint("`bramble status` shows the state of the cluster")
}

fn unseen(context: &Context, look: &Look) -> BTreeMap<String, String> {
    let absent = |name: &str| {
        let machine = context.cluster.machine(name);
        let lab = context.lab.as_ref();
        lab.zip(machine).is_some_and(|(lab, m)| !lab.has(m))
    };
    look.unseen
        .iter()
        .map(|(name, why)| {
            let mut text = crate::error::chain(why);
            if absent(name) {
                text.push_str("; the lab doesn't have it yet: bramble lab up");
            }
            (name.clone(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn no_step_goes_that_a_running_node_stands_on() {
        use bramble_machine::journal::{Journal, Line, to_line};
        let line = |step: &str| {
            to_line(&Line::Begin {
                id: format!("action:{step}"),
                step: step.to_owned(),
                undo: bramble_machine::Undo::Action(Default::default()),
            })
        };
        let text = ["base/packages", "base/hosts", "worker/join"].map(line);
        let seen = Observation {
            journal: Journal::parse(&text.join("\n")),
            ..Observation::default()
        };
        assert_eq!(seen.journal.records.len(), 3, "{:?}", seen.journal);
        let scope = |steps: &[&str]| Scope {
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            machines: Vec::new(),
        };
        let obstacle = under_a_node("two", &seen, &scope(&["base"])).unwrap();
        assert!(obstacle.message.contains("base/packages"), "{obstacle:?}");
        assert!(!obstacle.message.contains("hosts"), "{obstacle:?}");
        assert!(obstacle.hint.contains("--step worker/join"), "{obstacle:?}");
        for fine in [
            &["base/hosts"][..],
            &["base", "worker/join"],
            &["worker"],
            &[],
        ] {
            assert!(
                under_a_node("two", &seen, &scope(fine)).is_none(),
                "{fine:?}"
            );
        }
    }

    #[test]
    fn a_node_is_not_made_something_else_in_place() {
        use bramble_machine::journal::{Journal, Line, to_line};
        let text = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.11 }\n    - { name: two, address: 10.77.0.12 }\n";
        let cluster = bramble_spec::load("test", text).unwrap();
        let made = |id: &str| Observation {
            journal: Journal::parse(&to_line(&Line::Begin {
                id: id.to_owned(),
                step: "x".into(),
                undo: bramble_machine::Undo::Action(Default::default()),
            })),
            ..Observation::default()
        };
        let refused = |name: &str, id: &str| {
            another_role(cluster.machine(name).unwrap(), &made(id)).map(|o| o.message)
        };
        let (init, join) = ("action:kubeadm-init", "action:kubeadm-join");
        assert!(refused("two", init).unwrap().contains("a control plane"));
        assert!(refused("one", join).unwrap().contains("a worker"));
        assert_eq!(refused("one", init), None);
        assert_eq!(refused("two", join), None);
    }

    #[test]
    fn a_control_plane_that_the_cluster_forgot_is_no_success() {
        let text = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.11 }\n    - { name: two, address: 10.77.0.12 }\n";
        let cluster = bramble_spec::load("test", text).unwrap();
        let mut plan = Plan::default();
        plan.machines.insert("one".into(), Default::default());
        let node = |name: &str, control_plane| Node {
            name: name.into(),
            ready: true,
            drained: false,
            cluster: None,
            address: None,
            control_plane,
        };
        let whole = [node("one", true), node("two", false)];
        assert!(forgotten(&cluster, &whole, &plan).is_empty());
        assert!(forgotten(&cluster, &[], &plan).is_empty());
        let came_back = forgotten(&cluster, &[node("one", false)], &plan);
        assert!(
            came_back[0].hint.contains("machine replace one"),
            "{came_back:?}"
        );
    }

    #[test]
    fn the_user_of_the_login_is_not_removed() {
        use bramble_engine::plan::{Item, StepPlan};
        use bramble_machine::kinds::user;
        use bramble_machine::{Change, Script, Verb};
        let plan = |undo: bool, absent: bool| {
            let user = user::Undo {
                name: "ops".into(),
                absent,
                shell: None,
                joined: Vec::new(),
                member: Vec::new(),
                own_group: false,
                service: false,
            };
            let change = Change::new(Verb::Remove, "", Script::new(), Undo::User(user));
            let id = "user:ops".into();
            MachinePlan {
                steps: vec![StepPlan {
                    name: "base/access".into(),
                    needs: Vec::new(),
                    items: vec![Item { id, change }],
                    finally: Script::new(),
                    undo,
                }],
                journal_size: 0,
            }
        };
        let obstacle = own_account("ops", "two", &plan(true, true)).unwrap();
        assert!(obstacle.message.contains("the user ops"), "{obstacle:?}");
        assert!(own_account("root", "two", &plan(true, true)).is_none());
        // A user that was there before stays, and making one is no removal.
        assert!(own_account("ops", "two", &plan(true, false)).is_none());
        assert!(own_account("ops", "two", &plan(false, true)).is_none());
    }
}
