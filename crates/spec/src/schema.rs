//! The JSON schema of the cluster file, for editors and for the shape check.

use crate::file::File;
use schemars::JsonSchema;
use serde_json::{Map, Value};
use std::sync::OnceLock;

/// JSON schema (draft 2020-12) of the cluster file, with titles, descriptions, enumerations and
/// patterns. [`crate::load`] checks files against this very schema.
pub fn schema() -> Value {
    shared().clone()
}

pub(crate) fn shared() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<File>)
}

/// JSON schema (draft 2020-12) of a type that is written in a file of its own ([`crate::Document`]).
pub fn schema_of<T: JsonSchema>() -> Value {
    let mut value = schemars::schema_for!(T).to_value();
    tidy(&mut value);
    value
}

/// Removes what says nothing to a person: `null` as a way to leave a key out, default nulls and
/// empty sections, widths of integers.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            drop_null_type(map);
            drop_null_branch(map);
            let noise = map.get("default").is_some_and(|d| {
                d.is_null()
                    || d.as_array().is_some_and(Vec::is_empty)
                    || d.as_object().is_some_and(Map::is_empty)
            });
            if noise {
                map.remove("default");
            }
            if map.get("format").is_some_and(Value::is_string) {
                map.remove("format");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn drop_null_type(map: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = map.get_mut("type") else {
        return;
    };
    types.retain(|t| t != "null");
    if let [one] = types.as_slice() {
        let one = one.clone();
        map.insert("type".into(), one);
    }
}

fn drop_null_branch(map: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = map.get_mut("anyOf") else {
        return;
    };
    branches.retain(|b| b.get("type").is_none_or(|t| t != "null"));
    if let [Value::Object(one)] = branches.as_slice() {
        let one = one.clone();
        map.remove("anyOf");
        for (key, value) in one {
            map.entry(key).or_insert(value);
        }
    }
}
