//! `bramble button simulate` as a process, and what is in its way.

use crate::common::{Place, closed_port};
use crate::served::Served;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707\n";

/// A button that is pressed once; its settings are a file of that name.
fn press(place: &Place, name: &str, settings: &str, output: &str) -> Child {
    std::fs::write(place.path(name), settings).unwrap();
    let mut command = place.process(Place::program());
    command
        .args(["button", "simulate", "--settings", name, "--output", output])
        .args(["--press", "short", "--once"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// What a button said to both sides until it slept without a cluster.
fn ended(child: Child) -> (String, String) {
    let done = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(done.stdout), text(done.stderr));
    assert_eq!(done.status.code(), Some(1), "{out}{err}");
    (out, err)
}

/// The display says the same of most of them.
#[test]
fn what_is_in_the_way_is_told_apart_and_with_a_remedy() {
    let place = Place::new();
    let [port, closed] = [closed_port(), closed_port()];
    let mqtt = format!("--mqtt 127.0.0.1:{port}");
    let _daemon = Served::start(&place, "127.0.0.1:0", &mqtt);
    let other = bramble_keys::authority("Other").unwrap();
    std::fs::write(place.path("other.pem"), other.certificate).unwrap();
    std::fs::write(place.path("key"), KEY).unwrap();
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path("key"), mode).unwrap();

    let right = "data/tls/ca.pem";
    let cases = [
        (
            format!("127.0.0.1:{closed}"),
            right,
            format!("nobody listens at mqtts://127.0.0.1:{closed}"),
            "is the broker running",
        ),
        (
            format!("127.0.0.1:{port}"),
            "other.pem",
            format!(
                "the certificate of mqtts://127.0.0.1:{port} is not signed by the authority in other.pem"
            ),
            "tls/ca.pem",
        ),
        (
            format!("localhost:{port}"),
            right,
            format!(
                "the certificate of mqtts://localhost:{port} is not for the name localhost, but for 127.0.0.1"
            ),
            "serve --name",
        ),
        (
            format!("127.0.0.1:{port}"),
            right,
            format!("the broker mqtts://127.0.0.1:{port} refuses dash01"),
            "is dash01 registered",
        ),
    ];
    let settings = |at: &str, authority: &str| {
        format!("id: dash01\nkeyFile: key\nbroker: mqtts://{at}\nauthority: {authority}\n")
    };
    // All at once: each tries more than once before it sleeps.
    let begun: Vec<[Child; 2]> = (0..)
        .zip(&cases)
        .map(|(i, (at, authority, ..))| {
            let text = settings(at, authority);
            ["json", "text"].map(|form| press(&place, &format!("{i}.{form}.yaml"), &text, form))
        })
        .collect();
    for ((_, _, said, remedy), [in_json, in_text]) in cases.iter().zip(begun) {
        let (out, _) = ended(in_json);
        let lines = out
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok());
        let told: Vec<Value> = lines.filter(|line| line["trouble"].is_string()).collect();
        assert_eq!(told.len(), 1, "{out}");
        let [trouble, hint] = ["trouble", "hint"].map(|key| told[0][key].as_str().unwrap());
        assert!(trouble.starts_with(said.as_str()), "{trouble}");
        assert!(hint.contains(remedy), "{hint}");
        let (out, err) = ended(in_text);
        assert!(out.contains("MQTT connection"), "{out}");
        assert!(err.contains(said.as_str()) && err.contains(remedy), "{err}");
        assert!(!err.contains("chmod"), "{err}");
    }
}

#[test]
fn a_key_that_others_can_read_is_told() {
    let place = Place::new();
    std::fs::write(place.path("key"), KEY).unwrap();
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(place.path("key"), mode).unwrap();
    let settings = "id: dash01\nkeyFile: key\nbroker: mqtts://127.0.0.1:1\n";
    std::fs::write(place.path("b.yaml"), settings).unwrap();
    // Without a terminal it ends at once.
    let mut simulate = place.bramble("button simulate --settings b.yaml");
    let said = crate::common::err(&simulate.assert().code(2));
    assert!(said.contains("chmod 600 key"), "{said}");
}
