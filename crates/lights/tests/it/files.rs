//! The table as a file: defaults, mistakes, schema.

use crate::common::{begin, rules, rules_of};
use bramble_lights::board::{Board, Pin};
use bramble_lights::button::{Action, Verb};
use bramble_lights::file::{DEFAULT, load, schema};
use bramble_lights::rules::{Beep, Color};
use bramble_lights::signal::{Signal, Source};
use serde_json::Value;

#[test]
fn the_default_table_is_sensible() {
    let rules = rules();
    let light = |source, kind, reason, namespace, severity| {
        let signal = Signal::passing(source, kind, reason, begin());
        let signal = signal.of(namespace, "x").severity(severity);
        let rule = rules.find(&signal)?;
        Some((rule.show?.color, rule.beep))
    };
    use Source::*;
    for (source, kind, reason, namespace, severity, expected) in [
        (
            Bramble,
            "Run",
            "Failed",
            "",
            "critical",
            Some((Color::Red, Beep::Once)),
        ),
        (
            Bramble,
            "Run",
            "Running",
            "",
            "info",
            Some((Color::Green, Beep::Never)),
        ),
        (
            Alertmanager,
            "Alert",
            "Down",
            "",
            "critical",
            Some((Color::Red, Beep::Repeat)),
        ),
        (
            Alertmanager,
            "Alert",
            "Slow",
            "",
            "warning",
            Some((Color::Yellow, Beep::Never)),
        ),
        (Alertmanager, "Alert", "Note", "", "info", None),
        (Alertmanager, "Alert", "Watchdog", "", "critical", None),
        (
            Watch,
            "Node",
            "NotReady",
            "",
            "critical",
            Some((Color::Red, Beep::Once)),
        ),
        (
            Kubewatch,
            "node",
            "notready",
            "",
            "critical",
            Some((Color::Red, Beep::Once)),
        ),
        (
            Watch,
            "Node",
            "DiskPressure",
            "",
            "warning",
            Some((Color::Yellow, Beep::Never)),
        ),
        (
            Watch,
            "Pod",
            "CrashLoopBackOff",
            "kube-system",
            "warning",
            Some((Color::Red, Beep::Once)),
        ),
        (
            Watch,
            "Pod",
            "CrashLoopBackOff",
            "default",
            "warning",
            Some((Color::Yellow, Beep::Never)),
        ),
        (
            Watch,
            "Event",
            "FailedMount",
            "default",
            "warning",
            Some((Color::Yellow, Beep::Never)),
        ),
        (
            Kubewatch,
            "Pod",
            "Created",
            "default",
            "info",
            Some((Color::Green, Beep::Never)),
        ),
        (Kubewatch, "Pod", "Updated", "default", "info", None),
    ] {
        let found = light(source, kind, reason, namespace, severity);
        assert_eq!(found, expected, "{kind} {reason} {namespace} {severity}");
    }
    assert_eq!(rules.board, Board::default());
    let lines: Vec<u32> = rules.board.outputs().map(|pin| pin.line).collect();
    assert_eq!(lines, [17, 27, 22, 23, 24, 25, 5, 6, 13, 16, 20, 21, 18]);
}

#[test]
fn own_rules_come_before_the_defaults() {
    let own = "rules: [{ kind: Node, light: none }]\n";
    let both = rules_of(own);
    assert_eq!(both.table.len(), rules().table.len() + 1);
    assert_eq!(both.table[0].show, None);
    assert_eq!(both.alive, rules().alive);
    let alone = rules_of(&format!("{own}defaults: false\nalive: []\n"));
    assert_eq!((alone.table.len(), alone.alive.len()), (1, 0));
}

#[test]
fn a_board_of_ones_own() {
    let rules = rules_of(
        "board:
  chip: /dev/gpiochip4
  heads: [{ red: 1, yellow: { line: 2, activeLow: true }, green: 3 }]
  button: { line: 7, activeLow: false, debounce: 5 }
button: { press: [show, run up home], hold: [run down home] }
",
    );
    assert_eq!(rules.board.heads[0].yellow, Pin::low(2));
    assert_eq!(
        rules.board.buzzer, None,
        "another board has no beeper of the PiTraffic"
    );
    assert_eq!(rules.board.button.unwrap().pin, Pin::high(7));
    let up = Action::Run(Verb::Up, "home".into());
    assert_eq!(rules.button.press, [Action::Show, up]);
    assert_eq!(rules.button.hold, [Action::Run(Verb::Down, "home".into())]);
}

