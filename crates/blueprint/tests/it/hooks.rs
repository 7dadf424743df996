//! Where hooks run, and the names that they may use.

use crate::setup::{Setup, cluster, example};
use bramble_blueprint::{hook_points, step_names};
use bramble_machine::{Observation, Query, Resource, probe};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

fn hooks(list: &str) -> Setup {
    Setup::new(cluster(&format!("  hooks:\n{list}")))
}

fn hook(name: &str, at: &str) -> String {
    format!("    - {{ name: {name}, {at}, check: 'false', run: 'true' }}\n")
}

#[test]
fn hooks_stand_around_their_step_in_the_files_order() {
    let setup = hooks(
        &(hook("a", "before: time")
            + &hook("b", "before: time")
            + &hook("c", "after: time")
            + &hook("d", "after: time")),
    );
    let ids = setup.ids("two", "time");
    let (first, last) = (&ids[..2], &ids[ids.len() - 2..]);
    assert_eq!(first, ["action:hook-a", "action:hook-b"]);
    assert_eq!(last, ["action:hook-c", "action:hook-d"]);
}

/// `base` is everything from the first to the last of `base/...`.
#[test]
fn a_group_of_steps_takes_hooks() {
    let setup = hooks(&(hook("a", "before: base") + &hook("z", "after: base")));
    // Before the package archive is asked, too: the hook may be what makes it reachable.
    assert_eq!(
        setup.ids("two", "base/packages")[..2],
        ["action:hook-a", "reach:packages"]
    );
    assert_eq!(
        setup.ids("two", "base/hosts").last().map(String::as_str),
        Some("action:hook-z")
    );
    let count = |id: &str| {
        let blueprint = setup.blueprint();
        let all = blueprint
            .machines
            .values()
            .flat_map(|m| &m.steps)
            .flat_map(|s| &s.resources);
        all.filter(|r| r.id() == id).count()
    };
    assert_eq!((count("action:hook-a"), count("action:hook-z")), (3, 3));
}

#[test]
fn hooks_keep_to_their_machines() {
    let setup =
        hooks("    - { name: a, after: time, machines: [two], check: 'false', run: 'true' }\n");
    assert!(
        setup
            .ids("two", "time")
            .contains(&"action:hook-a".to_owned())
    );
    assert!(
        !setup
            .ids("three", "time")
            .contains(&"action:hook-a".to_owned())
    );
}

#[test]
fn a_hook_that_never_runs_is_remarked() {
    let setup = hooks(&(hook("a", "after: pod-network/custom") + &hook("b", "after: time")));
    let remarks = setup.blueprint().remarks;
    let idle: Vec<&String> = remarks
        .iter()
        .filter(|r| r.contains("never runs"))
        .collect();
    assert_eq!(idle.len(), 1, "{remarks:?}");
    assert!(idle[0].contains("hook a never runs") && idle[0].contains("pod-network/custom"));
}

#[test]
fn names_for_hooks_are_those_of_steps_and_their_groups() {
    let points = hook_points();
    let unique: BTreeSet<&str> = points.iter().copied().collect();
    assert_eq!(points.len(), unique.len());
    let mut seen = BTreeSet::new();
    for file in ["lab.yaml", "full.yaml", "minimal.yaml"] {
        let setup = Setup::new(example(file));
        let known = bramble_spec::Context {
            known_steps: &points,
        };
        let path = format!("{}/../../examples/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("an example");
        assert!(
            bramble_spec::load_with(file, &text, &known).is_ok(),
            "{file} names a step that is none"
        );
        for machine in setup.blueprint().machines.values() {
            seen.extend(machine.steps.iter().map(|s| s.name));
        }
    }
    let steps: BTreeSet<&str> = step_names().map(|(name, _)| name).collect();
    for name in &seen {
        assert!(
            unique.contains(name) && steps.contains(name),
            "{name} has no title"
        );
    }
    for point in &points {
        let begins = |step: &&str| *step == *point || step.starts_with(&format!("{point}/"));
        assert!(steps.iter().any(begins), "{point} is no step");
    }
}

#[test]
fn titles_are_one_line_and_differ() {
    let titles: Vec<&str> = step_names().map(|(_, title)| title).collect();
    for title in &titles {
        assert!(
            (5..=60).contains(&title.len()) && !title.ends_with('.'),
            "{title}"
        );
    }
    assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), titles.len());
}

/// What the machine says to the look that a hook asks for.
fn look(hook: &dyn Resource) -> (String, Observation) {
    const NONCE: &str = "@hook";
    let mut seen = Observation::default();
    let queries: BTreeSet<Query> = hook.wants(&seen).into_iter().collect();
    let program = probe::program(&queries, NONCE, false);
    let out = Command::new("sh").args(["-c", &program]).output();
    let said = String::from_utf8_lossy(&out.expect("sh").stdout).into_owned();
    probe::read(&said, &queries, NONCE, &mut seen).expect("a whole answer");
    (program, seen)
}

fn only_hook(check: &str, run: &str, undo: &str) -> Arc<dyn Resource> {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let setup = hooks(&format!(
        "    - {{ name: a, before: time, machines: [two], check: {}, run: {}, undo: {} }}\n",
        quote(check),
        quote(run),
        quote(undo)
    ));
    setup.step("two", "time").remove(0)
}

/// Programs that no shell reads are the hook's own trouble.
#[test]
fn a_hook_that_is_no_program_breaks_nothing_else() {
    for broken in [
        "if [", "echo 'it", "cat <<X", "}", ") )", "exit 3", "echo \\",
    ] {
        let hook = only_hook(broken, broken, broken);
        let (program, seen) = look(hook.as_ref());
        let reads = |text: &str| {
            let out = Command::new("sh").args(["-n", "-c", text]).output();
            out.expect("sh").status.success()
        };
        assert!(reads(&program), "{program}");
        if broken.starts_with("cat") || broken.starts_with("echo \\") {
            // Shells take the end of the program for the end of what is open.
            continue;
        }
        let change = hook.plan(&seen).expect("a plan");
        let change = change.unwrap_or_else(|| panic!("{broken} is taken for done"));
        for part in [&change.apply, &change.undo.script()] {
            let all = format!(
                "part() {{ :\n{}}}\n( set -e; part )\necho $?\n",
                part.as_str()
            );
            let out = Command::new("sh").args(["-c", &all]).output().expect("sh");
            let said = String::from_utf8_lossy(&out.stdout).into_owned();
            let code = said.trim().parse::<i32>();
            assert!(code.is_ok_and(|c| c != 0), "{broken}: {said}");
        }
    }
}

#[test]
fn a_hook_ends_at_its_first_command_that_fails() {
    let hook = only_hook(
        "true",
        "echo \"it's one\"\nfalse\necho two",
        "echo undone\nfalse\necho more",
    );
    let (_, seen) = look(hook.as_ref());
    assert!(hook.plan(&seen).expect("a plan").is_none());
    let hook = hook.plan(&Observation::default()).expect("a plan");
    let change = hook.expect("a change");
    for (part, expected) in [
        (change.apply, "it's one\n1\n"),
        (change.undo.script(), "undone\n1\n"),
    ] {
        let all = format!(
            "part() {{ :\n{}}}\n( set -e; part )\necho $?\n",
            part.as_str()
        );
        let out = Command::new("sh").args(["-c", &all]).output().expect("sh");
        assert_eq!(String::from_utf8_lossy(&out.stdout), expected);
    }
}
