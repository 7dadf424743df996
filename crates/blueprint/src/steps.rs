//! The table of contents: everything that Bramble does to a cluster, in order.

use crate::context::{Inputs, On, r};
use crate::reach::Reach;
use bramble_machine::step::ApiStep;
use bramble_machine::{Blueprint, Facts, MachineBlueprint, Step};
use bramble_spec::cluster::{Addon, PodNetwork};
use std::sync::Arc;

mod access;
mod base;
mod care;
pub(crate) mod control_plane;
mod demo;
mod disks;
mod endpoint;
mod hooks;
mod hosts;
mod joining;
mod kube_vip;
mod kubelet;
mod kubernetes;
mod lldp;
mod memory;
mod nodes;
mod packages;
mod pod_custom;
mod pod_routed;
mod registries;
mod reset;
mod router;
mod runtime;
mod runtime_config;
mod snapshots;
mod time;
mod upgrade;
mod worker;

pub use demo::documents as manifests;

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
        title: "names of the machines in /etc/hosts",
        make: hosts::step,
    },
    Entry {
        name: "base/disks",
        title: "disks, formatted once, mounted",
        make: disks::step,
    },
    Entry {
        name: "base/care",
        title: "limit of the journal, swap file, large pages",
        make: care::step,
    },
    Entry {
        name: "base/neighbors",
        title: "link-layer neighbors (lldpd)",
        make: lldp::step,
    },
    Entry {
        name: "router/packages",
        title: "packages of the router's services",
        make: router::packages::step,
    },
    Entry {
        name: "router/network",
        title: "interfaces, forwarding, wireless",
        make: router::network::step,
    },
    Entry {
        name: "router/firewall",
        title: "NAT, default deny, port forwards",
        make: router::firewall::step,
    },
    Entry {
        name: "router/dhcp",
        title: "addresses and names for the LAN",
        make: router::dhcp::step,
    },
    Entry {
        name: "time",
        title: "time service, a clock that is right",
        make: time::step,
    },
    Entry {
        name: "router/registry",
        title: "image mirrors, private registry, the bundle's images",
        make: router::registry::step,
    },
    Entry {
        name: "router/vpn",
        title: "WireGuard, OpenVPN, their users",
        make: router::vpn::step,
    },
    Entry {
        name: "router/ddns",
        title: "a name that follows the public address",
        make: router::ddns::step,
    },
    Entry {
        name: "router/ingress",
        title: "web traffic from outside to the cluster",
        make: router::ingress::step,
    },
    Entry {
        name: "router/backup",
        title: "a place for backups",
        make: router::backup::step,
    },
    Entry {
        name: "runtime",
        title: "containerd, its configuration, registry mirrors",
        make: runtime::step,
    },
    Entry {
        name: "kubernetes",
        title: "kubeadm, images",
        make: kubernetes::step,
    },
    Entry {
        name: "control-plane/endpoint",
        title: "the API's address that control planes share",
        make: endpoint::step,
    },
    Entry {
        name: "control-plane/upgrade",
        title: "the control plane's pods, raised to another release",
        make: upgrade::step,
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
        title: "kubelet joined to the cluster",
        make: worker::step,
    },
    Entry {
        name: "control-plane/snapshots",
        title: "snapshots of etcd, by a timer",
        make: snapshots::step,
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

/// The steps that make a node of a machine. A node stands on what most steps before them made.
pub fn node_steps() -> [&'static str; 2] {
    ["control-plane/init", "worker/join"]
}

/// Whether a running node would fall if this step were undone under it. Users, names and the pod
/// network can be taken away and made anew under a node; that is what steps are for.
pub fn holds_nodes(name: &str) -> bool {
    matches!(
        name,
        "base/packages" | "base/system" | "runtime" | "kubernetes"
    )
}

/// Whether a step is the one of that name, or one of the group of that name.
fn belongs(step: &str, name: &str) -> bool {
    let rest = step.strip_prefix(name);
    rest.is_some_and(|r| r.is_empty() || r.starts_with('/'))
}

/// Names that hooks may hang on: the steps of machines, and the common first parts of their names,
/// such as `base` for all of `base/...`.
pub fn hook_points() -> Vec<&'static str> {
    let mut out: Vec<&str> = Vec::new();
    for entry in STEPS {
        let group = entry.name.split('/').next().unwrap_or_default();
        for name in [group, entry.name] {
            if !out.contains(&name) {
                out.push(name);
            }
        }
    }
    out
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
        let mut steps: Vec<Step> = STEPS.iter().filter_map(|entry| (entry.make)(&on)).collect();
        ask_first(&on, &mut steps);
        hooks::around(&on, &mut steps);
        out.machines
            .insert(machine.name.clone(), MachineBlueprint { steps });
        let way = crate::ways::way(&on);
        out.ways.extend(way.map(|way| (machine.name.clone(), way)));
        joining::facts(&on, &mut out.facts);
        remarks(&on, &mut out.remarks);
    }
    out.remarks
        .extend(hooks::idle(&inputs.cluster.hooks, &out.machines));
    out.api = api(inputs, &mut out.remarks);
    out
}

/// Puts the question whether packages can be had before everything else.
fn ask_first(on: &On, steps: &mut [Step]) {
    let resources = steps.iter().flat_map(|s| &s.resources).map(Arc::as_ref);
    if let Some(reach) = Reach::of(on, resources)
        && let Some(first) = steps.first_mut()
    {
        first.resources.insert(0, r(reach));
    }
}

fn api(inputs: Inputs, remarks: &mut Vec<String>) -> Vec<ApiStep> {
    let mut steps = vec![nodes::step(inputs)];
    for addon in &inputs.cluster.addons {
        match addon {
            Addon::Demo { node_port } => match demo::step(inputs, *node_port) {
                Ok(step) => steps.push(step),
                Err(why) => remarks.push(why),
            },
            Addon::Manifests { name, path } => steps.push(demo::manifests(inputs, name, path)),
        }
    }
    steps
}

fn remarks(on: &On, remarks: &mut Vec<String>) {
    let cluster = on.cluster();
    let routed = matches!(cluster.pod_network, PodNetwork::Routed { .. });
    if memory::off(on) {
        remarks.push(format!(
            "{}: the kernel's memory control group is off; up makes base/system, then stops until the machine was restarted",
            on.machine.name
        ));
    }
    if let Some(count) = cluster
        .even_control_planes()
        .filter(|_| on.is_first_control_plane())
    {
        remarks.push(format!(
            "{count} control planes are an even number, of which no more may fail than of {}: add one (bramble machine add), or take one out",
            count - 1
        ));
    }
    remarks.extend(care::remarks(on));
    if on.is_first_control_plane() && routed && cluster.network.lan.is_none() {
        remarks.push(
            "the machines have no common network: routes between pods appear only between machines on one link, unless the routers in between speak OSPF".into(),
        );
    }
    if on.is_first_control_plane() && !control_plane::has_dns(on) {
        remarks
            .push("the bundle holds no CoreDNS image: the cluster gets no DNS for services".into());
    }
}
