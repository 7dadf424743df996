//! Joining a machine to the cluster.

use super::{control_plane, kubernetes, reset};
use crate::context::{On, r};
use crate::fixed;
use crate::kubeadm;
use crate::proxy;
use crate::remains::Remains;
use bramble_machine::kinds::{Action, Check, Service};
use bramble_machine::program::fact_variable;
use bramble_machine::shell::word;
use bramble_machine::{FactSource, Resource, Script, Step};
use bramble_spec::cluster::Role;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const NAME: &str = "worker/join";
const JOIN: &str = "kubeadm-join";
/// What says that the machine has joined.
pub(super) const KUBELET: &str = "/etc/kubernetes/kubelet.conf";
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
    let mut out: Vec<Arc<dyn Resource>> = fixed::of(on).into_iter().map(r).collect();
    out.push(r(living(on)));
    out.push(r(join(on)));
    out.push(r(service));
    Some(on.step_after(NAME, out, needs))
}

/// What joins need from the first control plane: the token and the hash of the CA that they check,
/// and that a machine's earlier life is forgotten.
pub(super) fn facts(on: &On, facts: &mut BTreeMap<String, FactSource>) {
    let Some(first) = on.first_control_plane() else {
        return;
    };
    let source = |program: &str, release: &str| FactSource {
        machine: first.name.clone(),
        after: control_plane::NAME,
        program: Script::of(program),
        release: Script::of(release),
        lifetime: None,
    };
    let kubeconfig = format!("export KUBECONFIG={}", control_plane::ADMIN);
    if on.is(Role::Worker) && !on.is(Role::ControlPlane) {
        let program = format!("{kubeconfig}\n{}", forget(&on.machine.name));
        facts.insert(forgotten(on), source(&program, ""));
    }
    if !on.is_first_control_plane() {
        return;
    }
    facts.insert(
        TOKEN.into(),
        FactSource {
            // Less than its 15 minutes by what a join may take to come to it.
            lifetime: Some(Duration::from_secs(10 * 60)),
            ..source(
                &format!("{kubeconfig}\nkubeadm token create --ttl 15m --description 'Bramble: one run' 2>/dev/null"),
                // Only the id (before the dot) is named, never the secret half.
                &format!("{kubeconfig}\nkubeadm token delete \"${{FACT_JOIN_TOKEN%%.*}}\""),
            )
        },
    );
    facts.insert(
        CA_HASH.into(),
        source(
            "printf 'sha256:%s' \"$(openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)\"",
            "",
        ),
    );
}

/// The fact that the API has no node of the machine's name any more. It is asked for by a join that
/// is about to run, and so never of a machine whose node lives.
fn forgotten(on: &On) -> String {
    format!("node-forgotten-{}", on.machine.name)
}

/// The program that makes it so. A node of an earlier life may be called ready for a while yet, and
/// kubeadm refuses to join under its name. Asked for by its path: looking kinds up first would take
/// seconds and leave a cache in root's home.
fn forget(node: &str) -> String {
    let path = word(format!("/api/v1/nodes/{node}"));
    let node = word(node);
    format!(
        "fail() {{ echo \"the node {node} of the machine's earlier life could not be deleted\" >&2; exit 1; }}\n\
         look() {{ said=$(timeout 20 kubectl get --raw {path} 2>&1 >/dev/null); }}\n\
         n=0\n\
         while look; do\n\
         \t[ $n -gt 0 ] || timeout 20 kubectl delete --raw {path} >/dev/null || fail\n\
         \tn=$((n + 1))\n\
         \t[ $n -lt 45 ] || fail\n\
         \tsleep 1\n\
         done\n\
         case $said in\n\
         *NotFound*) echo ok ;;\n\
         *) printf '%s\\n' \"$said\" >&2; fail ;;\n\
         esac"
    )
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
    .undone_by(reset::program())
    .destroying("the pods' local data on this node");
    action.needs = vec![forgotten(on), TOKEN.into(), CA_HASH.into()];
    action.restart_clean = true;
    action.limit = Duration::from_secs(600);
    action
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program with a kubectl that ends like this; what it says, and how it ends.
    fn forget_with(kubectl: &str) -> (String, String, bool) {
        let fake = "timeout() { shift; \"$@\"; }";
        let program = format!(
            "set -e\n{fake}\nkubectl() {{ {kubectl}; }}\n{}",
            forget("two")
        );
        let out = std::process::Command::new("sh")
            .args(["-c", &program])
            .output()
            .expect("sh");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&out.stdout), text(&out.stderr), out.status.success())
    }

    #[test]
    fn a_node_is_forgotten_or_the_reason_is_told() {
        // There until it is deleted, then not found.
        let api = "case $1 in delete) : > \"$D/gone\" ;; esac; \
                   [ ! -e \"$D/gone\" ] || [ $1 = delete ] || { echo 'Error from server (NotFound): nodes' >&2; return 1; }";
        let folder = tempfile::tempdir().expect("a folder");
        let with = format!("D={}; {api}", folder.path().display());
        let (stdout, stderr, success) = forget_with(&with);
        assert!(stdout == "ok\n" && success, "{stderr}");
        assert!(folder.path().join("gone").exists(), "it was deleted");
        // Never there.
        let (stdout, _, success) =
            forget_with("echo 'Error from server (NotFound): nodes' >&2; return 1");
        assert!(stdout == "ok\n" && success);
        // No answer.
        let (stdout, stderr, success) = forget_with("echo refused >&2; return 1");
        assert!(stdout.is_empty() && !success);
        assert!(stderr.starts_with("refused\nthe node two"), "{stderr}");
    }

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
