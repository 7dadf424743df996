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

/// What a node that was made with a release does about the file's, v1.34.2: the change, or what is in the way.
fn raised(
    machine: &str,
    step: &str,
    from: &str,
) -> Result<Option<bramble_machine::Change>, String> {
    let mut seen = Observation::default();
    let path = "/var/lib/bramble/fixed.kubernetes.version".to_owned();
    let answer = Answer::Text(Some(format!("{from}\n")));
    seen.answers.insert(Query::Content(path), answer);
    let all = Setup::new(cluster("")).step(machine, step);
    let note = all.iter().find(|r| r.id() == "fixed:kubernetes.version");
    let change = note.expect("the note of the release").plan(&seen);
    change.map_err(|e| format!("{e}. {}", e.hint()))
}

#[test]
fn a_release_is_raised_step_by_step_and_never_lowered() {
    for (machine, step) in [("one", "control-plane/init"), ("two", "worker/join")] {
        assert!(raised(machine, step, "v1.34.2").expect("a plan").is_none());
        for from in ["v1.34.0", "v1.33.9"] {
            let change = raised(machine, step, from)
                .expect("a plan")
                .expect("a change");
            assert_eq!(change.summary, format!("{from} → v1.34.2"));
            assert!(change.empties, "its node is drained before");
            let upgrades = change.apply.as_str().contains("kubeadm upgrade node");
            assert_eq!(
                upgrades,
                machine == "two",
                "a control plane has a step of its own"
            );
        }
        let error = raised(machine, step, "v1.35.0").expect_err("no way back");
        assert!(error.contains("Kubernetes doesn't go back"), "{error}");
        let error = raised(machine, step, "v1.32.9").expect_err("a release is left out");
        assert!(
            error.contains("no minor release may be left out"),
            "{error}"
        );
        let error = raised(machine, step, "nonsense").expect_err("a broken note");
        assert!(error.contains("\"nonsense\""), "{error}");
    }
}

#[test]
fn a_control_planes_pods_are_raised_by_what_they_are() {
    let plan = |image: Option<&str>, note: Option<&str>| {
        let mut seen = Observation::default();
        let manifest = image.map(|tag| {
            format!("spec:\n  containers:\n  - image: registry.k8s.io/kube-apiserver:{tag}\n")
        });
        for (path, text) in [
            ("/etc/kubernetes/manifests/kube-apiserver.yaml", manifest),
            (
                "/var/lib/bramble/fixed.kubernetes.version",
                note.map(str::to_owned),
            ),
        ] {
            seen.answers
                .insert(Query::Content(path.into()), Answer::Text(text));
        }
        let all = Setup::new(cluster("")).step("one", "control-plane/upgrade");
        all[0].plan(&seen).map_err(|e| e.to_string())
    };
    let nothing = |image, note| plan(image, note).expect("a plan").is_none();
    assert!(nothing(None, None), "a bare machine");
    assert!(nothing(Some("v1.34.2"), Some("v1.34.2")));
    let change = plan(Some("v1.33.1"), Some("v1.33.1"))
        .expect("a plan")
        .expect("a change");
    assert_eq!(
        change.summary,
        "v1.33.1 → v1.34.2, after a snapshot of etcd"
    );
    assert!(!change.empties, "pods stay where they are");
    assert!(plan(Some("v1.35.0"), Some("v1.35.0")).is_err());
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
