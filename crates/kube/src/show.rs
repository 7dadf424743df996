//! Objects as text for people: sorted YAML, differences, short summaries, Secrets masked.

use serde_json::{Map, Value};

/// Fields of `metadata` that the server writes.
const SERVER_METADATA: [&str; 7] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
];
/// What the server counts on its own whenever a template changes.
const SERVER_ANNOTATIONS: [&str; 2] = [
    "deprecated.daemonset.template.generation",
    "deployment.kubernetes.io/revision",
];
/// kubectl keeps a copy of the whole object here, values of Secrets included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The object without what the server writes, so that two states can be compared.
pub(crate) fn essence(object: &Value) -> Value {
    let mut object = object.clone();
    let secret = is_secret(&object);
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in SERVER_METADATA {
            metadata.remove(name);
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            for name in SERVER_ANNOTATIONS {
                annotations.remove(name);
            }
            if secret {
                annotations.remove(LAST_APPLIED);
            }
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    sorted(&object)
}

fn is_secret(object: &Value) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("Secret")
}

/// With keys in order at every level.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let pairs = keys.into_iter().map(|k| (k.clone(), sorted(&map[k])));
            Value::Object(pairs.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// Unified difference of two states of an object (`Null` = not there), values of Secrets masked.
pub(crate) fn difference(old: &Value, new: &Value) -> String {
    let (old, new) = masked(&essence(old), &essence(new));
    bramble_machine::resource::text_diff(&yaml(&old), &yaml(&new))
}

/// Replaces the values of Secrets by stars that still say which one differs.
fn masked(old: &Value, new: &Value) -> (Value, Value) {
    let (mut left, mut right) = (old.clone(), new.clone());
    for field in ["data", "stringData"] {
        for (mine, other, word) in [(&mut left, new, "***"), (&mut right, old, "*** (new)")] {
            if !is_secret(mine) {
                continue;
            }
            let Some(values) = mine.get_mut(field).and_then(Value::as_object_mut) else {
                continue;
            };
            for (key, value) in values.iter_mut() {
                let same = other.get(field).and_then(|data| data.get(key)) == Some(value);
                *value = Value::from(if same { "***" } else { word });
            }
        }
    }
    (left, right)
}

fn yaml(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    let options = serde_saphyr::ser_options! {
        folded_wrap_chars: 100_000,
    };
    serde_saphyr::to_string_with_options(value, options).unwrap_or_else(|_| format!("{value:#}"))
}

/// One line that names what differs: `spec.replicas 1 → 2, spec.template.spec`.
pub(crate) fn summary(old: &Value, new: &Value) -> String {
    let (old, new) = masked(&essence(old), &essence(new));
    let mut parts = Vec::new();
    collect(&old, &new, "", &mut parts);
    let more = parts.len().saturating_sub(3);
    parts.truncate(3);
    let mut text = parts.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn collect(old: &Value, new: &Value, path: &str, out: &mut Vec<String>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            for key in keys {
                let at = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let get = |m: &Map<String, Value>| m.get(key).cloned().unwrap_or(Value::Null);
                let (x, y) = (get(a), get(b));
                // A whole new or lost branch is named once.
                match (&x, &y) {
                    (Value::Null, Value::Object(_)) | (Value::Object(_), Value::Null) => {
                        out.push(at)
                    }
                    _ => collect(&x, &y, &at, out),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (x, y)) in a.iter().zip(b).enumerate() {
                collect(x, y, &format!("{path}[{i}]"), out);
            }
        }
        _ => match (short(old), short(new)) {
            (Some(a), Some(b)) => out.push(format!("{path} {a} → {b}")),
            _ => out.push(path.to_owned()),
        },
    }
}

/// A scalar that fits into a line.
fn short(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => return None,
    };
    (text.chars().count() <= 40 && !text.contains('\n')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_secrets_are_never_shown_but_changes_are() {
        let old = json!({"kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "b2xk", "same": "c2FtZQ=="}});
        let new = json!({"kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "bmV3", "same": "c2FtZQ=="}});
        let text = difference(&old, &new) + &summary(&old, &new);
        for value in ["b2xk", "bmV3", "c2FtZQ"] {
            assert!(!text.contains(value), "{text}");
        }
        assert!(text.contains("*** (new)"), "{text}");
        assert!(!summary(&old, &new).contains("same"), "{text}");
        let made = difference(
            &Value::Null,
            &json!({"kind": "Secret", "stringData": {"k": "hunter2"}}),
        );
        assert!(!made.contains("hunter2") && made.contains("***"), "{made}");
    }

    #[test]
    fn what_the_server_writes_is_no_difference() {
        let a = json!({"kind": "X", "metadata": {"name": "a", "resourceVersion": "1", "generation": 1}, "status": {"x": 1}, "spec": {"b": 1, "a": 2}});
        let b = json!({"kind": "X", "metadata": {"name": "a", "resourceVersion": "2"}, "spec": {"a": 2, "b": 1}});
        assert_eq!(essence(&a), essence(&b));
    }

    #[test]
    fn a_summary_names_the_fields() {
        let a = json!({"spec": {"replicas": 1, "list": [{"x": 1}], "text": "a\nb"}});
        let b =
            json!({"spec": {"replicas": 2, "list": [{"x": 5}], "text": "a\nc", "new": {"k": 1}}});
        assert_eq!(
            summary(&a, &b),
            "spec.list[0].x 1 → 5, spec.replicas 1 → 2, spec.text and 1 more"
        );
    }
}
