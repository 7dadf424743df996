//! Results that can't be written. `/dev/full` stands for a disk that is.

use crate::common::{GOOD, Place, closed_port};
use std::fs::File;
use std::process::{Output, Stdio};

/// What a command says whose results have no place.
fn full(place: &Place, arguments: &str) -> Output {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.process(Place::program());
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::null()).stdout(full);
    command.output().unwrap()
}

#[test]
fn a_result_that_is_lost_is_a_failure() {
    let place = Place::with(GOOD);
    for arguments in [
        "schema",
        "steps",
        "steps --output json",
        "check",
        "man",
        "completions bash",
        "serve crds",
        "lights rules",
        "--help",
        "plan --help",
        "--version",
    ] {
        let done = full(&place, arguments);
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{arguments}: {said}");
        assert!(
            said.contains("error: standard output can't be written: No space left"),
            "{arguments}: {said}"
        );
        assert_eq!(said.matches("error:").count(), 1, "{arguments}: {said}");
    }
}

#[test]
fn what_failed_besides_decides_the_exit_code() {
    let port = closed_port();
    let dead = format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: dead }}\nspec:\n  machines:\n    - {{ name: gone, roles: [control-plane], address: 192.168.7.5, management: 127.0.0.1, ssh: {{ port: {port} }} }}\n"
    );
    let place = Place::with(&dead);
    for arguments in ["fleet ping", "fleet ping --output json"] {
        let done = full(&place, arguments);
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(4), "{arguments}: {said}");
        assert!(said.contains("standard output can't be written"), "{said}");
    }
}
