//! Joining a machine to the cluster.

use super::{control_plane, joining, kubelet, reset};
use crate::context::{On, r};
use crate::fixed;
use crate::kubeadm;
use crate::proxy;
use crate::release;
use crate::remains::Remains;
use bramble_machine::kinds::{Action, Check};
use bramble_machine::{Resource, Script, Step};
use bramble_spec::cluster::Role;
use std::sync::Arc;
use std::time::Duration;

pub(super) const NAME: &str = "worker/join";
const JOIN: &str = "kubeadm-join";
/// What says that the machine has joined.
pub(super) const KUBELET: &str = "/etc/kubernetes/kubelet.conf";

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.is(Role::Worker) || on.is(Role::ControlPlane) {
        return None;
    }
    let door = on.door()?;
    let needs = vec![(door.name.clone(), control_plane::NAME.to_owned())];
    let mut out: Vec<Arc<dyn Resource>> = fixed::of(on).into_iter().map(r).collect();
    out.push(r(release::followed(on)));
    out.extend(kubelet::installed(on));
    out.push(r(living(on)));
    out.push(r(join(on)));
    out.push(r(kubelet::running()));
    Some(on.step_after(NAME, out, needs))
}

/// A node whose `kubelet.conf` was lost: its pods may still run.
fn living(on: &On) -> Remains {
    Remains {
        name: "worker",
        action: format!("action:{JOIN}"),
        file: KUBELET,
        alive: &["/var/lib/kubelet/pki/kubelet-client-current.pem"],
        what: "a node is there, but /etc/kubernetes/kubelet.conf is missing",
        hint: format!(
            "take the machine out of the cluster and put it back: bramble down --step {NAME} --machine {} --yes, then bramble up",
            on.machine.name
        ),
    }
}

fn join(on: &On) -> Action {
    let config = kubeadm::join(on);
    let mut run = Script::of(reset::baseline());
    proxy::export(&mut run, &proxy::environment(on, &proxy::no_proxy(on)));
    run.line("umask 077");
    run.line(joining::configured(&config));
    run.line(format!(
        "kubeadm join --config /run/bramble/join.yaml{} || {{ c=$?; rm -f /run/bramble/join.yaml; {}; exit $c; }}",
        control_plane::ignored(on),
        control_plane::EXPLAIN
    ));
    run.line("rm -f /run/bramble/join.yaml");
    let mut action = Action::new(
        JOIN,
        format!("join the cluster at {}", on.api_endpoint()),
        Check::Exists(KUBELET.into()),
        run,
    )
    .undone_by(reset::program())
    .destroying("the pods' local data on this node");
    action.needs = vec![
        joining::forgotten(on),
        joining::TOKEN.into(),
        joining::CA_HASH.into(),
    ];
    action.restart_clean = true;
    action.limit = Duration::from_secs(600);
    action
}
