//! Wrong files: each with the place that must be underlined, between « and ».

#[rustfmt::skip]
mod cases;

pub use cases::all;

use bramble_spec::{Context, Problem, load, load_with};
use cases::{HEAD, hook, machines, section};
use std::collections::HashMap;

/// The text without marks, and line, column and length of what was marked.
pub fn unmark(marked: &str) -> (String, (usize, usize, usize)) {
    let start = marked.find('«').unwrap();
    let end = marked.find('»').unwrap();
    let before = &marked[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let length = marked[start..end].chars().count() - 1;
    (
        marked.replace(['«', '»'], ""),
        (line, column, length.max(1)),
    )
}

fn refused(text: &str) -> Vec<Problem> {
    match load("bramble.yaml", text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(problems) => problems.list().to_vec(),
    }
}

#[test]
fn every_wrong_file_is_refused_at_its_place_and_for_its_reason() {
    let mut faults = Vec::new();
    for (code, marked, message, hint) in all() {
        let (text, place) = unmark(&marked);
        let Err(problems) = load("bramble.yaml", &text) else {
            faults.push(format!("accepted, expected {code}:\n{text}"));
            continue;
        };
        let [problem] = problems.list() else {
            faults.push(format!("expected {code} alone:\n{problems}"));
            continue;
        };
        let found = (problem.line, problem.column, problem.length);
        // The place of a mistake that has no text of its own is a single character somewhere.
        let same_place =
            found == place || marked.contains("«»") && found.2 == 1 && found.0 <= place.0;
        let helps = problem.hint.as_deref().unwrap_or_default().contains(hint);
        if problem.code != code || !same_place || !problem.message.contains(message) || !helps {
            faults.push(format!("expected {code} at {place:?} with {message:?} and {hint:?}:\n{problem:?}\n{problems}"));
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults\n\n{}",
        faults.len(),
        faults.join("\n\n")
    );
}

#[test]
fn no_two_mistakes_have_the_same_message() {
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut same = Vec::new();
    for (_, marked, ..) in all() {
        let (text, _) = unmark(&marked);
        // What a file without content and the lack of a control plane look like has two spellings.
        if text.starts_with('#') {
            continue;
        }
        for problem in refused(&text) {
            if let Some(other) = seen.insert(problem.message.clone(), text.clone())
                && other != text
            {
                same.push(format!("{}\n{other}{text}", problem.message));
            }
        }
    }
    assert!(same.is_empty(), "{}", same.join("\n"));
}

#[test]
fn there_are_more_than_a_hundred_cases() {
    assert!(all().len() > 100, "{}", all().len());
}

#[test]
fn all_mistakes_of_a_file_are_reported_together_in_order() {
    let text = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: {name: Lab}
spec:
  kubernetes: {version: v1.12.0, podRnge: 10.0.0.0/8}
  network: {lan: 10.77.0.5/24}
  machines:
  - {name: one, roles: [contol-plane], address: 10.77.0.11}
  - {name: one, address: 10.77.0.11, ssh: {port: high, jump: nobody}}
  - {name: two, address: ::1, colour: red}
  time: {wait: 0}
  addons: [demo, nothing]
";
    let found: Vec<_> = refused(text)
        .into_iter()
        .map(|p| format!("{}:{} {}", p.line, p.column, p.code))
        .collect();
    assert_eq!(
        found,
        [
            "3:18 cluster-name",
            "5:25 unsupported-version",
            "5:34 unknown-key",
            "6:18 range-host-bits",
            "8:25 unknown-role",
            "9:12 duplicate-name",
            "9:26 duplicate-address",
            "9:50 wrong-type",
            "9:62 unknown-jump",
            "10:26 unusable-address",
            "10:31 unknown-key",
            "11:16 out-of-range",
            "12:18 unknown-addon",
        ]
    );
}

#[test]
fn one_mistake_in_the_router_hides_no_other() {
    let text = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: {name: lab}
spec:
  network: {lan: 10.77.0.0/24, lan6: \"fd00:77::/48\"}
  router:
    uplink: {address: 192.168.1.100/24, gateway: 192.168.7.1, wifi: {ssid: home, passwordFile: p, country: uk}}
    lan: {interface: wlan0, address: 10.77.1.1}
    dhcp: {pool: 10.77.0.10-10.77.0.50, reservations: [{mac: \"b8:27:eb:00:00:0a\", address: 10.77.0.20, name: one}]}
    vpn: {user: [anna]}
    firewall: {forwards: [{port: tcp/22, to: gate}, {port: tcp/80, to: nobody}]}
  machines:
  - {name: gate, roles: [router], address: 192.168.1.100}
  - {name: one, roles: [control-plane], address: 10.77.0.11}
  - {name: two, mac: \"b8:27:eb:00:00:0a\"}
";
    let codes = |text: &str| {
        let found = refused(text).into_iter();
        found
            .map(|p| format!("{} {}", p.line, p.code))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes(text),
        [
            "5 bad-lan6",
            "7 bad-gateway",
            "7 bad-country",
            "8 outside-router-lan",
            "9 reserved-twice",
            "9 address-in-pool",
            "9 name-taken",
            "10 unknown-key",
            "11 forward-to-router",
            "11 forward-to-nobody",
            "14 address-in-pool",
        ]
    );
    // Without a LAN, what doesn't need one is checked all the same.
    assert_eq!(
        codes(&text.replace("lan: 10.77.0.0/24, ", "")),
        [
            "5 bad-lan6",
            "7 bad-gateway",
            "7 bad-country",
            "9 reserved-twice",
            "9 name-taken",
            "10 unknown-key",
            "11 forward-to-nobody",
            "13 router-without-lan",
            "15 no-lan",
        ]
    );
}

#[test]
fn a_hook_at_an_unknown_step_is_refused_when_the_steps_are_known() {
    let (text, place) = unmark(&hook("after: «control-plane/int», check: x, run: y"));
    assert!(load("f", &text).is_ok());
    let context = Context {
        known_steps: &["base", "control-plane/init"],
    };
    let problems = load_with("f", &text, &context).unwrap_err();
    let [problem] = problems.list() else {
        panic!("{problems}")
    };
    assert_eq!(problem.code, "unknown-step");
    assert_eq!((problem.line, problem.column, problem.length), place);
    assert_eq!(
        problem.hint.as_deref(),
        Some("did you mean `control-plane/init`?")
    );
    let own = section(
        "hooks:\n  - {name: a, after: addon/shop, check: x, run: y}\n  addons: [{name: shop, manifests: x}]",
    );
    let problems = load_with("f", &own, &context).unwrap_err();
    assert_eq!(problems.list()[0].code, "step-without-machine");
}

#[test]
fn a_wrong_file_is_refused_fast() {
    // The first call makes the schema; what follows is the file's own cost.
    let mut text = machines("");
    for i in 2..200 {
        text.push_str(&format!(
            "  - {{name: Node{i}, address: 10.77.0.{i}, rolse: [worker]}}\n"
        ));
    }
    let _ = load("f", &text);
    let start = std::time::Instant::now();
    let problems = load("f", &text).unwrap_err();
    let took = start.elapsed();
    assert!(problems.list().len() > 390);
    // Generous, because tests share the machine; a single mistake takes well under a millisecond.
    assert!(took.as_millis() < 500, "{took:?}");
}

#[test]
fn anchors_aliases_and_merges_work() {
    let text = format!(
        "{HEAD}  machines:\n  - &first\n    name: one\n    roles: [control-plane]\n    address: 10.77.0.11\n    ssh: &login {{user: pi, port: 2222}}\n  - {{name: two, address: 10.77.0.12, ssh: *login}}\n  - {{<<: *first, name: three, address: 10.77.0.13, roles: [worker]}}\n"
    );
    let cluster = load("f", &text).unwrap_or_else(|p| panic!("{p}"));
    for machine in &cluster.machines {
        assert_eq!(
            (machine.ssh.user.as_str(), machine.ssh.port),
            ("pi", 2222),
            "{}",
            machine.name
        );
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..9 {
        let before = i - 1;
        text.push_str(&format!(
            "a{i}: &a{i} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n"
        ));
    }
    assert_eq!(refused(&text).last().unwrap().code, "file-too-large");
    let inside = refused("a: &a [*a]\n");
    assert_eq!(inside[0].code, "yaml-alias");
}

#[test]
fn a_large_file_is_refused_without_reading_it() {
    let text = "x".repeat(5 << 20);
    assert_eq!(refused(&text)[0].code, "file-too-large");
}
