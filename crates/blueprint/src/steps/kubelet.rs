//! The kubelet: its program, unit and flags, in the step that makes a node of the machine, so that a run
//! that was cut off between a new program and the restart is seen to be unfinished.

use super::{care, kubernetes, reset};
use crate::context::{On, r};
use bramble_machine::kinds::{Action, Check, File, Service, huge_pages};
use bramble_machine::{Resource, Script};
use std::sync::Arc;

const UNIT: &str = "/etc/systemd/system/kubelet.service";
const FLAGS: &str = "/etc/default/kubelet";

/// What must be there before kubeadm makes a node.
pub(super) fn installed(on: &On) -> Vec<Arc<dyn Resource>> {
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    out.extend(
        ["kubelet", "kubectl"]
            .iter()
            .filter_map(|name| kubernetes::binary(on, name)),
    );
    out.push(r(File::text(UNIT, KUBELET_UNIT)));
    out.push(r(File::text(FLAGS, flags(on))));
    // What pods and the kubelet leave behind goes when this is undone: after the node is reset, and
    // before the programs that are needed for it.
    out.push(r(enabled()));
    out
}

/// Running, and restarted when one of its parts changes.
pub(super) fn running() -> Service {
    Service::on("kubelet.service").watching([
        format!("file:{UNIT}"),
        format!("file:{FLAGS}"),
        "binary:/usr/local/bin/kubelet".to_owned(),
        // Set aside again, after a start of the machine for which there was too little memory in one piece.
        huge_pages::ID.to_owned(),
    ])
}

/// Enabled, but not started: kubeadm starts it once it has a configuration.
fn enabled() -> Action {
    let link = "/etc/systemd/system/multi-user.target.wants/kubelet.service";
    Action::new(
        "kubelet-enabled",
        "enable kubelet.service",
        Check::Exists(link.into()),
        Script::of("refresh kubelet.service\nat_boot kubelet.service"),
    )
    .undone_by(format!(
        "systemctl -q disable --now kubelet.service 2>/dev/null || :\nrm -f {link}\n{}",
        reset::program()
    ))
    .destroying("what a control plane or node on it still holds")
}

/// What differs between machines, and so can't be in the configuration that kubeadm gives to all.
fn flags(on: &On) -> String {
    let mut flags = vec![
        format!("--node-ip={}", on.machine.address),
        format!("--max-pods={}", on.cluster().kubernetes.max_pods),
        format!(
            "--cgroup-driver={}",
            if on.facts.cgroup2 {
                "systemd"
            } else {
                "cgroupfs"
            }
        ),
    ];
    if !on.facts.oom_adjustable {
        flags.push("--oom-score-adj=0".into());
    }
    // /proc/swaps of a container is its host's: nothing that could be switched off here.
    if on.facts.container || on.machine.swap.allowed() {
        flags.push("--fail-swap-on=false".into());
    }
    if !on.facts.cgroup2 && on.version().minor >= 31 {
        // The kubelet has the flag from 1.31 on, and refuses version 1 without it from 1.35 on.
        flags.push("--fail-cgroupv1=false".into());
    }
    flags.extend(care::flags(on));
    format!(
        "# Made by Bramble.\n{}KUBELET_EXTRA_ARGS=\"{}\"\n",
        counted(on),
        flags.join(" ")
    )
}

/// The kubelet counts large pages once, when it starts. In the file that it is started anew for, their number
/// is still a difference after a run that was cut off in between.
fn counted(on: &On) -> String {
    let pages = on.machine.hugepages.iter().filter(|_| on.facts.huge_pages);
    let pages: Vec<String> = pages
        .map(|(size, n)| format!("{n} of {} KiB", size.bytes() >> 10))
        .collect();
    match pages.is_empty() {
        true => String::new(),
        false => format!("# Large pages: {}\n", pages.join(", ")),
    }
}

/// As kubeadm expects it (kubernetes.io, "Configuring each kubelet in your cluster using kubeadm").
const KUBELET_UNIT: &str = "\
# Made by Bramble.
[Unit]
Description=kubelet: the Kubernetes node agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target containerd.service

[Service]
Environment=\"KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf\"
Environment=\"KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml\"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
Restart=always
StartLimitInterval=0
RestartSec=3

[Install]
WantedBy=multi-user.target
";
