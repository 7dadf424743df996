//! Help of every command, wrong use, closed pipes.

use crate::common::{GOOD, Place, err, json, out};
use std::process::Stdio;

/// Words of every command, the main one first, read from the help itself.
pub fn commands(place: &Place) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut open = vec![String::new()];
    while let Some(parent) = open.pop() {
        let help = out(&place
            .bramble(&format!("{parent} --help"))
            .assert()
            .success());
        let below = help.split("\nCommands:\n").nth(1).unwrap_or_default();
        let names = below.lines().take_while(|l| !l.is_empty());
        for name in names.filter_map(|l| l.strip_prefix("  ")?.split_whitespace().next()) {
            let command = format!("{parent} {name}").trim().to_owned();
            all.push(command.clone());
            open.push(command);
        }
    }
    all.sort();
    all
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    let all = commands(&place);
    assert!(all.len() > 25, "{all:?}");
    for command in all {
        let help = out(&place
            .bramble(&format!("{command} --help"))
            .assert()
            .success());
        assert!(help.contains("Example"), "{command}: no example in\n{help}");
        assert!(
            help.contains(&format!("bramble {command}")),
            "{command}: shows itself\n{help}"
        );
    }
}

#[test]
fn wrong_use_ends_with_two() {
    let place = Place::with(GOOD);
    for wrong in [
        "",
        "nonsense",
        "plan --nonsense",
        "logs",
        "check -f absent.yaml",
        "logs twoo",
        "fleet ping --machine x",
    ] {
        place.bramble(wrong).assert().code(2);
    }
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let place = Place::new();
    let text = err(&place.bramble("check").assert().code(2));
    assert!(
        text.contains("bramble.yaml") && text.contains("bramble init"),
        "{text}"
    );
}

#[test]
fn a_mistyped_machine_is_guessed() {
    let place = Place::with(GOOD);
    for command in [
        "logs tow",
        "ssh tow",
        "unlock tow",
        "fleet ping --machine tow",
    ] {
        let text = err(&place.bramble(command).assert().code(2));
        assert!(text.contains("did you mean two?"), "{command}: {text}");
    }
    let text = err(&place.bramble("ssh gateway").assert().code(2));
    assert!(text.contains("machines are: one, two"), "{text}");
}

#[test]
fn errors_are_json_when_asked_for() {
    let place = Place::with(GOOD);
    let value = json(&place.bramble("logs tow --output json").assert().code(2));
    assert_eq!(value["exitCode"], 2);
    assert!(value["error"].as_str().unwrap().contains("tow"), "{value}");
    assert_eq!(value["hints"][0], "did you mean two?");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::with(GOOD);
    for arguments in [
        &["completions", "bash"][..],
        &["schema"],
        &["steps"],
        &["man"],
        &["--help"],
    ] {
        let mut child = place
            .process(Place::program())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "{arguments:?}: {} {said}",
            done.status
        );
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn no_colors_where_nobody_sees_them() {
    let place = Place::with(GOOD);
    for arguments in ["check", "steps", "logs tow", "--help"] {
        let assert = place.bramble(arguments).assert();
        let text = out(&assert) + &err(&assert);
        assert!(!text.contains('\x1b'), "{arguments}: {text:?}");
    }
}
