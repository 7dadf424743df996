//! Every program of a blueprint is one that a POSIX shell reads, and shellcheck has nothing against.

use crate::setup::{Setup, container, example, skip};
use bramble_machine::{Facts, Observation};
use std::collections::BTreeSet;
use std::process::Command;

/// What is meant: SC1091 files of the machine; SC2154/SC2034 variables of the prelude and of facts;
/// SC2016 texts that others expand; SC2046/SC2086 words that are split on purpose; SC2015 `a && b || c`
/// where b can't fail; SC2013 words that hold no blanks; SC2043 a list of one; SC3043 none.
const MEANT: &str = "SC1091,SC2154,SC2034,SC2016,SC2046,SC2086,SC2015,SC2013,SC2043,SC2089,SC2090,SC2119,SC2120,SC2317,SC2329";

fn programs() -> BTreeSet<String> {
    let seen = Observation::default();
    let mut out = BTreeSet::new();
    for file in ["lab.yaml", "full.yaml", "minimal.yaml"] {
        for facts in [Facts::default(), container()] {
            let setup = Setup::new(example(file)).on_all(&facts);
            let blueprint = setup.blueprint();
            let steps = blueprint.machines.values().flat_map(|m| &m.steps);
            for resource in steps.flat_map(|s| &s.resources) {
                let Ok(Some(change)) = resource.plan(&seen) else {
                    continue;
                };
                out.insert(change.apply.as_str().to_owned());
                out.insert(change.undo.script().as_str().to_owned());
            }
            for fact in blueprint.facts.values() {
                out.insert(fact.program.as_str().to_owned());
                out.insert(fact.release.as_str().to_owned());
            }
        }
    }
    out.retain(|text| !text.trim().is_empty());
    out
}

#[test]
fn programs_pass_shellcheck() {
    if Command::new("shellcheck")
        .arg("--version")
        .output()
        .is_err()
    {
        return skip("shellcheck is absent");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let all = programs();
    assert!(all.len() > 100, "only {}", all.len());
    let files: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let path = dir.path().join(format!("{i}.sh"));
            // As they run: in a function, where `return` ends them.
            std::fs::write(&path, format!("part() {{ :\n{text}\n}}\npart\n")).expect("written");
            path
        })
        .collect();
    let out = Command::new("shellcheck")
        .args(["-s", "sh", "-e", MEANT])
        .args(&files)
        .output()
        .expect("shellcheck");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stdout)
    );
}

#[test]
fn a_posix_shell_reads_them() {
    for text in programs() {
        let out = Command::new("sh")
            .args(["-n", "-c", &text])
            .output()
            .expect("sh");
        assert!(
            out.status.success(),
            "{}\n{text}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}
