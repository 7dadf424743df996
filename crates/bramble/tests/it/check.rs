//! `check`, and reading files in general.

use crate::common::{GOOD, Place, err, json, out};

#[test]
fn a_right_file_is_summed_up() {
    let place = Place::with(GOOD);
    let text = out(&place.bramble("check").assert().success());
    for part in [
        "cluster home",
        "v1.34.2",
        "2 machines",
        "192.168.1.12",
        "control-plane",
        "10.244.11.0/24",
        "10.96.0.0/16",
        "demo",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn with_a_router_it_says_who_is_reached_how_and_what_guests_get() {
    let file = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {name: home}\nspec:\n  network: {lan: 10.77.0.0/24}\n  router: {vpn: {users: []}}\n  machines:\n  - {name: gate, roles: [router], address: 192.168.1.100}\n  - {name: one, roles: [control-plane], mac: \"b8:27:eb:00:00:01\"}\n";
    let place = Place::with(file);
    let assert = place.bramble("check").assert().success();
    let text = out(&assert);
    // Nobody elsewhere finds a private address.
    let said = err(&assert);
    assert!(
        said.contains("note: VPN profiles name 192.168.1.100") && said.contains("router.vpn.host"),
        "{said}"
    );
    let words: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for line in [
        "guests 10.77.0.192-10.77.0.250",
        "WireGuard 10.8.0.0/24",
        "gate 10.77.0.1 router at 192.168.1.100",
        "one 10.77.0.101 control-plane pods 10.244.101.0/24 through gate",
    ] {
        let line: Vec<&str> = line.split(' ').collect();
        assert!(words.contains(&line), "{text}");
    }
    let value = json(&place.bramble("check --output json").assert().success());
    assert_eq!(value["network"]["guests"], "10.77.0.192-10.77.0.250");
    assert_eq!(value["machines"][0]["ssh"]["host"], "192.168.1.100");
    assert_eq!(value["machines"][1]["ssh"]["jump"], "gate");
    assert_eq!(value["notes"].as_array().map(Vec::len), Some(1), "{value}");
}

#[test]
fn the_summary_is_json_when_asked_for() {
    let place = Place::with(GOOD);
    let value = json(&place.bramble("check --output json").assert().success());
    assert_eq!(value["cluster"], "home");
    assert_eq!(value["kubernetes"], "v1.34.2");
    assert_eq!(value["machines"][1]["name"], "two");
    assert_eq!(value["machines"][1]["podRange"], "10.244.12.0/24");
    assert_eq!(value["network"]["services"], "10.96.0.0/16");
    assert_eq!(
        value["demoPages"],
        serde_json::json!(["http://192.168.1.11:30080/", "http://192.168.1.12:30080/"])
    );
}

/// Two mistakes at once: both are reported.
fn wrong() -> String {
    GOOD.replace("192.168.1.12", "192.168.1.11")
        .replace("addons:", "adons:")
}

#[test]
fn all_mistakes_are_said_with_their_places() {
    let place = Place::with(&wrong());
    let text = err(&place.bramble("check").assert().code(2).stdout(""));
    assert!(text.contains("bramble.yaml:9:3"), "{text}");
    assert!(
        text.contains("did you mean") || text.contains("addons"),
        "{text}"
    );
    assert!(text.contains("192.168.1.11"), "{text}");
    assert!(text.contains("2 problems"), "{text}");
}

#[test]
fn mistakes_are_json_when_asked_for() {
    let place = Place::with(&wrong());
    let value = json(&place.bramble("check --output json").assert().code(2));
    let problems = value["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{value}");
    assert!(
        problems
            .iter()
            .all(|p| p["line"].as_u64() > Some(0) && p["message"].is_string())
    );
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let place = Place::new();
    std::fs::write(place.path("other.yaml"), GOOD).unwrap();
    place
        .bramble("check")
        .env("BRAMBLE_FILE", "other.yaml")
        .assert()
        .success();
}

#[test]
fn a_file_that_is_no_text_is_said_so() {
    let place = Place::new();
    std::fs::write(place.path("bramble.yaml"), b"a: \xff\xfe").unwrap();
    let text = err(&place.bramble("check").assert().code(2));
    assert!(text.contains("byte 3 is not UTF-8"), "{text}");
}
