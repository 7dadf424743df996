//! A node that lives is never made anew, whatever was lost of it.

use crate::setup::{Setup, cluster};
use bramble_machine::journal::{Line, to_line};
use bramble_machine::query::{Answer, Stat};
use bramble_machine::{Journal, Observation, PlanError, Query, Undo};

fn machine(paths: &[&str]) -> Observation {
    let mut seen = Observation::default();
    for path in paths {
        let stat = Stat {
            kind: 'f',
            mode: 0o600,
            owner: "root".into(),
            group: "root".into(),
            size: 1,
            mtime: String::new(),
            ctime: String::new(),
            inode: 1,
            target: String::new(),
        };
        let query = Query::Stat((*path).to_owned());
        seen.answers.insert(query, Answer::Stat(Some(stat)));
    }
    seen
}

/// What keeps a step from being planned on such a machine.
fn in_the_way(name: &str, step: &str, seen: &Observation) -> Vec<PlanError> {
    let all = Setup::new(cluster("")).step(name, step);
    all.iter().filter_map(|r| r.plan(seen).err()).collect()
}

const MEMBER: &str = "/var/lib/etcd/member";
const SERVER: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
const ADMIN: &str = "/etc/kubernetes/admin.conf";

#[test]
fn a_living_control_plane_is_in_the_way() {
    for paths in [&[MEMBER][..], &[SERVER], &[MEMBER, SERVER]] {
        let errors = in_the_way("one", "control-plane/init", &machine(paths));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(
            errors[0].to_string(),
            "remains:control-plane: a control plane is there, but /etc/kubernetes/admin.conf is missing"
        );
        let hint = errors[0].hint();
        assert!(
            hint.contains("kubeadm init phase kubeconfig admin"),
            "{hint}"
        );
    }
    let whole = machine(&[MEMBER, SERVER, ADMIN]);
    for fine in [machine(&[]), machine(&[ADMIN]), whole] {
        assert_eq!(in_the_way("one", "control-plane/init", &fine), []);
    }
}

/// Members of the old cluster must not run beside those of the new one.
#[test]
fn what_a_restore_or_a_recovery_set_aside_stays_there() {
    for (path, hint) in [
        ("restore/begun", "bramble etcd restore --back"),
        ("recover/etcd.yaml", "bramble etcd recover"),
        ("aside/etcd.yaml", "bramble down --machine one"),
    ] {
        let path = format!("/var/lib/bramble-etcd/{path}");
        let seen = machine(&[MEMBER, ADMIN, &path]);
        let errors = in_the_way("one", "control-plane/init", &seen);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].hint().contains(hint), "{}", errors[0].hint());
    }
}

#[test]
fn a_living_worker_is_in_the_way() {
    const CERTIFICATE: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
    let errors = in_the_way("two", "worker/join", &machine(&[CERTIFICATE]));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(
        errors[0].hint(),
        "take the machine out of the cluster and put it back: bramble down --step worker/join --machine two --yes, then bramble up"
    );
    let whole = machine(&[CERTIFICATE, "/etc/kubernetes/kubelet.conf"]);
    for fine in [machine(&[]), whole] {
        assert_eq!(in_the_way("two", "worker/join", &fine), []);
    }
}

/// The machine of somebody else's cluster, most likely by a wrong address in the file.
#[test]
fn a_node_that_somebody_else_made_is_in_the_way() {
    for (name, path) in [
        ("one", ADMIN),
        ("one", "/etc/kubernetes/kubelet.conf"),
        ("two", "/etc/kubernetes/kubelet.conf"),
    ] {
        let mut seen = machine(&[path]);
        let errors = in_the_way(name, "kubernetes", &seen);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0]
                .to_string()
                .contains("a node that Bramble did not make")
        );
        assert!(errors[0].hint().contains("kubeadm reset"));
        let (step, id) = match name {
            "one" => ("control-plane/init", "action:kubeadm-init"),
            _ => ("worker/join", "action:kubeadm-join"),
        };
        let begin = to_line(&Line::Begin {
            id: id.into(),
            step: step.into(),
            undo: undo(name, step, id),
        });
        seen.journal = Journal::parse(&begin);
        assert_eq!(in_the_way(name, "kubernetes", &seen), []);
    }
}

/// What an interrupted try left is its own, and it is what cleans it up.
#[test]
fn an_interrupted_try_is_not_in_the_way() {
    let steps = [
        ("one", "control-plane/init", "action:kubeadm-init", MEMBER),
        (
            "two",
            "worker/join",
            "action:kubeadm-join",
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
        ),
    ];
    for (name, step, id, path) in steps {
        let mut seen = machine(&[path]);
        let begin = to_line(&Line::Begin {
            id: id.into(),
            step: step.into(),
            undo: undo(name, step, id),
        });
        seen.journal = Journal::parse(&begin);
        assert_eq!(in_the_way(name, step, &seen), []);
        let done = to_line(&Line::Done { id: id.into() });
        seen.journal = Journal::parse(&format!("{begin}\n{done}\n"));
        assert_eq!(in_the_way(name, step, &seen).len(), 1);
        // One that was whole once stays what it is.
        seen.journal = Journal::parse(&format!("{begin}\n{done}\n{begin}\n"));
        assert_eq!(in_the_way(name, step, &seen).len(), 1);
    }
}

fn undo(name: &str, step: &str, id: &str) -> Undo {
    let all = Setup::new(cluster("")).step(name, step);
    let action = all.iter().find(|r| r.id() == id).expect("the action");
    let change = action.plan(&Observation::default()).expect("a plan");
    change.expect("a change").undo
}

#[test]
fn what_undoing_a_node_destroys_is_said() {
    let said = |name, step, id| match undo(name, step, id) {
        Undo::Action(undo) => undo.destroys.unwrap_or_default(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        said("one", "control-plane/init", "action:kubeadm-init"),
        "the cluster's data in etcd"
    );
    assert_eq!(
        said("two", "worker/join", "action:kubeadm-join"),
        "the pods' local data on this node"
    );
}
