//! Swap, large pages, limits of the journal and of the kubelet.

use crate::setup::{Setup, cluster, container};
use bramble_machine::Facts;

const CARE: &str = "base/care";

fn setup(spec: &str) -> Setup {
    Setup::new(cluster(spec))
}

fn flags(setup: &Setup, machine: &str, step: &str) -> String {
    let text = setup.text(machine, step, "/etc/default/kubelet");
    text.expect("flags")
}

#[test]
fn nothing_is_there_that_nobody_asked_for() {
    let setup = setup("");
    for machine in ["one", "two"] {
        assert!(setup.ids(machine, CARE).is_empty());
        let system = setup.ids(machine, "base/system");
        assert!(system.contains(&"swap:off".to_owned()), "{system:?}");
    }
}

#[test]
fn the_kubelet_has_the_limits_of_the_file() {
    let usual = setup("");
    let limits = "  kubernetes: { kubelet: { imageGC: { high: 60, low: 40 }, logs: { maxSize: 5Mi, maxFiles: 3 } } }\n";
    let own = setup(limits);
    for (machine, step) in [("one", "control-plane/init"), ("two", "worker/join")] {
        let flags_of = |setup| flags(setup, machine, step);
        let usual = flags_of(&usual);
        assert!(
            !usual.contains("image-gc") && !usual.contains("container-log"),
            "what it does by itself it is not told: {usual}"
        );
        let own = flags_of(&own);
        let all = "--image-gc-high-threshold=60 --image-gc-low-threshold=40 --container-log-max-size=5Mi --container-log-max-files=3\"";
        assert!(own.contains(all), "{own}");
    }
}

#[test]
fn a_limit_of_the_journal_is_written_in_its_own_units() {
    let setup = setup("  defaults: { journal: { maxSize: 200Mi } }\n");
    assert_eq!(
        setup.ids("two", CARE),
        [
            "directory:/etc/systemd/journald.conf.d",
            "file:/etc/systemd/journald.conf.d/zz-bramble.conf",
            "service:systemd-journald.service",
        ]
    );
    let text = setup.text("two", CARE, "/etc/systemd/journald.conf.d/zz-bramble.conf");
    assert_eq!(
        text.as_deref(),
        Some("# Made by Bramble.\n[Journal]\nSystemMaxUse=200M\n")
    );
}

#[test]
fn a_kubelet_is_told_of_swap_that_may_be_there() {
    for swap in ["keep", "{ size: 1Gi }"] {
        let setup = setup(&format!("  defaults: {{ swap: {swap} }}\n"));
        for (machine, step) in [("one", "control-plane/init"), ("two", "worker/join")] {
            let flags = flags(&setup, machine, step);
            assert!(flags.contains(" --fail-swap-on=false"), "{flags}");
            let system = setup.ids(machine, "base/system");
            assert!(!system.contains(&"swap:off".to_owned()), "{system:?}");
        }
        let init = setup.program("one", "control-plane/init", "action:kubeadm-init");
        assert!(init.contains("--ignore-preflight-errors=Swap"), "{init}");
    }
    let file = setup("  defaults: { swap: { size: 1Gi } }\n");
    assert_eq!(file.ids("two", CARE), ["swap:/var/lib/bramble.swap"]);
}

/// A host's disk, filled by others to nine tenths, is no reason to remove images or pods from a container on it.
#[test]
fn a_container_counts_what_is_left_of_its_hosts_disk() {
    let shared = " --eviction-hard=memory.available<100Mi,nodefs.available<1Gi,nodefs.inodesFree<5%,imagefs.available<1Gi";
    let own = setup("");
    let usual = setup("").on_all(&container());
    let limits = "  kubernetes: { kubelet: { imageGC: { high: 85 } } }\n";
    let asked = setup(limits).on_all(&container());
    for (machine, step) in [("one", "control-plane/init"), ("two", "worker/join")] {
        let flags_of = |setup| flags(setup, machine, step);
        assert!(!flags_of(&own).contains("eviction"));
        let usual = flags_of(&usual);
        assert!(usual.contains(shared), "{usual}");
        assert!(usual.contains(" --image-gc-high-threshold=100"), "{usual}");
        let asked = flags_of(&asked);
        assert!(asked.contains(shared), "{asked}");
        assert!(!asked.contains("image-gc"), "what the file says: {asked}");
    }
}

#[test]
fn a_container_has_its_hosts_swap() {
    let setup = setup("  defaults: { swap: { size: 1Gi } }\n").on_all(&container());
    assert!(setup.ids("two", CARE).is_empty());
    let remarks = setup.blueprint().remarks;
    let said = "two: it is a container, whose swap is its host's: it gets no swap file";
    assert!(remarks.iter().any(|r| r == said), "{remarks:?}");
}

/// The kubelet counts large pages when it starts. Their number is in its own step, for a run that is cut off after
/// they were made.
#[test]
fn large_pages_restart_the_kubelet() {
    let setup = setup("  defaults: { hugepages: { 2Mi: 64, 1Gi: 1 } }\n");
    assert_eq!(setup.ids("two", CARE), ["hugepages:bramble"]);
    for (machine, step) in [("one", "control-plane/init"), ("two", "worker/join")] {
        let all = setup.step(machine, step);
        let kubelet = all.iter().find(|r| r.id() == "service:kubelet.service");
        let watched = kubelet.expect("the kubelet").watches();
        for id in ["file:/etc/default/kubelet", "hugepages:bramble"] {
            assert!(watched.contains(&id.to_owned()), "{id}: {watched:?}");
        }
        let flags = flags(&setup, machine, step);
        let pages = "\n# Large pages: 64 of 2048 KiB, 1 of 1048576 KiB\n";
        assert!(flags.contains(pages), "{flags}");
    }
    let none = Facts {
        huge_pages: false,
        ..Facts::default()
    };
    let setup = setup.on_all(&none);
    assert!(setup.ids("two", CARE).is_empty());
    assert!(!flags(&setup, "two", "worker/join").contains("Large"));
    let remarks = setup.blueprint().remarks;
    let said = |r: &String| r.starts_with("two: it can't set large pages aside");
    assert!(remarks.iter().any(said), "{remarks:?}");
}
