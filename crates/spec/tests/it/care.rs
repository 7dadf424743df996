//! Keys for upgrades, snapshots and the care of nodes.

use bramble_spec::cluster::{MaxUnavailable, Size, Swap};
use bramble_spec::{Cluster, load};
use std::time::Duration;

const HEAD: &str =
    "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {name: lab}\nspec:\n";

fn cluster(sections: &str, worker: &str) -> Cluster {
    let text = format!(
        "{HEAD}{sections}\n  machines:\n  - {{name: one, roles: [control-plane], address: 10.77.0.11}}\n  - {{name: two, address: 10.77.0.12, {worker}}}\n"
    );
    load("f", &text).unwrap_or_else(|p| panic!("{p}\n{text}"))
}

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

#[test]
fn a_share_of_workers_is_rounded_down_but_never_none() {
    let away = |text: &str| {
        let section = format!("  kubernetes: {{upgrade: {{maxUnavailable: {text}}}}}");
        cluster(&section, "").kubernetes.upgrade.max_unavailable
    };
    for (text, workers, expected) in [
        ("1", 8, 1),
        ("3", 8, 3),
        ("\"25%\"", 8, 2),
        ("\"25%\"", 7, 1),
        ("\"25%\"", 3, 1),
        ("\"1%\"", 10, 1),
        ("\"99%\"", 3, 2),
        ("\"100%\"", 3, 3),
        ("\"50%\"", 0, 1),
        ("100%", 5, 5),
    ] {
        assert_eq!(away(text).of(workers), expected, "{text} of {workers}");
    }
    assert_eq!(
        cluster("", "").kubernetes.upgrade.max_unavailable,
        MaxUnavailable::Count(1)
    );
}

#[test]
fn how_long_pods_may_take_to_leave() {
    let limit = |upgrade: &str| {
        let section = format!("  kubernetes: {{upgrade: {{{upgrade}}}}}");
        cluster(&section, "").kubernetes.upgrade.drain_limit
    };
    assert_eq!(limit(""), Duration::from_secs(300));
    assert_eq!(limit("drainTimeout: 90s"), Duration::from_secs(90));
    assert_eq!(limit("drainTimeout: 2h"), hours(2));
    assert_eq!(limit("drainTimeout: 1d"), hours(24));
}

#[test]
fn snapshots_are_taken_unless_the_file_says_no() {
    let snapshots = |etcd: &str| cluster(etcd, "").etcd.snapshots;
    let usual = snapshots("").expect("snapshots");
    assert_eq!(
        (usual.every, usual.keep, usual.s3.clone()),
        (hours(6), 28, None)
    );
    assert_eq!(snapshots("  etcd: {snapshots: true}"), Some(usual.clone()));
    assert_eq!(snapshots("  etcd: {}"), Some(usual));
    assert_eq!(snapshots("  etcd: {snapshots: false}"), None);
    let own = snapshots("  etcd: {snapshots: {every: 7d, keep: 1}}").expect("snapshots");
    assert_eq!((own.every, own.keep), (hours(7 * 24), 1));
}

#[test]
fn snapshots_go_to_a_bucket() {
    let s3 = |more: &str| {
        let section = format!(
            "  etcd: {{snapshots: {{s3: {{bucket: backups, credentialsFile: s3.key, {more}}}}}}}"
        );
        let s3 = cluster(&section, "").etcd.snapshots.and_then(|s| s.s3);
        s3.expect("a bucket")
    };
    let usual = s3("endpoint: \"https://s3.example.org/\"");
    assert_eq!(usual.endpoint, "https://s3.example.org");
    assert_eq!(usual.bucket, "backups");
    assert_eq!(usual.prefix, "lab", "the cluster's name");
    assert_eq!(usual.region, "us-east-1");
    assert_eq!(usual.credentials_file, "s3.key");
    let own = s3("endpoint: \"https://s3.example.org\", prefix: a/b.c/, region: eu-central-1");
    assert_eq!(
        (own.prefix.as_str(), own.region.as_str()),
        ("a/b.c", "eu-central-1")
    );
}

