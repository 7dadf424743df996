//! What is made from the types: completions, man pages, schema, the reference in the documentation.

use crate::common::{Place, json, out};
use crate::help::commands;
use std::path::Path;

#[test]
fn completions_know_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&place
            .bramble(&format!("completions {shell}"))
            .assert()
            .success());
        assert!(
            script.contains("kubeconfig") && script.contains("check-ip"),
            "{shell}"
        );
    }
}

#[test]
fn bash_takes_its_completions() {
    let place = Place::new();
    let script = place.bramble("completions bash").assert().success();
    std::fs::write(place.path("c.bash"), out(&script)).unwrap();
    match place.process("bash").args(["-n", "c.bash"]).status() {
        Ok(status) => assert!(status.success()),
        Err(_) => eprintln!("skipped: bash is absent"),
    }
}

#[test]
fn every_command_has_a_man_page() {
    let place = Place::new();
    let value = json(
        &place
            .bramble("man --dir pages --output json")
            .assert()
            .success(),
    );
    let all = commands(&place);
    assert_eq!(value["pages"].as_array().unwrap().len(), all.len());
    for command in all {
        let name = format!("bramble {command}").trim().replace(' ', "-");
        let page = place.read(&format!("pages/{name}.1"));
        assert!(page.contains(".TH") && page.contains(".SH"), "{name}");
    }
    let page = out(&place.bramble("man").assert().success());
    assert_eq!(page, place.read("pages/bramble.1"));
}

#[test]
fn the_schema_is_the_librarys() {
    let place = Place::new();
    assert_eq!(
        json(&place.bramble("schema").assert().success()),
        bramble_spec::schema()
    );
}

#[test]
fn the_steps_are_the_blueprints() {
    let place = Place::new();
    let value = json(&place.bramble("steps --output json").assert().success());
    let names: Vec<&str> = value
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["name"].as_str())
        .collect();
    let expected: Vec<&str> = bramble_blueprint::step_names()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, expected);
    let text = out(&place.bramble("steps").assert().success());
    assert!(expected.iter().all(|name| text.contains(name)), "{text}");
}

/// `UPDATE=1 cargo test -p bramble reference` writes it anew.
#[test]
fn the_reference_is_what_the_help_says() {
    let place = Place::new();
    let mut text = String::from(
        "# Commands\n\nMade from the program's own help by its tests (`UPDATE=1 cargo test -p bramble`); not to be edited.\n",
    );
    for command in commands(&place) {
        let help = out(&place
            .bramble(&format!("{command} --help"))
            .assert()
            .success());
        let title = format!("bramble {command}");
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        text.push_str(&format!(
            "\n## {}\n\n```text\n{}\n```\n",
            title.trim(),
            help.join("\n").trim()
        ));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(
        written == text,
        "docs/reference/cli.md is old ({differs:?}): run with UPDATE=1"
    );
}
