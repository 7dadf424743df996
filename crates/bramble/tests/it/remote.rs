//! A daemon that is to do the work, as far as no daemon is needed to see it.

use crate::common::{GOOD, Place, err, out};

const NOBODY: &str = "https://127.0.0.1:9";

#[test]
fn what_concerns_this_computer_is_done_here_whatever_daemon_is_named() {
    let place = Place::new();
    for words in [
        "schema",
        "steps",
        "completions bash",
        "bundle list",
        "serve crds",
    ] {
        let done = place
            .bramble(words)
            .env("BRAMBLE_SERVER", NOBODY)
            .assert()
            .success();
        let _ = out(&done);
    }
}

#[test]
fn who_is_not_logged_in_is_told_how() {
    let place = Place::with(GOOD);
    let said = err(&place
        .bramble("status")
        .env("BRAMBLE_SERVER", NOBODY)
        .assert()
        .code(2));
    assert!(
        said.contains("nobody is logged in at https://127.0.0.1:9"),
        "{said}"
    );
    assert!(
        said.contains("bramble login https://127.0.0.1:9 --ca FILE"),
        "{said}"
    );
    let said = err(&place.bramble("status --server http://pi").assert().code(2));
    assert!(said.contains("is no address of a daemon"), "{said}");
}

#[test]
fn a_daemon_that_is_away_and_commands_that_it_has_not_are_named() {
    let place = Place::with(GOOD);
    let there = |words: &str| {
        let mut command = place.bramble(words);
        command
            .env("BRAMBLE_SERVER", NOBODY)
            .env("BRAMBLE_TOKEN", "brt_a_b");
        command
    };
    let said = err(&there("status").assert().code(4));
    assert!(said.contains("does the daemon run"), "{said}");
    assert!(!said.contains("brt_a_b"), "{said}");
    let said = err(&there("ssh one").assert().code(2));
    assert!(
        said.contains("a daemon does not carry out this command"),
        "{said}"
    );
    let said = err(&there("up --step base").assert().code(2));
    assert!(said.contains("always the whole cluster"), "{said}");
}

#[test]
fn a_cluster_that_the_environment_names_counts_for_daemons_alone() {
    let place = Place::with(GOOD);
    for name in ["red", "../x", ""] {
        let mut command = place.bramble("check");
        command.env("BRAMBLE_CLUSTER", name).assert().success();
    }
    // Who says it as an option means a daemon.
    let said = err(&place.bramble("check --cluster red").assert().code(2));
    assert!(said.contains("--server URL says which daemon"), "{said}");
    let mut command = place.bramble("status --server https://127.0.0.1:9");
    let wrong = command.env("BRAMBLE_CLUSTER", "../x").assert().code(2);
    assert!(err(&wrong).contains("BRAMBLE_CLUSTER=../x"));
}
