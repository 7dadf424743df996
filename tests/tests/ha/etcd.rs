//! Care for etcd: snapshots, restore, a quorum that is lost.

use super::{PLANES, RECOVERY, whole};
use bramble_tests::kubectl::Kubectl;
use bramble_tests::s3::S3;
use bramble_tests::{Site, until, until_else};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const UNIT: &str = "bramble-etcd-snapshot.service";
/// Not in any text that somebody could see.
const KEY: &str = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY";

/// A snapshot comes here whole and closed; members and their data are told; space is given back.
pub fn snapshots(site: &Site) {
    let members = site.bramble(&["etcd", "members", "--output", "json"]);
    let members = members.expect(0).json();
    assert_eq!(members["healthy"], 3, "{members}");
    let leaders = members["members"].as_array().into_iter().flatten();
    assert_eq!(leaders.filter(|m| m["leader"] == true).count(), 1);

    let file = site.folder().join("one.db");
    let to = file.display().to_string();
    let args = [
        "etcd",
        "snapshot",
        "--to",
        &to,
        "--keep-on-machine",
        "--output",
        "json",
    ];
    let taken = site.bramble(&args).expect(0).json();
    let meta = std::fs::metadata(&file).expect("a file");
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(taken["snapshot"]["size"], meta.len());
    site.bramble(&["etcd", "snapshot", "--to", &to])
        .expect(2)
        .says("is there already");
    let kept = taken["onMachine"].as_str().expect("a file on the machine");
    site.bramble(&["etcd", "snapshots"]).expect(0).says(kept);
    site.bramble(&["etcd", "defrag"]).expect(0).says("three: ");
    site.bramble(&["etcd", "members"]).expect(0);
    site.on(
        taken["machine"].as_str().expect("a name"),
        &format!("rm {kept} {kept}.json"),
    );
}

/// The timer's script: what it takes, keeps, copies, and says when it can't. `spec` is the file's, `machine`
/// a control plane.
pub fn scheduled(site: &Site, spec: &str, machine: &str) {
    let gateway = site.gateway();
    let s3 = S3::start(&format!("{gateway}:19100"), "AKIDTEST", KEY, "backups");
    let pair = site.write_beside("pair", &format!("AKIDTEST\n{KEY}\n"));
    close(&pair);
    let with = |bucket: &str| {
        format!(
            "{spec}etcd: {{ snapshots: {{ keep: 2, s3: {{ endpoint: '{}', bucket: {bucket}, credentialsFile: pair }} }} }}\n",
            s3.url()
        )
    };
    site.write(&with("backups"));
    site.up();
    site.nothing_to_do();
    let run = format!(
        "systemctl start {UNIT} || {{ systemctl status -n 20 --no-pager -l {UNIT}; exit 1; }}"
    );
    let folder = "/var/lib/bramble-etcd/scheduled";
    // Older ones, by the clock: each run takes one.
    for _ in 0..3 {
        site.on(
            machine,
            &format!("touch -c -d '5 hours ago' {folder}/*.db 2>/dev/null || :"),
        );
        site.on(machine, &run);
    }
    let here = site.on(machine, &format!("ls {folder}/*.db | wc -l"));
    assert_eq!(here.trim(), "2", "as many as the file says");
    let prefix = format!("{}/{machine}", site.name());
    let there = s3.objects("backups", &prefix);
    assert!(there.len() >= 2, "{}", there.len());
    let (name, bytes) = there.last().expect("an object");
    let size = site.on(machine, &format!("stat -c %s {folder}/{name}"));
    assert_eq!(size, bytes.len().to_string());
    assert_eq!(site.on(machine, &format!("stat -c %a {folder}")), "700");

    // Refused: said where an administrator looks, and made good later.
    site.write(&with("nobody"));
    site.up();
    let failed = site.try_on(machine, &run);
    assert_ne!(failed.code, Some(0));
    let status = site.try_on(machine, &format!("systemctl status --no-pager -l {UNIT}"));
    status
        .says("404 NoSuchBucket")
        .says("make the bucket nobody there");
    site.bramble(&["status"])
        .expect(1)
        .says(&format!("the last snapshot of etcd on {machine} failed"))
        .says("404 NoSuchBucket");
    std::fs::write(&pair, "AKIDTEST\nwrong\n").expect("written");
    site.write(&with("backups"));
    site.up();
    site.on(machine, &format!("rm -f {folder}/*.sent"));
    site.try_on(machine, &run);
    let status = site.try_on(machine, &format!("systemctl status --no-pager -l {UNIT}"));
    status
        .says("SignatureDoesNotMatch")
        .says("spec.etcd.snapshots.s3.credentialsFile");
    let seen = site.on(
        machine,
        &format!("journalctl -u {UNIT} --no-pager; systemctl cat {UNIT}"),
    );
    assert!(!seen.contains(KEY), "the key is nobody's to see");
    std::fs::write(&pair, format!("AKIDTEST\n{KEY}\n")).expect("written");
    site.up();
    site.on(machine, &run);
    site.write(spec);
    site.up();
}

fn close(file: &Path) {
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(file, mode).expect("a mode");
}

