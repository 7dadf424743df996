//! The schema for editors agrees with what `load` says.

use crate::{examples, wrong};
use bramble_spec::{load, schema};
use serde_json::Value;

/// YAML as an editor reads it: with another reader than Bramble's own.
fn yaml(text: &str) -> Option<Value> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).ok()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
    assert_eq!(
        schema()["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema()["title"], "Bramble cluster file");
}

#[test]
fn the_examples_fit_the_schema() {
    let validator = validator();
    for name in ["minimal", "lab", "router", "full"] {
        let value = yaml(&examples::text(name)).unwrap();
        let faults: Vec<_> = validator
            .iter_errors(&value)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

/// What a schema can say, editors show while typing.
#[test]
fn what_the_shape_check_refuses_the_schema_refuses() {
    const OF_SCHEMA: [&str; 20] = [
        "missing-key",
        "unknown-key",
        "wrong-type",
        "no-value",
        "out-of-range",
        "empty-list",
        "duplicate-item",
        "unknown-role",
        "unknown-arch",
        "unknown-quirk",
        "unknown-plugin",
        "unknown-runtime",
        "unknown-hosts",
        "api-version",
        "kind",
        "bad-mac",
        "bad-host-key",
        "bad-shell",
        "bad-user",
        "unsupported-version",
    ];
    let validator = validator();
    let mut checked = 0;
    for (code, marked, ..) in wrong::all() {
        let (text, _) = wrong::unmark(&marked);
        let Some(value) = yaml(&text) else { continue };
        if OF_SCHEMA.contains(&code) {
            checked += 1;
            assert!(
                !validator.is_valid(&value),
                "{code} isn't refused by the schema:\n{text}"
            );
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn every_key_has_a_description() {
    fn walk(path: &str, value: &Value, bare: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map
                    .get("properties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                {
                    if inner.get("description").is_none() {
                        bare.push(format!("{path}/{name}"));
                    }
                }
                for (name, inner) in map {
                    walk(&format!("{path}/{name}"), inner, bare);
                }
            }
            Value::Array(items) => items.iter().for_each(|v| walk(path, v, bare)),
            _ => {}
        }
    }
    let mut bare = Vec::new();
    walk("", &schema(), &mut bare);
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn no_key_takes_null() {
    let text = examples::text("minimal") + "  time:\n";
    let problems = load("f", &text).unwrap_err();
    assert_eq!(problems.list()[0].code, "no-value");
    assert!(!validator().is_valid(&yaml(&text).unwrap()));
}
