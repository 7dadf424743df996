//! Snapshots of etcd that control planes take by themselves.

use crate::setup::{Setup, cluster, skip};
use bramble_machine::Observation;
use bramble_secret::Secret;
use std::process::Command;

const STEP: &str = "control-plane/snapshots";
const SCRIPT: &str = "/usr/local/lib/bramble-etcd-snapshot";
const SERVICE: &str = "/etc/systemd/system/bramble-etcd-snapshot.service";
const TIMER: &str = "/etc/systemd/system/bramble-etcd-snapshot.timer";

fn with_s3() -> Setup {
    Setup::new(cluster(
        "  proxy: { https: 'http://proxy.example:3128/%20' }\n  etcd:\n    snapshots:\n      every: 2h\n      keep: 5\n      s3: { endpoint: 'https://s3.example', bucket: backups, prefix: clusters/home, region: eu-central-1, credentialsFile: pair }\n",
    ))
}

#[test]
fn every_control_plane_has_a_timer_and_no_worker() {
    let setup = Setup::new(cluster(""));
    assert_eq!(
        setup.ids("one", STEP),
        [
            format!("file:{SCRIPT}"),
            format!("file:{SERVICE}"),
            format!("file:{TIMER}"),
            "action:etcd-snapshots".into(),
            "service:bramble-etcd-snapshot.timer".into(),
        ]
    );
    assert_eq!(setup.ids("two", STEP), [] as [String; 0]);
    let timer = setup.text("one", STEP, TIMER).expect("a timer");
    assert!(timer.contains("OnUnitActiveSec=21600\n"), "{timer}");
    let service = setup.text("one", STEP, SERVICE).expect("a unit");
    assert!(!service.contains("S3_"), "{service}");
    assert!(!service.contains("LoadCredential"), "{service}");

    let none = Setup::new(cluster("  etcd: { snapshots: false }\n"));
    assert_eq!(none.ids("one", STEP), [] as [String; 0]);
}

#[test]
fn the_unit_says_what_the_file_says() {
    let setup = with_s3();
    let text = setup.text("one", STEP, SERVICE).expect("a unit");
    for line in [
        "Environment=\"SNAPSHOTS_EVERY=7200\"",
        "Environment=\"SNAPSHOTS_KEEP=5\"",
        "Environment=\"S3_ENDPOINT=https://s3.example\"",
        "Environment=\"S3_BUCKET=backups\"",
        // Each control plane has its own place there.
        "Environment=\"S3_PREFIX=clusters/home/one\"",
        "Environment=\"https_proxy=http://proxy.example:3128/%%20\"",
        "LoadCredential=curl:/etc/bramble-etcd-snapshot.curl",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
fn the_key_for_s3_is_in_one_closed_file_alone() {
    let mut setup = with_s3();
    let pair = "AKID7Q\nq\"b\\c/Sn3lZJTBX6kk+";
    setup.secrets.insert("pair".into(), Secret::new(pair));
    let mut holders = Vec::new();
    for step in &setup.blueprint().machines["one"].steps {
        for resource in &step.resources {
            let Ok(Some(change)) = resource.plan(&Observation::default()) else {
                continue;
            };
            let undo = format!("{:?}{:?}", change.undo, change.undo.script().as_str());
            let shown = format!("{resource:?}{}{:?}{undo}", change.summary, change.diff);
            assert!(!shown.contains("Sn3lZJTBX6kk"), "{}", resource.id());
            if change.apply.as_str().contains("Sn3lZJTBX6kk") {
                holders.push((resource.id(), change.apply.as_str().to_owned()));
            }
        }
    }
    assert_eq!(holders.len(), 1, "{holders:?}");
    let (id, program) = &holders[0];
    assert_eq!(id, "file:/etc/bramble-etcd-snapshot.curl");
    assert!(program.contains(" 0600 root:root"), "{program}");
    for line in [
        r#"user = "AKID7Q:q\"b\\c/Sn3lZJTBX6kk+""#,
        r#"aws-sigv4 = "aws:amz:eu-central-1:s3""#,
    ] {
        assert!(program.contains(line), "{program}");
    }
}

#[test]
fn taking_the_snapshots_away_is_said_as_a_loss() {
    let setup = Setup::new(cluster(""));
    let all = setup.step("one", STEP);
    let changes = all.iter().map(|r| r.plan(&Observation::default()));
    let lost: Vec<String> = changes
        .filter_map(|c| c.expect("a plan")?.undo.destroys())
        .collect();
    assert_eq!(lost, ["the snapshots of etcd that this machine took"]);
}

#[test]
fn shellcheck_has_nothing_against_the_script() {
    if Command::new("shellcheck").arg("-V").output().is_err() {
        return skip("shellcheck is absent");
    }
    let text = with_s3().text("one", STEP, SCRIPT).expect("a script");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("script");
    std::fs::write(&path, text).expect("written");
    // SC2154: `$dead` is the caller's where there is one. SC2174: the folder above is there.
    let out = Command::new("shellcheck")
        .args(["-s", "sh", "-e", "SC2154,SC2174"])
        .arg(&path)
        .output()
        .expect("shellcheck");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}");
}