/// A line that is wrong, and what is said: place, cause, remedy.
const WRONG: &[(&str, &[&str])] = &[
    (
        "rules: [{ kind: Node, light: rd }]",
        &[
            "lights.yaml:3:",
            "unknown value `rd` in `rules[0].light`",
            "did you mean `red`?",
        ],
    ),
    (
        "rules: [{ kynd: Node, light: red }]",
        &["unknown key `kynd` in `rules[0]`", "did you mean `kind`?"],
    ),
    (
        "rules: [{ kind: Node }]",
        &["`rules[0]` has no `light`", "The lamp: red"],
    ),
    (
        "rules: [{ light: red, for: 5 minutes }]",
        &["`rules[0].for` is no length of time", "90s, 5m, 1h, 7d"],
    ),
    (
        "rules: [{ light: none, beep: once }]",
        &["`rules[0].beep` has no effect without a light"],
    ),
    (
        "rules: [{ source: grafana, light: red }]",
        &[
            "`rules[0].source` fits no source",
            "watch, kubewatch, alertmanager, bramble",
        ],
    ),
    (
        "alive: [{ source: watch, within: 0s }]",
        &["`alive[0].within` is no length of time"],
    ),
    (
        "alive: [{ source: watch, within: 1s }, { source: watch, within: 2s }]",
        &["`alive[1]` stands here a second time"],
    ),
    (
        "most: 3",
        &["`most` can't be 3", "use a number from 10 to 100000"],
    ),
    (
        "button: { press: [reboot] }",
        &["`button.press[0]` is no action", "acknowledge, self-test"],
    ),
    (
        "button: { press: [run down home] }",
        &[
            "`button.press[0]` takes a cluster down",
            "put it under `hold`",
        ],
    ),
    (
        "board: { heads: [{ red: 1, yellow: 2, green: 1 }] }",
        &["`board` uses line 1 twice"],
    ),
    (
        "board: { heads: [{ red: one, yellow: 2, green: 3 }] }",
        &["`board.heads[0].red` takes a whole number or a section with keys"],
    ),
];

#[test]
fn mistakes_are_named_with_place_and_remedy() {
    let head = "apiVersion: bramble.dev/v1alpha1\nkind: Lights\n";
    for (line, words) in WRONG {
        let said = load("lights.yaml", &format!("{head}{line}\n"))
            .unwrap_err()
            .to_string();
        assert!(said.contains("lights.yaml:3:"), "{line}: {said}");
        for word in *words {
            assert!(said.contains(word), "{line}: {said}");
        }
    }
    let other = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\n";
    let said = load("x", other).unwrap_err().to_string();
    assert!(said.contains("`kind` is that of another file"), "{said}");
    let said = load("x", "rules: []").unwrap_err().to_string();
    assert!(said.contains("add the line `kind: Lights`"), "{said}");
    let two = format!(
        "{head}rules: [{{ light: red, for: x }}]\nmost: 20\nalive: [{{ source: watch, within: y }}]\n"
    );
    assert_eq!(load("x", &two).unwrap_err().list().len(), 2, "all at once");
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{ "apiVersion": "bramble.dev/v1alpha1", "kind": "Lights", "defaults": false,
        "rules": [{ "reason": ["A", "B*"], "light": "yellow", "pattern": "blink" }] }"#;
    assert_eq!(load("x", text).unwrap().table.len(), 1);
}

#[test]
fn the_schema_accepts_the_default_and_refuses_nonsense() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let default = bramble_spec::Document::<Value>::read("x", DEFAULT, &Value::Bool(true));
    assert!(validator.is_valid(&default.unwrap().it));
    let wrong =
        serde_json::json!({ "apiVersion": "bramble.dev/v1alpha1", "kind": "Lights", "x": 1 });
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn the_examples_of_the_chapter_are_right() {
    let chapter = include_str!("../../../../docs/lights.md");
    let blocks = chapter.split("```yaml\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|b| b.split("```").next()).collect();
    let ours = |block: &&&str| !block.contains("webhook_configs");
    let ours: Vec<&str> = blocks.iter().filter(ours).copied().collect();
    assert_eq!(ours.len(), 2, "rules and a board");
    for block in ours {
        let head = "apiVersion: bramble.dev/v1alpha1\nkind: Lights\n";
        let text = match block.contains("kind: Lights") {
            true => block.to_owned(),
            false => format!("{head}{block}"),
        };
        load("docs/lights.md", &text).unwrap_or_else(|problems| panic!("{problems}"));
    }
}
