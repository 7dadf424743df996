//! Control planes, by kubeadm: the first one begins the cluster, the others join it one after the other.

use super::{joining, kube_vip, kubelet, reset};
use crate::context::{On, r};
use crate::fixed;
use crate::kept::Kept;
use crate::kubeadm;
use crate::obstacle::Obstacle;
use crate::proxy;
use crate::release;
use crate::remains::{Aside, Remains};
use bramble_etcd::program as etcd;
use bramble_machine::kinds::{Action, Check};
use bramble_machine::program::fact_variable;
use bramble_machine::shell::word;
use bramble_machine::{Resource, Script, Step, StepRef};
use bramble_spec::cluster::{Quirk, Role};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) const NAME: &str = "control-plane/init";
/// The same whether the machine begins a cluster or joins one: whichever it did, its record stays valid
/// when another becomes the first of the file.
const INIT: &str = "kubeadm-init";
/// The last that kubeadm makes, and what says that the control plane is made.
pub(super) const ADMIN: &str = "/etc/kubernetes/admin.conf";

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.is(Role::ControlPlane) {
        return None;
    }
    let mut out: Vec<Arc<dyn Resource>> = fixed::of(on).into_iter().map(r).collect();
    out.extend(even(on).map(r));
    out.extend(split(on).map(r));
    out.push(r(release::noted(on)));
    out.extend(kubelet::installed(on));
    out.push(r(living()));
    out.push(r(Aside {
        machine: on.machine.name.clone(),
    }));
    out.push(r(if on.founds() { init(on) } else { join(on) }));
    out.extend(STATIC_PODS.map(|path| r(Kept::new(path, release::PODS))));
    out.extend(kube_vip::held(on));
    out.push(r(kubelet::running()));
    Some(on.step_after(NAME, out, after(on)))
}

/// One member of etcd is added at a time, each to a cluster that is whole: every control plane that is to
/// join waits for the one before it in the file.
fn after(on: &On) -> Vec<StepRef> {
    let Some(door) = on.door().filter(|_| !on.founds()) else {
        return Vec::new();
    };
    let before = on
        .control_planes()
        .take_while(|m| m.name != on.machine.name)
        .filter(|m| !on.stands(&m.name));
    let names = [door].into_iter().chain(before.last());
    names
        .map(|m| (m.name.clone(), NAME.to_owned()))
        .filter(|(name, _)| *name != on.machine.name)
        .collect()
}

/// A cluster that is there may lose a control plane and go on; one that begins can be made right.
fn even(on: &On) -> Option<Obstacle> {
    let count = on.cluster().even_control_planes()?;
    let looked = on.inputs.facts.contains_key(&on.machine.name);
    let begins = on.founds() && !on.stands(&on.machine.name) && looked;
    begins.then(|| Obstacle {
        name: "even".into(),
        what: format!("it would begin a cluster of {count} control planes, an even number"),
        hint: "use 1, 3 or 5: etcd survives the loss of less than half of them, so an even one adds risk and nothing else".into(),
    })
}

/// Who begins a cluster must know that there is none: a control plane that is only switched off would come
/// back with another one of the same name. Those behind this machine, as a router, can't be seen before
/// it lets them through.
fn split(on: &On) -> Option<Obstacle> {
    let looked = on.inputs.facts.contains_key(&on.machine.name);
    if !on.founds() || on.stands(&on.machine.name) || !looked {
        return None;
    }
    let unseen: Vec<&str> = on
        .control_planes()
        .filter(|m| !on.inputs.facts.contains_key(&m.name))
        .filter(|m| {
            !on.router().is_some_and(
                |router| matches!(m.address, IpAddr::V4(a) if router.lan().contains(&a)),
            )
        })
        .map(|m| m.name.as_str())
        .collect();
    (!unseen.is_empty()).then(|| Obstacle {
        name: "founding".into(),
        what: format!(
            "it would begin a new cluster, and {} can't be looked at, where the cluster may live already",
            unseen.join(", ")
        ),
        hint: "make them reachable, or take them out of the file if they are gone for good".into(),
    })
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
    let mut run = prepared(on);
    run.print_bytes(config.as_bytes(), "> /run/bramble/init.yaml");
    let (lend, back) = kube_vip::lent(on);
    run.line(lend);
    run.line(format!(
        "kubeadm {args} || {{ c=$?; {back}; {EXPLAIN}; exit $c; }}"
    ));
    run.line(back);
    run.line("rm -f /run/bramble/init.yaml");
    action(
        format!("make the control plane ({})", on.version()),
        run,
        "the cluster's data in etcd",
    )
}

