//! The first control plane, by kubeadm.

use super::{kubernetes, reset};
use crate::context::{On, r};
use crate::fixed::Fixed;
use crate::kubeadm;
use bramble_machine::kinds::{Action, Check, Service};
use bramble_machine::shell::word;
use bramble_machine::{Script, Step};
use bramble_spec::cluster::Role;
use std::time::Duration;

pub(super) const NAME: &str = "control-plane/init";

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.is(Role::ControlPlane) || !on.is_first_control_plane() {
        return None;
    }
    let kubernetes = &on.cluster().kubernetes;
    let later = "put the old value back; to change it, take the cluster down and up again";
    let fixed = |field, value: String, hint: &str| {
        r(Fixed {
            field,
            value,
            hint: hint.into(),
        })
    };
    Some(on.step(
        NAME,
        vec![
            fixed(
                "kubernetes.version",
                kubernetes.version.to_string(),
                "put the old version back: this release of Bramble doesn't upgrade running clusters",
            ),
            fixed("kubernetes.podRange", kubernetes.pod_range.to_string(), later),
            fixed("kubernetes.serviceRange", kubernetes.service_range.to_string(), later),
            fixed("kubernetes.dnsDomain", kubernetes.dns_domain.clone(), later),
            r(init(on)),
            r(Service::on("kubelet.service").watching([
                format!("file:{}", kubernetes::UNIT),
                format!("file:{}", kubernetes::FLAGS),
                "binary:/usr/local/bin/kubelet".to_owned(),
            ])),
        ],
    ))
}

/// Whether the cluster gets its own DNS.
pub(super) fn has_dns(on: &On) -> bool {
    on.inputs.bundle.is_none_or(|b| b.has_image("coredns"))
}

fn init(on: &On) -> Action {
    let config = kubeadm::init(on);
    let mut args = format!(
        "init --config /run/bramble/init.yaml --ignore-preflight-errors={}",
        word(preflight(on).join(","))
    );
    if !has_dns(on) {
        args.push_str(" --skip-phases=addon/coredns");
    }
    let mut run = Script::of(reset::baseline());
    run.line("umask 077");
    run.print_bytes(config.as_bytes(), "> /run/bramble/init.yaml");
    run.line(format!("kubeadm {args} || {{ c=$?; {EXPLAIN}; exit $c; }}"));
    run.line("rm -f /run/bramble/init.yaml");
    let mut action = Action::new(
        "kubeadm-init",
        format!("make the control plane ({})", on.version()),
        Check::Exists("/etc/kubernetes/admin.conf".into()),
        run,
    )
    .undone_by(reset::program());
    action.restart_clean = true;
    action.limit = Duration::from_secs(900);
    action
}

/// What explains a kubeadm that gave up.
pub(super) const EXPLAIN: &str = "echo '--- kubelet:'; journalctl -u kubelet -n 15 --no-pager -o cat; echo '--- containerd:'; journalctl -u containerd -n 8 --no-pager -o cat";

/// Checks of kubeadm that can't pass on this machine for a reason that is known.
pub(super) fn preflight(on: &On) -> Vec<&'static str> {
    let facts = on.facts;
    let mut out = Vec::new();
    if !facts.kernel_config || facts.container {
        out.push("SystemVerification");
    }
    if facts.container && facts.swap {
        out.push("Swap");
    }
    if !facts.bridge_filter {
        out.push("FileContent--proc-sys-net-bridge-bridge-nf-call-iptables");
    }
    if facts.memory != 0 && facts.memory < 1700 {
        out.push("Mem");
    }
    if facts.cpus == 1 {
        out.push("NumCPU");
    }
    if on.is(Role::ControlPlane) && !has_dns(on) {
        // kubeadm asks for the image even when the phase that needs it is skipped.
        out.push("ImagePull");
    }
    if out.is_empty() {
        out.push("none");
    }
    out
}
