//! JSON schemas as custom resource definitions want them: structural
//! (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>).
//!
//! One node says one type; there are no references, constants, alternatives or closed objects. What can't be
//! said so is left open: the rules of the file are checked again by whoever reads a resource.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Marks a place where anything may stand.
const ANYTHING: &str = "x-kubernetes-preserve-unknown-fields";

/// Keywords that mean the same in both.
const SAME: [&str; 10] = [
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "required",
];

/// How deep a schema may be, so that one that refers to itself has an end.
const DEEPEST: usize = 32;

/// A JSON schema (with `$defs`) as a structural one.
pub(super) fn structural(schema: &Value) -> Value {
    let none = Map::new();
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let converter = Converter {
        definitions: definitions.unwrap_or(&none),
    };
    converter.node(schema, DEEPEST)
}

struct Converter<'a> {
    definitions: &'a Map<String, Value>,
}

impl Converter<'_> {
    fn node(&self, schema: &Value, depth: usize) -> Value {
        let Value::Object(schema) = schema else {
            return anything();
        };
        let Some(depth) = depth.checked_sub(1) else {
            return anything();
        };
        let mut node = match (self.referred(schema), branches(schema)) {
            (Some(target), _) => self.node(target, depth),
            (None, Some(branches)) => {
                let branches = branches.iter().filter(|b| !is_null(b));
                one_of(branches.map(|b| self.node(b, depth)).collect())
            }
            (None, None) => self.plain(schema, depth),
        };
        if let Some(about) = schema.get("description") {
            node["description"] = about.clone();
        }
        node
    }

    fn referred(&self, schema: &Map<String, Value>) -> Option<&Value> {
        let name = schema.get("$ref")?.as_str()?.rsplit('/').next()?;
        self.definitions.get(name)
    }

    fn plain(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let mut node = Map::new();
        for key in SAME {
            if let Some(value) = schema.get(key) {
                node.insert(key.into(), value.clone());
            }
        }
        if let Some(value) = schema.get("const") {
            node.insert("enum".into(), json!([value]));
            node.entry("type").or_insert_with(|| "string".into());
        }
        if let Some(Value::Array(types)) = node.get("type") {
            let kept: Vec<&Value> = types.iter().filter(|t| *t != "null").collect();
            let [one] = kept.as_slice() else {
                return anything();
            };
            let one = (*one).clone();
            node.insert("type".into(), one);
        }
        match node.get("type").and_then(Value::as_str) {
            None => return anything(),
            Some("object") => self.object(schema, &mut node, depth),
            Some("array") => {
                let items = schema.get("items").map(|i| self.node(i, depth));
                node.insert("items".into(), items.unwrap_or_else(anything));
            }
            // Servers of release 1.20 take an empty text for null, where nothing else says what a text may be.
            Some("string") if !node.contains_key("enum") && !node.contains_key("pattern") => {
                node.insert("nullable".into(), true.into());
            }
            Some(_) => {}
        }
        Value::Object(node)
    }

    fn object(&self, schema: &Map<String, Value>, node: &mut Map<String, Value>, depth: usize) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let more = schema.get("additionalProperties");
        match (properties, more) {
            (Some(properties), _) => {
                let each =
                    |(name, inner): (&String, &Value)| (name.clone(), self.node(inner, depth));
                let properties: Map<_, _> = properties.iter().map(each).collect();
                node.insert("properties".into(), properties.into());
            }
            (None, Some(more @ Value::Object(_))) => {
                node.insert("additionalProperties".into(), self.node(more, depth));
            }
            (None, Some(Value::Bool(false))) => {}
            (None, _) => {
                node.insert(ANYTHING.into(), true.into());
            }
        }
    }
}

fn anything() -> Value {
    json!({ ANYTHING: true })
}

fn branches(schema: &Map<String, Value>) -> Option<&Vec<Value>> {
    let list = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    list.as_array()
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|t| t == "null")
}

/// One node for several: the words of all, or the properties of all; anything where they are of different types.
fn one_of(branches: Vec<Value>) -> Value {
    if let [one] = branches.as_slice() {
        return one.clone();
    }
    let types: Vec<&Value> = branches.iter().filter_map(|b| b.get("type")).collect();
    let same = types.len() == branches.len() && types.windows(2).all(|pair| pair[0] == pair[1]);
    match types.first().and_then(|t| t.as_str()) {
        Some("object") if same => objects(&branches),
        Some(word @ ("string" | "integer")) if same => {
            let words: Option<Vec<&[Value]>> = branches
                .iter()
                .map(|b| Some(b.get("enum")?.as_array()?.as_slice()))
                .collect();
            match words {
                Some(words) => json!({ "type": word, "enum": words.concat() }),
                None => json!({ "type": word }),
            }
        }
        _ => anything(),
    }
}

fn objects(branches: &[Value]) -> Value {
    let mut properties: BTreeMap<&String, &Value> = BTreeMap::new();
    for branch in branches {
        let Some(own) = branch.get("properties").and_then(Value::as_object) else {
            return json!({ "type": "object", ANYTHING: true });
        };
        properties.extend(own);
    }
    json!({ "type": "object", "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_closed_objects_opened() {
        let schema = json!({
            "$defs": { "Port": { "type": "integer", "format": "uint16", "minimum": 1, "maximum": 65535 } },
            "type": "object",
            "additionalProperties": false,
            "required": ["port"],
            "properties": {
                "port": { "$ref": "#/$defs/Port", "description": "The port." },
                "kind": { "const": "x" },
                "names": { "type": ["array", "null"], "uniqueItems": true, "items": { "type": "string" } },
            },
        });
        let wanted = json!({
            "type": "object",
            "required": ["port"],
            "properties": {
                "port": { "type": "integer", "minimum": 1, "maximum": 65535, "description": "The port." },
                "kind": { "type": "string", "enum": ["x"] },
                "names": { "type": "array", "items": { "type": "string", "nullable": true } },
            },
        });
        assert_eq!(structural(&schema), wanted);
    }

    #[test]
    fn alternatives_become_one() {
        let words = json!({ "oneOf": [{ "const": "a" }, { "type": "string", "enum": ["b"] }, { "type": "null" }] });
        assert_eq!(
            structural(&words),
            json!({ "type": "string", "enum": ["a", "b"] })
        );
        let tagged = json!({ "oneOf": [
            { "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] },
            { "type": "object", "properties": { "b": { "type": "integer" } }, "required": ["b"] },
        ] });
        let wanted = json!({ "type": "object", "properties": {
            "a": { "type": "string", "nullable": true }, "b": { "type": "integer" },
        } });
        assert_eq!(structural(&tagged), wanted);
        let mixed = json!({ "anyOf": [{ "type": "string" }, { "type": "object" }] });
        assert_eq!(structural(&mixed), anything());
    }

    #[test]
    fn a_schema_that_refers_to_itself_has_an_end() {
        let schema = json!({
            "$defs": { "Tree": { "type": "object", "properties": { "more": { "$ref": "#/$defs/Tree" } } } },
            "$ref": "#/$defs/Tree",
        });
        assert!(structural(&schema).to_string().len() < 4000);
    }
}
