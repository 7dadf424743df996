//! The first control plane, by kubeadm.

use super::{kubernetes, reset};
use crate::context::{On, r};
use crate::fixed;
use crate::kept::Kept;
use crate::kubeadm;
use crate::proxy;
use crate::remains::Remains;
use bramble_machine::kinds::{Action, Check, Service};
use bramble_machine::shell::word;
use bramble_machine::{Resource, Script, Step};
use bramble_spec::cluster::{Quirk, Role};
use std::sync::Arc;
use std::time::Duration;

pub(super) const NAME: &str = "control-plane/init";
const INIT: &str = "kubeadm-init";
/// The last that kubeadm makes, and what says that the control plane is made.
pub(super) const ADMIN: &str = "/etc/kubernetes/admin.conf";

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.is(Role::ControlPlane) || !on.is_first_control_plane() {
        return None;
    }
    let mut out: Vec<Arc<dyn Resource>> = fixed::of(on).into_iter().map(r).collect();
    out.push(r(living()));
    out.push(r(init(on)));
    out.extend(STATIC_PODS.map(|path| r(Kept { path })));
    out.push(r(Service::on("kubelet.service").watching([
        format!("file:{}", kubernetes::UNIT),
        format!("file:{}", kubernetes::FLAGS),
        "binary:/usr/local/bin/kubelet".to_owned(),
    ])));
    Some(on.step(NAME, out))
}

/// What kubeadm makes of the configuration: the kubelet runs what is there, and nobody else looks.
const STATIC_PODS: [&str; 4] = [
    "/etc/kubernetes/manifests/etcd.yaml",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/manifests/kube-controller-manager.yaml",
    "/etc/kubernetes/manifests/kube-scheduler.yaml",
];

/// Whether the cluster gets its own DNS.
pub(super) fn has_dns(on: &On) -> bool {
    on.inputs.bundle.is_none_or(|b| b.has_image("coredns"))
}

/// A control plane whose `admin.conf` was lost: another `kubeadm init` would cost its data.
fn living() -> Remains {
    Remains {
        name: "control-plane",
        action: format!("action:{INIT}"),
        file: ADMIN,
        alive: &[
            "/var/lib/etcd/member",
            "/etc/kubernetes/manifests/kube-apiserver.yaml",
        ],
        what: "a control plane is there, but /etc/kubernetes/admin.conf is missing",
        hint: "make the file again, on the machine: kubeadm init phase kubeconfig admin".into(),
    }
}

fn init(on: &On) -> Action {
    let config = kubeadm::init(on);
    let mut args = format!(
        "init --config /run/bramble/init.yaml --skip-token-print{}",
        ignored(on)
    );
    if !has_dns(on) {
        args.push_str(" --skip-phases=addon/coredns");
    }
    let mut run = Script::of(reset::baseline());
    // kubeadm hands them on to the control plane's pods, which call webhooks and the like.
    proxy::export(&mut run, &proxy::environment(on, &on.cluster().no_proxy()));
    run.line("umask 077");
    run.print_bytes(config.as_bytes(), "> /run/bramble/init.yaml");
    run.line(format!("kubeadm {args} || {{ c=$?; {EXPLAIN}; exit $c; }}"));
    run.line("rm -f /run/bramble/init.yaml");
    let mut action = Action::new(
        INIT,
        format!("make the control plane ({})", on.version()),
        Check::Exists(ADMIN.into()),
        run,
    )
    .undone_by(reset::program())
    .destroying("the cluster's data in etcd");
    action.restart_clean = true;
    action.limit = Duration::from_secs(900);
    action
}

/// What explains a kubeadm that gave up.
pub(super) const EXPLAIN: &str = "echo '--- kubelet:'; journalctl -u kubelet -n 15 --no-pager -o cat || :; echo '--- containerd:'; journalctl -u containerd -n 8 --no-pager -o cat || :";

/// The argument that makes kubeadm go on in spite of [`preflight`]; empty if it need not.
pub(super) fn ignored(on: &On) -> String {
    let checks = preflight(on);
    if checks.is_empty() {
        return String::new();
    }
    format!(" --ignore-preflight-errors={}", word(checks.join(",")))
}

/// Checks of kubeadm that can't pass on this machine for a reason that is known.
fn preflight(on: &On) -> Vec<&'static str> {
    let facts = on.facts;
    let mut out = Vec::new();
    // From 1.35 on kubeadm refuses control groups of version 1, unless the kubelet is told that they
    // are meant; the flags tell it.
    let old_cgroups = !facts.cgroup2 && on.version().minor >= 35;
    if !facts.kernel_config || facts.container || old_cgroups {
        out.push("SystemVerification");
    }
    if facts.container && facts.swap {
        out.push("Swap");
    }
    if !facts.bridge_filter {
        out.push("FileContent--proc-sys-net-bridge-bridge-nf-call-iptables");
    }
    let small = facts.memory != 0 && facts.memory < 1700;
    if small || on.machine.quirks.contains(&Quirk::SmallMemory) {
        out.push("Mem");
    }
    if facts.cpus == 1 {
        out.push("NumCPU");
    }
    if on.is(Role::ControlPlane) && !has_dns(on) {
        // kubeadm asks for the image even when the phase that needs it is skipped.
        out.push("ImagePull");
    }
    out
}
