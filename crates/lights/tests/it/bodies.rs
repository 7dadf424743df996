//! Bodies of webhooks, each as its sender writes it.

use crate::common::{Play, after, begin, fixture, folder, rules};
use bramble_lights::signal::{Input, Signal};
use bramble_lights::sources::{BadBody, alertmanager, kubewatch, runs};
use bramble_lights::{Lamp, Lights};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Each file, what its signals are (kind, namespace, name, reason, severity, lasting), what the lights are then.
type Row = (&'static str, &'static [Told], &'static str);
type Told = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
);

const POD: &str = "web-7d4b9c6f5-x2x7k";
const NODE: &str = "worker-3";

const ROWS: &[Row] = &[
    (
        "alertmanager-v4-firing.json",
        &[("Alert", "", NODE, "KubeNodeNotReady", "warning", true)],
        "yellow",
    ),
    (
        "alertmanager-v4-group-mixed.json",
        &[("Alert", "", NODE, "KubeNodeNotReady", "warning", true)],
        "yellow",
    ),
    ("alertmanager-v4-resolved.json", &[], "green"),
    (
        "alertmanager-v4-truncated.json",
        &[
            ("Alert", "", NODE, "KubeNodeNotReady", "warning", true),
            ("Alert", "", "", "Truncated", "warning", true),
        ],
        "yellow",
    ),
    (
        "alertmanager-v4-watchdog.json",
        &[("Alert", "", "", "Watchdog", "none", true)],
        "green",
    ),
    (
        "kubewatch-cloudevent-event-create.json",
        &[("Event", "default", POD, "BackOff", "warning", false)],
        "yellow",
    ),
    (
        "kubewatch-cloudevent-node-update-not-ready.json",
        &[
            ("Node", "", NODE, "Updated", "info", false),
            ("Node", "", NODE, "NotReady", "critical", true),
        ],
        "red",
    ),
    (
        "kubewatch-cloudevent-pod-create.json",
        &[("Pod", "default", POD, "Created", "info", false)],
        "green",
    ),
    (
        "kubewatch-cloudevent-pod-delete.json",
        &[("Pod", "default", POD, "Deleted", "info", false)],
        "green",
    ),
    (
        "kubewatch-cloudevent-pod-update.json",
        &[("Pod", "default", POD, "Updated", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-2020-backoff.json",
        &[("Pod", "default", POD, "BackOff", "warning", false)],
        "yellow",
    ),
    (
        "kubewatch-webhook-2020-node-not-ready.json",
        &[("Node", "", NODE, "NotReady", "critical", true)],
        "red",
    ),
    (
        "kubewatch-webhook-legacy-message.json",
        &[("pod", "default", POD, "Created", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-legacy-text-only-v0.0.4.json",
        &[("", "", "", "Message", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-legacy-text-only.json",
        &[("", "", "", "Message", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-node-created.json",
        &[("Node", "", NODE, "Created", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-pod-created.json",
        &[("Pod", "default", POD, "Created", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-pod-deleted.json",
        &[("Pod", "default", POD, "Deleted", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-pod-updated.json",
        &[("Pod", "default", POD, "Updated", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-v0.1-namespace.json",
        &[("namespace", "", "team-a", "Created", "info", false)],
        "green",
    ),
    (
        "kubewatch-webhook-v0.1-pod.json",
        &[("pod", "default", POD, "Created", "info", false)],
        "green",
    ),
];

fn inputs(name: &str, body: &[u8]) -> Vec<Input> {
    let inputs = match name.starts_with("alertmanager") {
        true => alertmanager::inputs(body, begin()),
        false => kubewatch::inputs(body, begin()),
    };
    inputs.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn signals(inputs: Vec<Input>) -> Vec<Signal> {
    let signals = inputs.into_iter().flat_map(|input| match input {
        Input::Signal(signal) => vec![signal],
        Input::Whole { signals, .. } => signals,
        _ => Vec::new(),
    });
    signals.collect()
}

#[test]
fn every_body_is_understood() {
    let Some(folder) = folder() else { return };
    for (name, expected, light) in ROWS {
        let body = fixture(name).unwrap();
        let all = signals(inputs(name, &body));
        let told: Vec<_> = all
            .iter()
            .map(|s| {
                let words = (&*s.kind, &*s.namespace, &*s.name);
                (
                    words.0,
                    words.1,
                    words.2,
                    &*s.reason,
                    &*s.severity,
                    s.lasting,
                )
            })
            .collect();
        assert_eq!(told, *expected, "{name}");
        let mut play = Play::new(rules());
        assert_eq!(play.post(0, name).unwrap().word(), *light, "{name}");
    }
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    there.sort();
    let known: Vec<_> = ROWS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(there, known, "a body without a test");
}

#[test]
fn an_alert_is_cleared_when_it_is_resolved() {
    let mut play = Play::new(rules());
    let Some(lights) = play.post(0, "alertmanager-v4-firing.json") else {
        return;
    };
    assert_eq!(lights.word(), "yellow");
    assert_eq!(lights.reasons[0].signal.text, "Node is not ready.");
    // The same again, hours later: nothing new.
    let again = play.post(7200, "alertmanager-v4-firing.json").unwrap();
    assert_eq!(again.reasons[0].since, lights.reasons[0].since);
    assert_eq!(again.reasons.len(), 1);
    let over = play.post(7300, "alertmanager-v4-resolved.json").unwrap();
    assert_eq!((over.word(), over.reasons.len()), ("green", 0));
}

/// An alert of a group, firing or resolved.
fn alert(name: &str, node: &str, severity: &str, firing: bool) -> Value {
    let mut hex = format!("{name}{node}");
    hex.truncate(16);
    json!({
        "status": if firing { "firing" } else { "resolved" },
        "labels": { "alertname": name, "node": node, "severity": severity },
        "annotations": {},
        "fingerprint": hex,
    })
}

fn group(alerts: &[Value], truncated: u64) -> Vec<u8> {
    let body = json!({ "version": "4", "groupKey": "{}:{}", "alerts": alerts, "truncatedAlerts": truncated });
    body.to_string().into_bytes()
}

fn post(play: &mut Play, seconds: i64, body: &[u8]) -> Lights {
    for input in alertmanager::inputs(body, after(seconds)).unwrap() {
        play.hear(seconds, input);
    }
    play.at(seconds)
}

#[test]
fn an_alert_that_left_its_group_unheard_goes_with_the_next_message() {
    let mut play = Play::new(rules());
    let (a, b) = (
        alert("A", "one", "critical", true),
        alert("B", "two", "warning", true),
    );
    assert_eq!(post(&mut play, 0, &group(&[a, b.clone()], 0)).word(), "red");
    // A was resolved while nobody listened.
    assert_eq!(
        post(&mut play, 60, &group(std::slice::from_ref(&b), 0)).word(),
        "yellow"
    );
    // With alerts left out nothing is known of those that aren't named.
    let c = alert("C", "three", "critical", true);
    assert_eq!(
        post(&mut play, 120, &group(&[b.clone(), c], 0)).word(),
        "red"
    );
    let lights = post(&mut play, 180, &group(std::slice::from_ref(&b), 5));
    assert_eq!((lights.word(), lights.reasons.len()), ("red", 3));
    // All named again: what stood for the others goes as well.
    let lights = post(&mut play, 240, &group(&[b], 0));
    assert_eq!((lights.word(), lights.reasons.len()), ("yellow", 1));
}

#[test]
fn old_senders_without_fingerprints_are_understood() {
    let mut play = Play::new(rules());
    let mut firing = alert("A", "one", "critical", true);
    firing.as_object_mut().unwrap().remove("fingerprint");
    let mut other = alert("A", "two", "critical", true);
    other.as_object_mut().unwrap().remove("fingerprint");
    let lights = post(
        &mut play,
        0,
        &json!({ "alerts": [firing, other] })
            .to_string()
            .into_bytes(),
    );
    assert_eq!(lights.reasons.len(), 2);
    firing["status"] = "resolved".into();
    let lights = post(
        &mut play,
        1,
        &json!({ "alerts": [firing] }).to_string().into_bytes(),
    );
    assert_eq!(lights.reasons.len(), 1);
    assert_eq!(lights.reasons[0].signal.name, "two");
}

#[test]
fn a_node_of_2020_gets_well_again() {
    let mut play = Play::new(rules());
    if play
        .post(0, "kubewatch-webhook-2020-node-not-ready.json")
        .is_none()
    {
        return;
    }
    assert_eq!(play.at(1).lamps.red, Lamp::Steady);
    let body = json!({ "eventmeta": { "kind": "NodeReady", "name": "worker-3.1898d6a1c0ffee77",
        "namespace": "default", "reason": "Created" }, "text": "x", "time": "2026-03-04T05:06:07Z" });
    for input in kubewatch::inputs(body.to_string().as_bytes(), after(2)).unwrap() {
        play.hear(2, input);
    }
    assert_eq!(play.at(2).word(), "green");
}

#[test]
fn a_pod_that_crashes_is_yellow_until_it_runs_or_is_gone() {
    let event = |operation: &str, waiting: Value| {
        let body = json!({ "specversion": "1.0", "type": "KUBERNETES_TOPOLOGY_CHANGE", "data": {
            "operation": operation, "kind": "Pod", "obj": {
                "metadata": { "name": "web", "namespace": "default" },
                "status": { "phase": "Running", "containerStatuses": [{ "state": waiting }] } } } });
        kubewatch::inputs(body.to_string().as_bytes(), begin()).unwrap()
    };
    let crash = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } });
    let runs = json!({ "running": {} });
    for end in [event("update", runs), event("delete", crash.clone())] {
        let mut play = Play::new(rules());
        for input in event("update", crash.clone()) {
            play.hear(0, input);
        }
        assert_eq!(play.at(0).reasons[0].signal.reason, "CrashLoopBackOff");
        assert_eq!(play.at(0).word(), "yellow");
        for input in end {
            play.hear(1, input);
        }
        assert_eq!(play.at(1).word(), "green");
    }
}

#[test]
fn a_run_shows_how_it_stands() {
    let mut play = Play::new(rules());
    let mut run = |seconds, standing, words| {
        play.hear(
            seconds,
            runs::last(runs::signal("home", standing, words, after(seconds))),
        )
    };
    let lights = run(0, runs::Standing::Running, "");
    assert_eq!((lights.word(), lights.lamps.green), ("green", Lamp::Blink));
    let lights = run(60, runs::Standing::Failed, "two: no answer");
    assert_eq!((lights.word(), lights.sound.is_some()), ("red", true));
    assert_eq!(lights.reasons[0].signal.text, "two: no answer");
    let lights = run(120, runs::Standing::Accepted, "");
    assert_eq!(
        (lights.word(), lights.reasons.len()),
        ("green", 1),
        "a later run takes its place"
    );
    assert_eq!(run(180, runs::Standing::Done, "").lamps.green, Lamp::Flash);
    assert_eq!(play.at(300).lamps.green, Lamp::Steady);
}

#[test]
fn a_run_that_failed_long_ago_is_no_news() {
    let mut play = Play::new(rules());
    let day = 24 * 3600;
    let input = runs::last(runs::signal("home", runs::Standing::Failed, "", after(0)));
    assert_eq!(play.hear(day, input).word(), "green");
}

#[test]
fn what_is_wrong_with_a_body_is_named() {
    for (body, message) in [
        (&b"nonsense"[..], "the body is no JSON: expected"),
        (b"", "the body is no JSON: EOF"),
        (b"[]", "`alerts`: a list of alerts is missing"),
        (
            br#"{"alerts":[{"status":"firing"}]}"#,
            "`alerts[0].labels.alertname`: an alert has a name",
        ),
        (
            br#"{"alerts":[{"labels":{"alertname":"A"}}]}"#,
            "`alerts[0].status`: neither firing nor resolved",
        ),
    ] {
        let error = alertmanager::inputs(body, begin()).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    for (body, message) in [
        (&b"null"[..], "`eventmeta`: missing"),
        (br#"{"eventmeta":{}}"#, "`eventmeta.kind`: missing"),
        (br#"{"specversion":"1.0"}"#, "`data`: missing"),
        (
            br#"{"specversion":"1.0","data":{"obj":{}}}"#,
            "`data.kind`: missing",
        ),
    ] {
        let error: BadBody = kubewatch::inputs(body, begin()).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn what_is_said_cannot_steer_a_terminal_or_fill_the_memory() {
    let long = "x".repeat(100_000);
    let body = json!({ "eventmeta": { "kind": "\u{1b}[2JPod", "name": long, "namespace": "\u{202e}a",
        "reason": "Created\n" }, "text": long });
    let all = signals(kubewatch::inputs(body.to_string().as_bytes(), begin()).unwrap());
    let [signal] = all.as_slice() else { panic!() };
    assert_eq!(signal.kind, " [2JPod");
    assert_eq!(
        (signal.namespace.as_str(), signal.reason.as_str()),
        (" a", "Created")
    );
    assert!(signal.name.len() <= 253 && signal.text.len() <= 200);
}

/// JSON that resembles bodies.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        prop_oneof![
            "firing",
            "resolved",
            "update",
            "Event",
            "Node",
            "[a-z/.*]{0,8}"
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let keys = prop_oneof![
            "alerts",
            "labels",
            "alertname",
            "status",
            "groupKey",
            "truncatedAlerts",
            "eventmeta",
            "kind",
            "data",
            "obj",
            "operation",
            "specversion",
            "metadata",
            "conditions",
            "text"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_is_too_odd(body in anything()) {
        let body = body.to_string();
        let mut play = Play::new(rules());
        for inputs in [
            alertmanager::inputs(body.as_bytes(), begin()),
            kubewatch::inputs(body.as_bytes(), begin()),
        ] {
            for input in inputs.into_iter().flatten() {
                play.hear(0, input);
            }
        }
    }
}
