//! Joining a machine to the cluster.

use super::{control_plane, kubernetes, reset};
use crate::context::{On, r};
use crate::kubeadm;
use crate::proxy;
use crate::remains::Remains;
use bramble_machine::kinds::{Action, Check, Service};
use bramble_machine::program::fact_variable;
use bramble_machine::shell::word;
use bramble_machine::{FactSource, Script, Step};
use bramble_spec::cluster::Role;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const NAME: &str = "worker/join";
const JOIN: &str = "kubeadm-join";
/// What says that the machine has joined.
const KUBELET: &str = "/etc/kubernetes/kubelet.conf";
const TOKEN: &str = "join-token";
const CA_HASH: &str = "ca-hash";

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.is(Role::Worker) || on.is(Role::ControlPlane) {
        return None;
    }
    let first = on.first_control_plane()?;
    let needs = vec![(first.name.clone(), control_plane::NAME.to_owned())];
    let service = Service::on("kubelet.service").watching([
        format!("file:{}", kubernetes::UNIT),
        format!("file:{}", kubernetes::FLAGS),
        "binary:/usr/local/bin/kubelet".to_owned(),
    ]);
    Some(on.step_after(NAME, vec![r(living(on)), r(join(on)), r(service)], needs))
}

/// The token and the hash of the CA that a join checks, both from the first control plane.
pub(super) fn facts(on: &On, facts: &mut BTreeMap<String, FactSource>) {
    if !on.is_first_control_plane() {
        return;
    }
    let source = |program: &str, release: &str| FactSource {
        machine: on.machine.name.clone(),
        after: control_plane::NAME,
        program: Script::of(program),
        release: Script::of(release),
    };
    let kubeconfig = "export KUBECONFIG=/etc/kubernetes/admin.conf";
    facts.insert(
        TOKEN.into(),
        source(
            &format!("{kubeconfig}\nkubeadm token create --ttl 15m --description 'Bramble: one run' 2>/dev/null"),
            // Only the id (before the dot) is named, never the secret half.
            &format!("{kubeconfig}\nkubeadm token delete \"${{FACT_JOIN_TOKEN%%.*}}\""),
        ),
    );
    facts.insert(
        CA_HASH.into(),
        source(
            "printf 'sha256:%s' \"$(openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)\"",
            "",
        ),
    );
}

/// The configuration as one shell word, in which the facts' variables stand for their place holders.
fn filled(config: &str) -> String {
    let fact = |name: &str| format!("'\"${}\"'", fact_variable(name));
    word(config)
        .to_string()
        .replace(kubeadm::TOKEN, &fact(TOKEN))
        .replace(kubeadm::CA_HASH, &fact(CA_HASH))
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
    // The token is in a variable that came over standard input and goes into a closed file.
    run.line("umask 077");
    // Only the shell's own printf sees it: an argument vector is for everybody to read.
    run.line(format!(
        "printf %s {} > /run/bramble/join.yaml",
        filled(&config)
    ));
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
    .undone_by(reset::program());
    action.needs = vec![TOKEN.into(), CA_HASH.into()];
    action.restart_clean = true;
    action.limit = Duration::from_secs(600);
    action
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_reaches_the_file_through_the_shell_alone() {
        let word = filled("token: '@TOKEN@'\nhash: @CA_HASH@\n");
        let program = format!("FACT_JOIN_TOKEN='a.b c'; FACT_CA_HASH=sha256:1; printf %s {word}");
        let out = std::process::Command::new("sh")
            .args(["-c", &program])
            .output()
            .expect("sh");
        assert_eq!(
            String::from_utf8_lossy(&out.stdout),
            "token: 'a.b c'\nhash: sha256:1\n"
        );
    }
}
