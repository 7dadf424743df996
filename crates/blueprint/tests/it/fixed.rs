//! What can't change under a living cluster is in the way on every node that knows better.

use crate::setup::{Setup, cluster};
use bramble_machine::query::Answer;
use bramble_machine::{Observation, Query};

/// What is in the way of a step on a machine with such a note.
fn in_the_way(machine: &str, step: &str, field: &str, note: &str) -> Vec<String> {
    let mut seen = Observation::default();
    let path = format!("/var/lib/bramble/fixed.{field}");
    let answer = Answer::Text(Some(format!("{note}\n")));
    seen.answers.insert(Query::Content(path), answer);
    let all = Setup::new(cluster("")).step(machine, step);
    let errors = all.iter().filter_map(|r| r.plan(&seen).err());
    errors.map(|e| format!("{e}. {}", e.hint())).collect()
}

#[test]
fn every_node_knows_what_the_cluster_was_made_with() {
    let nodes = [("one", "control-plane/init"), ("two", "worker/join")];
    for (machine, step) in nodes {
        for (field, other) in [
            ("kubernetes.version", "v1.20.3"),
            ("kubernetes.podRange", "10.200.0.0/16"),
            ("kubernetes.serviceRange", "10.97.0.0/16"),
            ("kubernetes.dnsDomain", "other.local"),
            ("kubernetes.endpoint", "10.77.0.99:6443"),
        ] {
            let errors = in_the_way(machine, step, field, other);
            assert_eq!(errors.len(), 1, "{machine} {field}: {errors:?}");
            assert!(
                errors[0].contains(&format!("the cluster was made with {field} {other}")),
                "{errors:?}"
            );
        }
        let errors = in_the_way(machine, step, "name", "zwei");
        assert!(
            errors[0].contains("the node was made with name zwei"),
            "{errors:?}"
        );
        assert!(
            errors[0].contains("bramble down --machine zwei"),
            "{errors:?}"
        );
    }
}

#[test]
fn a_control_plane_stays_where_it_is_and_a_worker_may_move() {
    let (plane, worker) = ("control-plane/init", "worker/join");
    assert_eq!(in_the_way("one", plane, "address", "10.77.0.99").len(), 1);
    assert_eq!(
        in_the_way("one", plane, "kubernetes.certSANs", "api.example").len(),
        1
    );
    assert_eq!(in_the_way("two", worker, "address", "10.77.0.99").len(), 0);
}

/// What kubeadm made is put back as it was, and nothing is said while it is.
#[test]
fn static_pods_are_kept() {
    let path = "/etc/kubernetes/manifests/kube-scheduler.yaml";
    let all = Setup::new(cluster("")).step("one", "control-plane/init");
    let kept = all.iter().find(|r| r.id() == format!("kept:{path}"));
    let kept = kept.expect("the scheduler's pod");
    let plan = |found: Option<&str>, copy: Option<&str>| {
        let mut seen = Observation::default();
        let copied = "/var/lib/bramble/kept.kube-scheduler.yaml";
        for (path, text) in [(path, found), (copied, copy)] {
            let answer = Answer::Text(text.map(str::to_owned));
            seen.answers.insert(Query::Sha256(path.into()), answer);
        }
        let change = kept.plan(&seen).expect("a plan")?;
        assert_eq!(change.diff, None, "a plan shows nothing of it");
        Some((change.summary, change.apply.as_str().to_owned()))
    };
    assert_eq!(plan(Some("a"), Some("a")), None);
    let (summary, _) = plan(None, None).expect("a change");
    assert_eq!(summary, "keep a copy");
    for (found, said) in [(None, "it is gone"), (Some("b"), "it was changed")] {
        let (summary, apply) = plan(found, Some("a")).expect("a change");
        assert!(summary.contains(said), "{summary}");
        // The kubelet must never see half a file in its folder.
        assert!(apply.contains("/etc/kubernetes/.bramble-kept"), "{apply}");
        assert!(!apply.contains("manifests/.bramble"), "{apply}");
    }
}
