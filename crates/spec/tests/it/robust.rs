//! No text makes `load` panic, and what it reports always points into the file.

use crate::{examples, wrong};
use bramble_spec::load;
use proptest::prelude::*;

fn sound(text: &str) -> Result<(), TestCaseError> {
    let Err(problems) = load("f", text) else {
        return Ok(());
    };
    prop_assert!(!problems.list().is_empty());
    let lines: Vec<&str> = text.lines().collect();
    for p in problems.list() {
        prop_assert!(p.line >= 1 && p.line <= lines.len().max(1), "{p:?}");
        prop_assert!(p.column >= 1 && p.length >= 1, "{p:?}");
        prop_assert!(p.hint.is_some(), "{p:?}");
        prop_assert!(!p.message.contains('\n') && p.code != "unreadable", "{p:?}");
    }
    prop_assert!(problems.render(true).contains("problem"));
    prop_assert!(!problems.render(false).contains('\x1b'));
    prop_assert!(serde_json::to_string(&problems).is_ok());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        sound(&text)?;
    }

    #[test]
    fn any_yaml_like_text(text in "([-?:,\\[\\]{}#&*!|>'\"%@ \t\na-c0-9<~]|\r\n|name: |- |spec:\n  |<<: )*") {
        sound(&text)?;
    }

    /// A valid file with a part cut out, doubled or overwritten.
    #[test]
    fn mutated_file(router in any::<bool>(), at in any::<prop::sample::Index>(), length in 0usize..40, with in "[-:\\[\\]{}#&*!|>'\" \ta-z0-9./\n]{0,12}") {
        let text = examples::text(if router { "router" } else { "full" });
        let chars: Vec<char> = text.chars().collect();
        let start = at.index(chars.len());
        let end = (start + length).min(chars.len());
        let mutated: String = chars[..start].iter().copied().chain(with.chars()).chain(chars[end..].iter().copied()).collect();
        sound(&mutated)?;
    }

    /// Two different mistakes in one file.
    #[test]
    fn mutated_wrong_file(case in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "[-:\\[\\]{}#&*!'\" a-z0-9\n]{1,6}") {
        let all = wrong::all();
        let (text, _) = wrong::unmark(&all[case.index(all.len())].1);
        let chars: Vec<char> = text.chars().collect();
        let start = if chars.is_empty() { 0 } else { at.index(chars.len()) };
        let mutated: String = chars[..start].iter().copied().chain(with.chars()).chain(chars[start..].iter().copied()).collect();
        sound(&mutated)?;
    }
}

#[test]
fn texts_that_once_went_wrong() {
    for text in [
        "?\r\n",
        "\u{feff}",
        "a:\r  - b\r",
        "&a",
        "- &a *a",
        "<<: *x",
        "? [a]\n: b",
        "spec: {? }",
    ] {
        sound(text).unwrap();
    }
}

/// One scalar of the full example replaced by something of another kind, each in turn.
#[test]
fn every_value_replaced() {
    let text = examples::text("full");
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let Some((key, _)) = line
            .split_once(": ")
            .filter(|_| !line.trim_start().starts_with('#'))
        else {
            continue;
        };
        for value in [
            "",
            "5",
            "-1",
            "text",
            "[]",
            "{}",
            "true",
            "\"\"",
            "99999999999999999999",
            "[[a]]",
            "{a: {b: c}}",
            "\u{202e}x",
        ] {
            let mut changed: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            changed[i] = format!("{key}: {value}");
            sound(&changed.join("\n")).unwrap();
        }
    }
}