/// Joins with the cluster's keys in place. The API server's certificate is made before, because kubeadm
/// would give it the names that the cluster began with, and not this machine's.
fn join(on: &On) -> Action {
    let mut run = prepared(on);
    run.print_bytes(kubeadm::init(on).as_bytes(), "> /run/bramble/init.yaml");
    run.line("mkdir -p /etc/kubernetes/pki/etcd");
    run.line(format!(
        "printf %s \"${}\" | base64 -d | tar -xzf - -C /etc/kubernetes/pki",
        fact_variable(joining::KEYS)
    ));
    run.line(format!("names=${}", fact_variable(joining::NAMES)));
    run.line(ALL_NAMES);
    run.line("kubeadm init phase certs apiserver --config /run/bramble/init.yaml");
    run.line(joining::configured(&kubeadm::join_control_plane(on)));
    let mut skip = "";
    let mut after = String::new();
    if joining::learns(on)
        && let Some(door) = on.door()
    {
        let learner = fact_variable(&joining::learner(on));
        let (before, promoted) = etcd::join(&learner, &door.address.to_string());
        run.line(before);
        skip = " --skip-phases=control-plane-join/etcd";
        after = promoted;
    }
    run.line(format!(
        "kubeadm join --config /run/bramble/join.yaml{skip}{} || {{ c=$?; kill \"${{promotion:-}}\" 2>/dev/null || :; rm -f /run/bramble/join.yaml /run/bramble/init.yaml /run/bramble/promotion; {EXPLAIN}; exit $c; }}",
        ignored(on)
    ));
    run.line(after);
    run.line("rm -f /run/bramble/join.yaml /run/bramble/init.yaml");
    let mut action = action(
        format!("join the control planes at {}", on.api_endpoint()),
        run,
        "this control plane's copy of the cluster's data",
    );
    action.needs = vec![
        joining::forgotten(on),
        joining::TOKEN.into(),
        joining::CA_HASH.into(),
        joining::KEYS.into(),
        joining::NAMES.into(),
    ];
    action
        .needs
        .extend(joining::learns(on).then(|| joining::learner(on)));
    action
}

/// Puts `$names` beside those of the file into kubeadm's configuration.
pub(super) const ALL_NAMES: &str = r#"awk -v more="$names" '{ print }
/^ *certSANs:$/ && (getline) > 0 {
	print
	sub(/-.*/, "- ")
	n = split(more, all, ",")
	for (i = 1; i <= n; i++) print $0 "\"" all[i] "\""
}' /run/bramble/init.yaml >/run/bramble/init.new
mv -f /run/bramble/init.new /run/bramble/init.yaml"#;

fn prepared(on: &On) -> Script {
    let mut run = Script::of(reset::baseline());
    // kubeadm hands them on to the control plane's pods, which call webhooks and the like.
    proxy::export(&mut run, &proxy::environment(on, &on.cluster().no_proxy()));
    run.line("umask 077");
    run
}

fn action(title: String, run: Script, destroys: &str) -> Action {
    let mut action = Action::new(INIT, title, Check::Exists(ADMIN.into()), run)
        .undone_by(reset::program())
        .destroying(destroys);
    action.restart_clean = true;
    action.limit = Duration::from_secs(900);
    action
}

/// What explains a kubeadm that gave up. A kubelet of an earlier try explains nothing.
pub(super) const EXPLAIN: &str = "echo '--- kubelet:'; why kubelet.service; echo '--- containerd:'; why containerd.service | tail -n 8";

/// The argument that makes kubeadm go on in spite of [`preflight`]; empty if it need not.
pub(crate) fn ignored(on: &On) -> String {
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
    if facts.container && facts.swap || on.machine.swap.allowed() {
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
    if joining::learns(on) && !on.founds() {
        // Bramble has written etcd's pod.
        out.extend([
            "DirAvailable--etc-kubernetes-manifests",
            "FileAvailable--etc-kubernetes-manifests-etcd.yaml",
        ]);
    }
    if on.is(Role::ControlPlane) && !has_dns(on) {
        // kubeadm asks for the image even when the phase that needs it is skipped, and before an
        // upgrade for what runs.
        out.extend(["ImagePull", "CoreDNSUnsupportedPlugins", "CoreDNSMigration"]);
    }
    out
}
