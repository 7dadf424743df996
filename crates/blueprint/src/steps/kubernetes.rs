//! kubeadm and crictl from the bundle, images.

use super::runtime::PLUGINS;
use super::runtime_config::CERTS;
use super::{control_plane, worker};
use crate::context::{On, r};
use crate::obstacle::Obstacle;
use crate::registry::Registries;
use crate::remains::Foreign;
use bramble_machine::kinds::image::Pull;
use bramble_machine::kinds::{Archive, Binary, ContainerImage, Directory, File};
use bramble_machine::{Resource, Step};
use bramble_spec::cluster::{Role, Runtime};
use std::sync::Arc;

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
    out.extend(
        ["kubeadm", "crictl"]
            .iter()
            .filter_map(|name| binary(on, name)),
    );
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
    if on.cluster().runtime == Runtime::Debian {
        // The bundle's plug-ins bring them.
        out.push(r(Directory::new("/opt/cni")));
        out.push(r(Directory::new(PLUGINS)));
    }
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

/// A program of the bundle, if it holds it for this machine.
pub(super) fn binary(on: &On, name: &str) -> Option<Arc<dyn Resource>> {
    let binary = on.inputs.bundle?.binary(name, on.arch())?;
    Some(r(Binary {
        path: format!("/usr/local/bin/{name}"),
        sha256: binary.sha256.clone(),
        size: binary.size,
        mode: 0o755,
        version: format!("{name} {}", binary.version),
    }))
}

const COMPLETION: &str = "# Made by Bramble.\nsource <(kubectl completion bash)\n";
const CRICTL: &str = "# Made by Bramble.\nruntime-endpoint: unix:///run/containerd/containerd.sock\nimage-endpoint: unix:///run/containerd/containerd.sock\n";
