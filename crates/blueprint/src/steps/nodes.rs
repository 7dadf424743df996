//! Every node ready, with its labels, annotations, taints and pod range.

use super::{control_plane, worker};
use crate::context::Inputs;
use bramble_machine::api::{ApiResource, NodeTaint, OWNER};
use bramble_machine::step::ApiStep;
use bramble_spec::cluster::{Machine, PodNetwork, Role, Version};

pub(super) const NAME: &str = "nodes";

pub(super) fn step(inputs: Inputs) -> ApiStep {
    let cluster = inputs.cluster;
    let nodes: Vec<&Machine> = cluster.machines.iter().filter(|m| m.is_node()).collect();
    let network = match cluster.pod_network {
        PodNetwork::Routed { .. } => Some("pod-network/routed"),
        PodNetwork::Custom { .. } => Some("pod-network/custom"),
        PodNetwork::None => None,
    };
    let needs = nodes.iter().flat_map(|m| {
        let step = if m.is(Role::ControlPlane) {
            control_plane::NAME
        } else {
            worker::NAME
        };
        let steps = [Some(step), network].into_iter().flatten();
        steps.map(|step| (m.name.clone(), step.to_owned()))
    });
    ApiStep {
        name: NAME.into(),
        needs: needs.collect(),
        resources: nodes.iter().map(|m| node(inputs, m)).collect(),
    }
}

fn node(inputs: Inputs, machine: &Machine) -> ApiResource {
    let mut labels = machine.labels.clone();
    if machine.is(Role::Worker) {
        labels.insert("node-role.kubernetes.io/worker".into(), String::new());
    }
    let mut taints: Vec<NodeTaint> = Vec::new();
    if let Some(given) = &machine.taints {
        taints.extend(given.iter().map(|t| NodeTaint {
            key: t.key.clone(),
            value: t.value.clone(),
            effect: t.effect.clone(),
        }));
    } else if machine.is(Role::ControlPlane) && !schedules_pods(inputs, machine) {
        taints.extend(role_taints(inputs.cluster.kubernetes.version));
    }
    let mut annotations = machine.annotations.clone();
    // By it a node whose machine is no longer in the file is known as one of this cluster's own.
    annotations.insert(OWNER.into(), inputs.cluster.name.clone());
    ApiResource::Node {
        name: machine.name.clone(),
        labels,
        annotations,
        taints: Some(taints),
        pod_cidr: machine.pod_range.map(|r| r.to_string()),
    }
}

fn schedules_pods(inputs: Inputs, machine: &Machine) -> bool {
    machine.is(Role::Worker) || inputs.cluster.kubernetes.schedule_on_control_plane
}

/// What kubeadm of that release puts on control planes.
fn role_taints(version: Version) -> Vec<NodeTaint> {
    let keys: &[&str] = match version.minor {
        ..24 => &["master"],
        24 => &["master", "control-plane"],
        25.. => &["control-plane"],
    };
    keys.iter()
        .map(|key| NodeTaint {
            key: format!("node-role.kubernetes.io/{key}"),
            value: String::new(),
            effect: "NoSchedule".into(),
        })
        .collect()
}
