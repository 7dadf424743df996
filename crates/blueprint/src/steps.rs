//! The table of contents: everything that Bramble does to a cluster, in order.

use crate::context::{Inputs, On};
use bramble_machine::step::ApiStep;
use bramble_machine::{Blueprint, Facts, MachineBlueprint, Step};
use bramble_spec::cluster::Addon;

mod access;
mod base;
mod control_plane;
mod demo;
mod hooks;
mod hosts;
mod kubernetes;
mod nodes;
mod packages;
mod pod_custom;
mod pod_routed;
mod reset;
mod runtime;
mod time;
mod worker;

/// A step: its name, what it is for, and what it makes of a machine (`None`: not for this machine).
struct Entry {
    name: &'static str,
    title: &'static str,
    make: fn(&On) -> Option<Step>,
}

/// Steps of machines, in order.
const STEPS: &[Entry] = &[
    Entry {
        name: "base/packages",
        title: "package sources, proxy, packages",
        make: packages::step,
    },
    Entry {
        name: "base/access",
        title: "users, keys, sudo, sshd",
        make: access::step,
    },
    Entry {
        name: "base/system",
        title: "host name, zone, swap, modules, sysctls",
        make: base::step,
    },
    Entry {
        name: "base/hosts",
        title: "names of the machines",
        make: hosts::step,
    },
    Entry {
        name: "time",
        title: "time service, sane clock",
        make: time::step,
    },
    Entry {
        name: "runtime",
        title: "containerd",
        make: runtime::step,
    },
    Entry {
        name: "kubernetes",
        title: "kubeadm, kubelet, kubectl, images",
        make: kubernetes::step,
    },
    // Before the pod network: workers wait for it, and have their own pod network made meanwhile.
    Entry {
        name: "control-plane/init",
        title: "etcd, API server, scheduler, controllers",
        make: control_plane::step,
    },
    Entry {
        name: "pod-network/routed",
        title: "bridge, host-local addresses, BIRD",
        make: pod_routed::step,
    },
    Entry {
        name: "pod-network/custom",
        title: "the operator's own CNI plug-in",
        make: pod_custom::step,
    },
    Entry {
        name: "worker/join",
        title: "join the cluster",
        make: worker::step,
    },
];

/// Steps in the API, in order.
const API_STEPS: &[(&str, &str)] = &[
    ("nodes", "nodes ready, labels, taints"),
    ("addon/demo", "a small web page"),
];

/// Name and title of every step.
pub fn step_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    STEPS
        .iter()
        .map(|e| (e.name, e.title))
        .chain(API_STEPS.iter().copied())
}

/// What the whole cluster should be.
pub fn blueprint(inputs: Inputs) -> Blueprint {
    let usual = Facts::default();
    let mut out = Blueprint {
        cluster: inputs.cluster.name.clone(),
        ..Blueprint::default()
    };
    for machine in &inputs.cluster.machines {
        let facts = inputs.facts.get(&machine.name).unwrap_or(&usual);
        let on = On {
            inputs,
            machine,
            facts,
        };
        let steps = STEPS.iter().filter_map(|entry| (entry.make)(&on));
        let steps = steps.map(|step| hooks::around(&on, step)).collect();
        out.machines
            .insert(machine.name.clone(), MachineBlueprint { steps });
        worker::facts(&on, &mut out.facts);
        remarks(&on, &mut out.remarks);
    }
    out.api = api(inputs);
    out
}

fn api(inputs: Inputs) -> Vec<ApiStep> {
    let mut steps = vec![nodes::step(inputs)];
    for addon in &inputs.cluster.addons {
        match addon {
            Addon::Demo { node_port } => steps.push(demo::step(inputs, *node_port)),
            Addon::Manifests { name, path } => steps.push(demo::manifests(inputs, name, path)),
        }
    }
    steps
}

fn remarks(on: &On, remarks: &mut Vec<String>) {
    if on.is_first_control_plane() && !control_plane::has_dns(on) {
        remarks
            .push("the bundle holds no CoreDNS image: the cluster gets no DNS for services".into());
    }
}
