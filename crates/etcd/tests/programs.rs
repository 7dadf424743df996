//! Every program is one that a POSIX shell reads, and shellcheck has nothing against.

use bramble_etcd::program;
use std::process::Command;

fn programs() -> Vec<(&'static str, String)> {
    let file = "/var/lib/bramble-etcd/a b.db";
    vec![
        ("forget", program::forget("one", "10.0.0.11")),
        (
            "remove",
            program::remove_member("one", "10.0.0.11")
                .as_str()
                .to_owned(),
        ),
        ("snapshot", program::snapshot(file)),
        ("take", program::take(file)),
        ("drop", program::drop_snapshot(file)),
        ("list", program::list()),
        ("look", program::look()),
        ("defrag", program::defrag()),
        ("folder", program::restore_folder()),
        ("check", program::restore_check()),
        ("forget-restore", program::restore_forget()),
        ("stop", program::restore_stop()),
        (
            "data",
            program::restore_data("one", "https://10.0.0.11:2380", "one=x", "t"),
        ),
        ("start", program::restore_start()),
        ("finish", program::restore_finish()),
        ("tidy", program::restore_tidy()),
        ("back", program::restore_back()),
        ("relearn", program::relearn()),
        ("recover", program::recover()),
        ("retire", program::retire()),
    ]
}

#[test]
fn a_posix_shell_reads_them() {
    for (name, text) in programs() {
        let out = Command::new("sh").args(["-n", "-c", &text]).output();
        let out = out.expect("sh");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{name}: {said}\n{text}");
    }
}

#[test]
fn shellcheck_has_nothing_against_them() {
    if Command::new("shellcheck").arg("-V").output().is_err() {
        #[allow(clippy::print_stdout)]
        {
            println!("skipped: shellcheck is absent");
        }
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in programs() {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        // SC2034, SC2154: parts share variables, and not every program has every part. SC2317, SC2329: nor
        // every function. SC2174: the folder above is there. SC2016: backticks for people.
        let out = Command::new("shellcheck")
            .args([
                "-s",
                "sh",
                "-e",
                "SC2034,SC2154,SC2317,SC2329,SC2174,SC2016",
            ])
            .arg(&path)
            .output()
            .expect("shellcheck");
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{name}: {said}");
    }
}