/// What is newer than the snapshot is gone, what is older is back, nodes and namespaces are the same ones.
pub fn restore(site: &Site, kubectl: &Kubectl) {
    kubectl.run(&["create", "namespace", "before"]);
    let uids = uids(kubectl);
    let file = site.folder().join("restore.db").display().to_string();
    site.bramble(&["etcd", "snapshot", "--to", &file]).expect(0);
    kubectl.run(&["delete", "namespace", "before"]);
    kubectl.run(&["create", "namespace", "after"]);
    // Without a word nothing happens.
    site.bramble(&["etcd", "restore", &file])
        .expect(2)
        .says("everything newer is lost");
    site.bramble(&["etcd", "restore", "--back"])
        .expect(2)
        .says("no restore is under way");
    site.bramble(&["etcd", "restore", &file, "--without", "two", "--yes"])
        .expect(2)
        .says("two is reached and has a member of etcd");
    let wrong = site.write_beside("wrong.db", "no snapshot at all");
    site.bramble(&["etcd", "restore", &wrong.display().to_string(), "--yes"])
        .expect(1);
    site.bramble(&["etcd", "members"]).expect(0);

    // Cut off while nothing of the control plane runs: taken back, as if it had never begun.
    let restore = ["etcd", "restore", &file, "--yes"];
    cut_off(site, &restore, "their data becomes the snapshot's");
    site.bramble(&["etcd", "restore", "--back"])
        .expect(2)
        .says("comes back on one, three, two");
    site.bramble(&["etcd", "restore", "--back", "--yes"])
        .expect(0);
    until(
        "what the restore would have lost is there",
        RECOVERY,
        || self::uids(kubectl).iter().any(|o| o.starts_with("after ")),
    );
    // Cut off again, and gone on with. A kubelet that is started while the API is away ends no pod by itself.
    cut_off(site, &restore, "etcd starts");
    for plane in PLANES {
        site.on(plane, "systemctl restart kubelet");
    }
    site.bramble(&restore).expect(0);
    site.bramble(&["etcd", "members"]).expect(0);
    until("the state is the snapshot's", RECOVERY, || {
        uids == self::uids(kubectl)
    });
    whole(site, kubectl);
    kubectl.run(&["delete", "namespace", "before"]);
}

/// Begins, and is killed once it has said something.
fn cut_off(site: &Site, args: &[&str], said: &str) {
    let running = site.start(args);
    running.said(said);
    running.signal("KILL");
    running.finish();
}

/// Two of three control planes are lost: one command, and the cluster is the same one.
pub fn quorum_is_lost_and_comes_back(site: &Site, kubectl: &Kubectl) {
    let [first, lost @ ..] = PLANES;
    let before = uids(kubectl);
    let containers = running(site);
    site.bramble(&["etcd", "recover", "--yes"])
        .expect(2)
        .says("etcd has its quorum");
    for name in lost {
        site.lab().kill(name).expect("the power is cut");
    }
    site.bramble(&["etcd", "members"])
        .expect(1)
        .says("no quorum");
    // As after a reboot: it has never heard of the API, and ends no pod by itself.
    site.on(first, "systemctl restart kubelet");
    site.bramble(&["etcd", "recover"])
        .expect(2)
        .says("must not be switched on again");
    cut_off(
        site,
        &["etcd", "recover", "--yes"],
        "becomes the whole of etcd",
    );
    let done = site.bramble(&["etcd", "recover", "--yes"]).expect(0);
    eprintln!("recovered after {:.1} s", done.took.as_secs_f64());
    done.says(&format!("with the member on {first} alone"));
    until("the API is back", RECOVERY, || {
        kubectl.try_ready().contains(&"four".to_owned())
    });
    assert_eq!(uids(kubectl), before, "it is the same cluster");
    assert_eq!(running(site), containers, "workloads never stopped");

    // One after the other: together they would have the old cluster's quorum.
    for name in lost {
        site.lab()
            .start(name, RECOVERY, |_| {})
            .expect("the machine starts");
        site.bramble(&["down", "--machine", name, "--yes"])
            .expect(0);
    }
    site.up();
    until_else(
        "three members are healthy",
        RECOVERY,
        || site.bramble(&["etcd", "members"]).code == Some(0),
        || site.bramble(&["etcd", "members"]).said(),
    );
    whole(site, kubectl);
}

/// UIDs of all namespaces and nodes that are no control plane that may be made anew.
fn uids(kubectl: &Kubectl) -> Vec<String> {
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = kubectl.items(&["namespaces"]);
    let nodes = kubectl.items(&["nodes"]);
    let mut out: Vec<String> = all
        .iter()
        .chain(&nodes)
        .map(|o| {
            format!(
                "{} {}",
                word(&o["metadata"]["name"]),
                word(&o["metadata"]["uid"])
            )
        })
        .collect();
    out.sort();
    out
}

/// The containers of the workers, by their ids: a container that was started again has another.
fn running(site: &Site) -> Vec<String> {
    ["four", "five"]
        .iter()
        .map(|name| site.on(name, "ctr -n k8s.io tasks ls -q | sort"))
        .collect()
}
