//! What a machine needs to know to join a cluster, read on a control plane that stands.

use super::control_plane;
use crate::context::On;
use crate::kubeadm;
use bramble_machine::program::fact_variable;
use bramble_machine::shell::word;
use bramble_machine::{FactSource, Script};
use bramble_spec::cluster::Role;
use std::collections::BTreeMap;
use std::time::Duration;

/// The fact that is a fresh join token.
pub(super) const TOKEN: &str = "join-token";
/// The fact that is the hash of the CA's public key.
pub(super) const CA_HASH: &str = "ca-hash";
/// The fact that is all names that the cluster's own configuration wants in certificates of API servers.
pub(super) const NAMES: &str = "certificate-names";
/// The fact that is the archive of the keys that control planes share.
pub(super) const KEYS: &str = "shared-keys";

/// What joins need from a control plane: the token and the hash of the CA that they check, the keys that
/// all control planes share, and that a machine's earlier life is forgotten.
pub(super) fn facts(on: &On, facts: &mut BTreeMap<String, FactSource>) {
    let Some(door) = on.door() else {
        return;
    };
    let source = |program: &str, release: &str| FactSource {
        machine: door.name.clone(),
        after: control_plane::NAME,
        program: Script::of(program),
        release: Script::of(release),
        lifetime: None,
    };
    let kubeconfig = format!("export KUBECONFIG={}", control_plane::ADMIN);
    if on.machine.is_node() && on.machine.name != door.name {
        let mut program = format!("{kubeconfig}\n{}", forget(&on.machine.name));
        if on.is(Role::ControlPlane) {
            program.push('\n');
            program.push_str(&bramble_etcd::program::forget(
                &on.machine.name,
                &on.machine.address.to_string(),
            ));
        }
        facts.insert(forgotten(on), source(&program, ""));
        if learns(on) {
            facts.insert(
                learner(on),
                source(
                    &bramble_etcd::program::learner(
                        &on.machine.name,
                        &on.machine.address.to_string(),
                    ),
                    "",
                ),
            );
        }
    }
    if on.machine.name != door.name {
        return;
    }
    facts.insert(
        KEYS.into(),
        source(
            "tar -czf - -C /etc/kubernetes/pki ca.crt ca.key sa.key sa.pub front-proxy-ca.crt front-proxy-ca.key etcd/ca.crt etcd/ca.key | base64 -w0",
            "",
        ),
    );
    facts.insert(
        NAMES.into(),
        source(&format!("{kubeconfig}\n{}", include_str!("names.sh")), ""),
    );
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
pub(super) fn forgotten(on: &On) -> String {
    format!("node-forgotten-{}", on.machine.name)
}

/// The fact that etcd has a place for this machine's member, which learns first.
pub(super) fn learner(on: &On) -> String {
    format!("etcd-learner-{}", on.machine.name)
}

/// Whether Bramble makes the member; from 1.29 on kubeadm lets it learn first.
pub(super) fn learns(on: &On) -> bool {
    on.is(Role::ControlPlane) && on.version().minor < 29
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

/// The line that writes a join's configuration. The token is in a variable that came over standard input and
/// goes into a closed file; only the shell's own printf sees it: an argument vector is for everybody to read.
pub(super) fn configured(config: &str) -> String {
    format!("printf %s {} > /run/bramble/join.yaml", filled(config))
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

    /// kubeadm refuses a certificate without a name that the cluster began with, also of who has left.
    #[test]
    fn names_of_the_clusters_own_configuration_come_beside_those_of_the_file() {
        let kept = r#"{"data":{"ClusterConfiguration":"apiServer:\n  certSANs:\n  - gone\n  - gone.home.internal\n  - 10.77.0.13\n  extraArgs:\n    authorization-mode: Node,RBAC\ndns:\n  type: CoreDNS\n"}}"#;
        let with = |kept: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("kept"), kept).expect("written");
            let init = "apiServer:\n  certSANs:\n    - one\n    - 10.77.0.11\nclusterName: home\n";
            std::fs::write(folder.path().join("init.yaml"), init).expect("written");
            let program = format!(
                "set -e\ntimeout() {{ cat kept; }}\nnames=$(\n{}\n)\n{}",
                include_str!("names.sh"),
                control_plane::ALL_NAMES.replace("/run/bramble/", "")
            );
            let mut sh = std::process::Command::new("sh");
            let out = sh
                .args(["-c", &program])
                .current_dir(folder.path())
                .output();
            let out = out.expect("sh");
            assert!(
                out.status.success(),
                "{}",
                String::from_utf8_lossy(&out.stderr)
            );
            std::fs::read_to_string(folder.path().join("init.yaml")).expect("read")
        };
        assert_eq!(
            with(kept),
            "apiServer:\n  certSANs:\n    - one\n    - \"gone\"\n    - \"gone.home.internal\"\n    - \"10.77.0.13\"\n    - 10.77.0.11\nclusterName: home\n"
        );
        assert!(with("{}").contains("    - \"127.0.0.1\"\n"));
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
