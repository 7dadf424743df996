//! kubeadm, kubelet, kubectl and crictl from the bundle, the kubelet's unit and flags, images.

use super::runtime::PLUGINS;
use super::runtime_config::CERTS;
use super::{control_plane, reset, worker};
use crate::context::{On, r};
use crate::obstacle::Obstacle;
use crate::registry::Registries;
use crate::remains::Foreign;
use bramble_machine::kinds::image::Pull;
use bramble_machine::kinds::{Action, Archive, Binary, Check, ContainerImage, Directory, File};
use bramble_machine::{Resource, Script, Step};
use bramble_spec::cluster::{Role, Runtime};
use std::sync::Arc;

pub(super) const UNIT: &str = "/etc/systemd/system/kubelet.service";
pub(super) const FLAGS: &str = "/etc/default/kubelet";

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.machine.is_node() {
        return None;
    }
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    missing(on, &mut out);
    out.push(r(Foreign {
        files: &[control_plane::ADMIN, worker::KUBELET],
        actions: &["action:kubeadm-init", "action:kubeadm-join"],
    }));
    for name in ["kubeadm", "kubelet", "kubectl", "crictl"] {
        if let Some(binary) = on.inputs.bundle.and_then(|b| b.binary(name, on.arch())) {
            out.push(r(Binary {
                path: format!("/usr/local/bin/{name}"),
                sha256: binary.sha256.clone(),
                size: binary.size,
                mode: 0o755,
                version: format!("{name} {}", binary.version),
            }));
        }
    }
    if let Some(archive) = on
        .inputs
        .bundle
        .and_then(|b| b.archive("crictl", on.arch()))
    {
        out.push(r(Archive::new(
            archive.name.as_str(),
            &archive.version,
            &archive.sha256,
            archive.size,
        )
        .into_folder(&archive.into)
        .strip(archive.strip)
        .members(archive.members.clone())));
    }
    out.push(r(File::text("/etc/crictl.yaml", CRICTL)));
    if on.is(Role::ControlPlane) {
        // Where operators type kubectl (U032).
        out.push(r(Directory::new("/etc/bash_completion.d")));
        out.push(r(File::text("/etc/bash_completion.d/kubectl", COMPLETION)));
    }
    out.push(r(File::text(UNIT, KUBELET_UNIT)));
    out.push(r(File::text(FLAGS, flags(on))));
    if on.cluster().runtime == Runtime::Debian {
        // The bundle's plug-ins bring them.
        out.push(r(Directory::new("/opt/cni")));
        out.push(r(Directory::new(PLUGINS)));
    }
    // What pods and the kubelet leave behind goes when this is undone: after the nodes are reset,
    // and before the programs that are needed for it.
    out.push(r(enable_kubelet()));
    let role = if on.is(Role::ControlPlane) {
        Role::ControlPlane
    } else {
        Role::Worker
    };
    let images = on
        .inputs
        .bundle
        .into_iter()
        .flat_map(|b| b.images(on.arch()));
    let registries = Registries::seen_from(on);
    let pull = registries.map(|registries| Pull {
        from: registries.router.machine.clone(),
        hosts: CERTS.to_owned(),
    });
    for image in images.filter(|i| i.needed_by(role)) {
        out.push(r(ContainerImage {
            reference: image.reference.clone(),
            sha256: image.sha256.clone(),
            size: image.size,
            digest: image.image_digest.clone(),
            pull: pull.clone(),
        }));
    }
    let needs = registries.map(|registries| {
        let router = registries.router.machine.clone();
        (router, "router/registry".to_owned())
    });
    Some(on.step_after("kubernetes", out, needs.into_iter().collect()))
}

/// What the bundle must hold for this machine and doesn't.
fn missing(on: &On, out: &mut Vec<Arc<dyn Resource>>) {
    // Until somebody has looked at the machine, its architecture is a guess.
    let observed = on.inputs.facts.get(&on.machine.name);
    let mut obstacle = |name: &str, what: String, hint: &str| {
        out.push(r(Obstacle {
            name: name.into(),
            what,
            hint: hint.into(),
        }));
    };
    if let Some(facts) = observed
        && !matches!(facts.arch.as_str(), "amd64" | "arm64")
    {
        obstacle(
            "architecture",
            format!(
                "its architecture is {}, and Bramble runs Kubernetes on amd64 and arm64",
                facts.arch
            ),
            "a Raspberry Pi 3 or later does with a 64-bit system; install one",
        );
        return;
    }
    if let (Some(facts), Some(said)) = (observed, on.machine.arch)
        && said.as_str() != facts.arch
    {
        obstacle(
            "architecture",
            format!(
                "the file says arch: {}, the machine is {}",
                said.as_str(),
                facts.arch
            ),
            "correct `arch`, or leave it out",
        );
        return;
    }
    let Some(bundle) = on.inputs.bundle.filter(|_| observed.is_some()) else {
        return;
    };
    let arch = on.arch();
    let lacks: Vec<&str> = ["kubeadm", "kubelet", "kubectl"]
        .into_iter()
        .filter(|name| bundle.binary(name, arch).is_none())
        .collect();
    if !lacks.is_empty() {
        obstacle(
            "bundle",
            format!(
                "the bundle holds no {} for {}",
                lacks.join(", no "),
                arch.as_str()
            ),
            "build the bundle again for the architectures of all machines: bramble bundle build --help",
        );
    }
}

/// Enabled, but not started: kubeadm starts it once it has a configuration.
fn enable_kubelet() -> Action {
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
    if on.facts.container {
        // /proc/swaps of a container is its host's: nothing that could be switched off here.
        flags.push("--fail-swap-on=false".into());
    }
    if !on.facts.cgroup2 && on.version().minor >= 31 {
        // The kubelet has the flag from 1.31 on, and refuses version 1 without it from 1.35 on.
        flags.push("--fail-cgroupv1=false".into());
    }
    format!(
        "# Made by Bramble.\nKUBELET_EXTRA_ARGS=\"{}\"\n",
        flags.join(" ")
    )
}

const COMPLETION: &str = "# Made by Bramble.\nsource <(kubectl completion bash)\n";
const CRICTL: &str = "# Made by Bramble.\nruntime-endpoint: unix:///run/containerd/containerd.sock\nimage-endpoint: unix:///run/containerd/containerd.sock\n";

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
