//! A value against the fields of kubeadm's configuration types.

use serde_json::Value;
use std::collections::BTreeMap;

/// Fields by API version, type and name, with their types in words.
pub struct Fields(BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>);

impl Fields {
    pub fn read(text: &str) -> Self {
        let all: Value = serde_json::from_str(text).expect("JSON");
        let mut out: BTreeMap<_, BTreeMap<_, BTreeMap<_, _>>> = BTreeMap::new();
        for (api, types) in all.as_object().expect("versions") {
            for (kind, fields) in types.as_object().expect("types") {
                for field in fields.as_array().expect("fields") {
                    let get = |key: &str| field[key].as_str().expect("text").to_owned();
                    out.entry(api.clone())
                        .or_default()
                        .entry(kind.clone())
                        .or_default()
                        .insert(get("name"), get("type"));
                }
            }
        }
        Self(out)
    }

    /// Everything in a document that its type doesn't have or has otherwise.
    pub fn faults(&self, api: &str, document: &Value) -> Vec<String> {
        let kind = document["kind"].as_str().unwrap_or_default();
        let mut out = Vec::new();
        self.object(api, kind, document, kind, &mut out);
        out
    }

    fn object(&self, api: &str, kind: &str, value: &Value, at: &str, out: &mut Vec<String>) {
        let Some(fields) = self.0.get(api).and_then(|types| types.get(kind)) else {
            out.push(format!("{at}: {api} has no type {kind}"));
            return;
        };
        let Some(object) = value.as_object() else {
            out.push(format!("{at}: {value} is no {kind}"));
            return;
        };
        for (name, value) in object {
            let at = format!("{at}.{name}");
            match fields.get(name) {
                Some(kind) => self.value(api, kind, value, &at, out),
                None => out.push(format!("{at}: {api} has no such field")),
            }
        }
    }

    fn value(&self, api: &str, kind: &str, value: &Value, at: &str, out: &mut Vec<String>) {
        let mut wrong = |fits: bool| {
            if !fits {
                out.push(format!("{at}: {value} is no {kind}"));
            }
        };
        if let Some(item) = kind.strip_prefix("list of ") {
            match value.as_array() {
                Some(all) => {
                    for (i, v) in all.iter().enumerate() {
                        self.value(api, item, v, &format!("{at}[{i}]"), out);
                    }
                }
                None => wrong(false),
            }
        } else if kind.starts_with("map string to ") {
            let word = kind.rsplit(' ').next().unwrap_or_default();
            match value.as_object() {
                Some(all) => {
                    for (key, v) in all {
                        self.value(api, word, v, &format!("{at}[{key}]"), out);
                    }
                }
                None => wrong(false),
            }
        } else if kind.starts_with("string") || kind.starts_with("enum") || kind.contains("core/v1")
        {
            wrong(value.is_string());
        } else if kind.starts_with("bool") {
            wrong(value.is_boolean());
        } else if kind.starts_with("int32") {
            wrong(value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()));
        } else if kind.starts_with("duration") {
            let text = value.as_str().unwrap_or_default();
            let units = text
                .chars()
                .all(|c| c.is_ascii_digit() || "hms.".contains(c));
            wrong(units && text.ends_with(['h', 'm', 's']));
        } else {
            self.object(api, kind, value, at, out);
        }
    }
}

#[test]
fn faults_are_found() {
    let fields = Fields::read(
        r#"{"v": {"Init": [{"name": "kind", "type": "string"}, {"name": "node", "type": "Node"}, {"name": "ttl", "type": "duration"}],
            "Node": [{"name": "args", "type": "list of Arg"}, {"name": "map", "type": "map string to string"}], "Arg": [{"name": "name", "type": "string"}]}}"#,
    );
    let good = serde_json::json!({ "kind": "Init", "ttl": "1m0s", "node": { "args": [{ "name": "a" }], "map": { "a": "b" } } });
    assert_eq!(fields.faults("v", &good), [] as [String; 0]);
    let bad = serde_json::json!({ "kind": "Init", "ttl": 1, "node": { "args": { "a": "b" }, "map": { "a": 1 }, "more": 1 } });
    assert_eq!(
        fields.faults("v", &bad),
        [
            "Init.ttl: 1 is no duration",
            r#"Init.node.args: {"a":"b"} is no list of Arg"#,
            "Init.node.map[a]: 1 is no string",
            "Init.node.more: v has no such field",
        ]
    );
}
