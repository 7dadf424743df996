//! A machine that does not answer: named, in time, with its exit code.

use crate::common::{Place, closed_port, err, json, out};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A cluster of one machine behind a port.
fn file(port: u16) -> String {
    format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: dead }}\nspec:\n  machines:\n    - {{ name: gone, roles: [control-plane], address: 192.168.7.5, management: 127.0.0.1, ssh: {{ port: {port} }} }}\n"
    )
}

#[test]
fn every_command_that_needs_it_says_so() {
    let place = Place::with(&file(closed_port()));
    for command in [
        "fleet ping",
        "fleet df --machine gone",
        "fleet reboot --yes",
        "status",
        "logs gone",
        "ssh gone",
        "kubeconfig --print",
        "unlock gone --yes",
    ] {
        let assert = place.bramble(command).assert().code(4);
        let text = out(&assert) + &err(&assert);
        assert!(text.contains("gone (127.0.0.1:"), "{command}: {text}");
    }
}

#[test]
fn json_is_one_document_all_the_same() {
    let place = Place::with(&file(closed_port()));
    let value = json(&place.bramble("fleet ping --output json").assert().code(4));
    assert_eq!(value["machines"][0]["machine"], "gone");
    assert_eq!(value["machines"][0]["reachable"], false);
    assert!(
        value["machines"][0]["error"]
            .as_str()
            .unwrap()
            .contains("refused"),
        "{value}"
    );
    let value = json(&place.bramble("status --output json").assert().code(4));
    assert_eq!(
        (&value["well"], &value["machines"][0]["reachable"]),
        (&false.into(), &false.into())
    );
    let value = json(&place.bramble("logs gone --output json").assert().code(4));
    assert_eq!(value["exitCode"], 4);
    let value = json(
        &place
            .bramble("fleet reboot --yes --output json")
            .assert()
            .code(4),
    );
    assert_eq!(value["machines"][0]["back"], false);
}

#[test]
fn a_machine_that_says_nothing_costs_no_more_than_its_limit() {
    // It takes connections and is silent.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::with(&file(listener.local_addr().unwrap().port()));
    let begin = Instant::now();
    let assert = place
        .bramble("fleet ping --connect-timeout 1")
        .assert()
        .code(4);
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
    let text = out(&assert);
    assert!(
        text.contains("gone") && text.contains("within 1s"),
        "{text}"
    );
}

#[test]
fn what_must_be_confirmed_is_not_done_unasked() {
    let place = Place::with(&file(closed_port()));
    let text = err(&place.bramble("fleet reboot").assert().code(2));
    assert!(text.contains("gone") && text.contains("--yes"), "{text}");
}

/// Nothing answers where a lab was taken down, and ssh can't know why.
#[test]
fn machines_that_may_be_a_lab_which_is_gone_are_told_as_such() {
    let text = |lan: &str| {
        let port = closed_port();
        format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: faded }}\nspec:\n  network: {{ lan: {lan} }}\n  machines:\n    - {{ name: gone, roles: [control-plane], address: 198.18.77.5, management: 127.0.0.1, ssh: {{ port: {port} }} }}\n"
        )
    };
    let place = Place::with(&text("198.18.77.0/24"));
    for command in ["plan --down", "status"] {
        let said = err(&place.bramble(command).assert().code(4));
        assert!(
            said.contains("the lab faded is not up"),
            "{command}: {said}"
        );
        assert!(said.contains("bramble up --lab"), "{command}: {said}");
    }
}