/// Where everybody on the way is one's own.
#[test]
fn a_bucket_in_the_house_needs_no_encryption() {
    for endpoint in [
        "http://127.0.0.1:9000",
        "http://192.168.1.5:9000",
        "http://10.0.0.5",
        "http://[fd00::5]:9000",
        "http://[::1]:9000/",
    ] {
        let section = format!(
            "  etcd: {{snapshots: {{s3: {{endpoint: \"{endpoint}\", bucket: backups, credentialsFile: k}}}}}}"
        );
        assert!(cluster(&section, "").etcd.snapshots.unwrap().s3.is_some());
    }
}

#[test]
fn images_and_logs_have_limits() {
    let kubelet = |kubelet: &str| {
        let section = format!("  kubernetes: {{kubelet: {{{kubelet}}}}}");
        cluster(&section, "").kubernetes.kubelet
    };
    let usual = cluster("", "").kubernetes.kubelet;
    assert_eq!(usual.image_gc, None);
    assert_eq!((usual.log_size, usual.log_files), (Size::mebi(10), 5));
    for (text, expected) in [
        ("imageGC: {high: 60}", (60, 55)),
        ("imageGC: {low: 20}", (85, 20)),
        ("imageGC: {high: 5}", (5, 1)),
        ("imageGC: {high: 100, low: 99}", (100, 99)),
    ] {
        let found = kubelet(text).image_gc.map(|gc| (gc.high, gc.low));
        assert_eq!(found, Some(expected), "{text}");
    }
    let logs = kubelet("logs: {maxSize: 1Gi, maxFiles: 2}");
    assert_eq!((logs.log_size, logs.log_files), (Size::mebi(1024), 2));
}

#[test]
fn sizes_are_shown_as_they_are_written() {
    for text in ["64Ki", "10Mi", "1536Ki", "1Gi"] {
        let section = format!("  kubernetes: {{kubelet: {{logs: {{maxSize: {text}}}}}}}");
        let size = cluster(&section, "").kubernetes.kubelet.log_size;
        assert_eq!(size.to_string(), text);
    }
    assert_eq!(Size::mebi(2048).to_string(), "2Gi");
}

#[test]
fn what_a_machine_says_comes_before_what_is_usual() {
    let usual = "  defaults: {swap: keep, hugepages: {2Mi: 64}, journal: {maxSize: 200Mi}}";
    let plain = &cluster(usual, "").machines[1];
    assert_eq!(plain.swap, Swap::Keep);
    assert_eq!(plain.hugepages, [(Size::mebi(2), 64)].into());
    assert_eq!(plain.journal, Some(Size::mebi(200)));
    let own = "swap: {size: 1Gi}, hugepages: {1Gi: 2, 32Mi: 0}, journal: {maxSize: 1Gi}";
    let own = cluster(usual, own);
    assert_eq!(own.machines[0].swap, Swap::Keep);
    assert_eq!(own.machines[1].swap, Swap::File(Size::mebi(1024)));
    assert_eq!(own.machines[1].hugepages, [(Size::mebi(1024), 2)].into());
    assert_eq!(own.machines[1].journal, Some(Size::mebi(1024)));
    assert!(
        cluster(usual, "hugepages: {}").machines[1]
            .hugepages
            .is_empty()
    );
    assert_eq!(cluster(usual, "swap: off").machines[1].swap, Swap::Off);
}

/// The kubelet's own wish, until somebody asks for something else; a router has no kubelet.
#[test]
fn nodes_have_no_swap_unless_asked_and_a_router_keeps_what_it_has() {
    let found = cluster("", "");
    assert!(found.machines.iter().all(|m| m.swap == Swap::Off));
    assert!(found.machines.iter().all(|m| m.journal.is_none()));
    let text = format!(
        "{HEAD}  network: {{lan: 10.77.0.0/24}}\n  machines:\n  - {{name: gate, roles: [router], address: 192.168.1.2}}\n  - {{name: one, roles: [control-plane], address: 10.77.0.11}}\n"
    );
    let found = load("f", &text).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(found.machines[0].swap, Swap::Keep);
    assert_eq!(found.machines[1].swap, Swap::Off);
}
