//! Checks the tree against the JSON schema: keys, types, enumerations, ranges of numbers.
//!
//! What doesn't fit is reported and taken out of the tree, so that the rest can be deserialized and
//! checked further; where something was taken out is remembered, so that later checks don't
//! complain about its absence.

use crate::draft::scalar;
use crate::problem::{Place, Problem};
use crate::tree::{Data, Node, shorten};
use serde_json::Value;
use vocabulary::{ENUMS, SYNONYMS};

mod path;
mod vocabulary;

pub use path::Seg;
pub(crate) use path::{place, show};
pub(crate) use vocabulary::nearest;

/// What the check found.
#[derive(Default)]
pub(crate) struct Shape {
    pub problems: Vec<Problem>,
    /// Paths in the pruned tree where something was taken out, or is missing.
    pub damaged: Vec<Vec<Seg>>,
}

/// Checks a tree against a schema, and prunes it.
pub(crate) fn check(root: &mut Node, schema: &Value) -> Shape {
    let mut checker = Checker {
        schema,
        shape: Shape::default(),
        path: Vec::new(),
    };
    if !checker.value(root, schema) {
        root.data = Data::Map(Vec::new());
        checker.shape.damaged.push(Vec::new());
    }
    checker.shape
}

struct Checker<'s> {
    schema: &'s Value,
    shape: Shape,
    path: Vec<Seg>,
}

impl<'s> Checker<'s> {
    /// Follows references; the name is that of the last one.
    fn resolve<'a>(&self, mut schema: &'a Value) -> (&'a Value, Option<&'a str>)
    where
        's: 'a,
    {
        let mut name = None;
        while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let short = reference.rsplit('/').next().unwrap_or(reference);
            match self.schema.get("$defs").and_then(|d| d.get(short)) {
                Some(target) => schema = target,
                None => break,
            }
            name = Some(short);
        }
        (schema, name)
    }

    fn report(&mut self, problem: Problem) {
        self.shape.problems.push(problem);
    }

    /// Whether the value fits so far that it can stay in the tree.
    fn value(&mut self, node: &mut Node, schema: &Value) -> bool {
        if node.data == Data::Broken {
            return false;
        }
        let (schema, name) = self.resolve(schema);
        if let Some(words) = words(schema) {
            return self.word(node, &words, name);
        }
        let branches = schema.get("anyOf").or_else(|| schema.get("oneOf"));
        if let Some(branches) = branches.and_then(Value::as_array) {
            let fitting = branches.iter().find(|b| kind_fits(node, self.kind(b)));
            return match fitting {
                Some(branch) => self.value(node, branch),
                None => {
                    let kinds: Vec<_> = branches.iter().map(|b| noun(self.kind(b))).collect();
                    self.wrong_type(node, &kinds.join(" or "), "", schema);
                    false
                }
            };
        }
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or("any");
        if !kind_fits(node, kind) {
            self.wrong_type(node, noun(kind), kind, schema);
            return false;
        }
        match kind {
            "object" => self.object(node, schema),
            "array" => self.array(node, schema),
            "integer" => return self.integer(node, schema),
            _ => {}
        }
        true
    }

    fn kind<'a>(&self, schema: &'a Value) -> &'a str
    where
        's: 'a,
    {
        let (schema, _) = self.resolve(schema);
        if words(schema).is_some() {
            return "string";
        }
        schema.get("type").and_then(Value::as_str).unwrap_or("any")
    }

    fn wrong_type(&mut self, node: &Node, expected: &str, kind: &str, schema: &Value) {
        let what = show(&self.path);
        if node.data == Data::Null {
            let problem = Problem::new(
                "no-value",
                node.place,
                format!("`{what}` has no value; it takes {expected}"),
            )
            .hint("give it a value, or remove the line");
            return self.report(problem);
        }
        let hint = match (&node.data, kind) {
            (Data::Int(_) | Data::Float(_) | Data::Bool(_), "string") => {
                "put the value in quotes, so that YAML reads it as text".to_owned()
            }
            (Data::Text(text), "boolean") => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" => "write `true`, without quotes".to_owned(),
                "no" | "off" | "n" => "write `false`, without quotes".to_owned(),
                _ => "write `true` or `false`, without quotes".to_owned(),
            },
            (Data::Text(text), "integer") if text.trim().parse::<i64>().is_ok() => {
                format!("remove the quotes: {}", text.trim())
            }
            (Data::Text(_), "integer") => "write digits only, without a unit or quotes".to_owned(),
            (Data::Map(_), "array") => "begin each item with `- `".to_owned(),
            (Data::Text(text), "array") => format!("write it as a list: [{}]", shorten(text)),
            (Data::List(_), "object") => "write `key: value` lines, without `- `".to_owned(),
            (Data::Text(text), "object") => match only_key(schema) {
                Some(key) => {
                    let item = matches!(self.path.last(), Some(Seg::Index(_)));
                    let dash = if item { "- " } else { "" };
                    format!("write `{dash}{{ {key}: {} }}`", scalar(text))
                }
                None => "write its keys in lines of their own, indented".to_owned(),
            },
            _ => format!("give it {expected}"),
        };
        let problem = Problem::new(
            "wrong-type",
            node.place,
            format!("`{what}` takes {expected}, but this is {}", node.describe()),
        )
        .hint(hint);
        self.report(problem);
    }

    fn word(&mut self, node: &Node, words: &[&str], name: Option<&str>) -> bool {
        let Data::Text(text) = &node.data else {
            self.wrong_type(node, "a word", "string", &Value::Null);
            return false;
        };
        if words.contains(&text.as_str()) {
            return true;
        }
        let (code, noun) = ENUMS
            .iter()
            .find(|(n, ..)| Some(*n) == name)
            .map_or(("unknown-value", "value"), |(_, code, noun)| (*code, *noun));
        let hint = match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? Known are: {}", words.join(", ")),
            None => format!("known are: {}", words.join(", ")),
        };
        let problem = Problem::new(
            code,
            node.place,
            format!(
                "unknown {noun} `{}` in `{}`",
                shorten(text),
                show(&self.path)
            ),
        )
        .hint(hint);
        self.report(problem);
        false
    }

    fn integer(&mut self, node: &Node, schema: &Value) -> bool {
        let Data::Int(number) = node.data else {
            return true;
        };
        let minimum = schema.get("minimum").and_then(Value::as_i64);
        let maximum = schema.get("maximum").and_then(Value::as_i64);
        if minimum.is_none_or(|m| number >= m) && maximum.is_none_or(|m| number <= m) {
            return true;
        }
        let hint = match (minimum, maximum) {
            (Some(low), Some(high)) => format!("use a number from {low} to {high}"),
            (Some(low), None) => format!("use a number from {low} up"),
            (None, Some(high)) => format!("use a number up to {high}"),
            (None, None) => "use another number".to_owned(),
        };
        let problem = Problem::new(
            "out-of-range",
            node.place,
            format!("`{}` can't be {number}", show(&self.path)),
        )
        .hint(hint);
        self.report(problem);
        false
    }

    fn object(&mut self, node: &mut Node, schema: &Value) {
        let empty = serde_json::Map::new();
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let additional = schema.get("additionalProperties");
        let place = node.place;
        let Data::Map(entries) = &mut node.data else {
            return;
        };
        let present: Vec<String> = entries.iter().map(|e| e.key.clone()).collect();
        // Keys that unknown ones were taken for.
        let mut meant: Vec<String> = Vec::new();
        for mut entry in std::mem::take(entries) {
            let inner = match (properties.get(&entry.key), additional) {
                (Some(inner), _) => Some(inner),
                (None, Some(Value::Object(_))) => additional,
                (None, Some(Value::Bool(false))) => None,
                (None, _) => {
                    entries.push(entry);
                    continue;
                }
            };
            self.path.push(Seg::Key(entry.key.clone()));
            let keep = match inner {
                Some(inner) => self.value(&mut entry.value, inner),
                None => {
                    self.path.pop();
                    meant.extend(self.unknown_key(
                        &entry.key,
                        entry.key_place,
                        properties,
                        &present,
                    ));
                    self.path.push(Seg::Key(entry.key.clone()));
                    false
                }
            };
            if keep {
                entries.push(entry);
            } else {
                self.shape.damaged.push(self.path.clone());
            }
            self.path.pop();
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if present.iter().any(|p| p == key) {
                continue;
            }
            if !meant.iter().any(|m| m == key) {
                self.missing(key, place, properties);
            }
            let mut path = self.path.clone();
            path.push(key.into());
            self.shape.damaged.push(path);
        }
    }

    fn missing(&mut self, key: &str, place: Place, properties: &serde_json::Map<String, Value>) {
        let what = match show(&self.path).as_str() {
            "the file" => "the file".to_owned(),
            path => format!("`{path}`"),
        };
        let said = |what| properties.get(key)?.get(what)?.as_str();
        let hint = match said("const") {
            Some(only) => format!("add the line `{key}: {only}`"),
            None => {
                let about = said("description").unwrap_or_default();
                format!("add `{key}:`. {}", about.replace('\n', " "))
            }
        };
        let problem =
            Problem::new("missing-key", place, format!("{what} has no `{key}`")).hint(hint);
        self.report(problem);
    }

    /// Reports an unknown key. Returns the one that it was most likely meant to be.
    fn unknown_key(
        &mut self,
        key: &str,
        place: Place,
        properties: &serde_json::Map<String, Value>,
        present: &[String],
    ) -> Option<String> {
        let free = || {
            properties
                .keys()
                .map(String::as_str)
                .filter(|p| !present.iter().any(|have| have == p))
        };
        let synonym = SYNONYMS
            .iter()
            .filter(|(from, _)| from.eq_ignore_ascii_case(key))
            .find_map(|(_, to)| free().find(|p| p == to));
        let below = properties.iter().find(|(_, inner)| {
            let (inner, _) = self.resolve(inner);
            let has = |schema: &Value| {
                schema
                    .get("properties")
                    .is_some_and(|p| p.get(key).is_some())
            };
            // A section that may be written shorter is one of several branches.
            let mut branches = inner
                .get("anyOf")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            has(inner) || branches.any(|b| has(self.resolve(b).0))
        });
        // A word that means something here comes before one that merely looks similar.
        let meant = synonym.or_else(|| nearest(key, free()));
        let hint = if let Some(meant) = meant {
            format!("did you mean `{meant}`?")
        } else if let Some((section, _)) = below {
            format!("`{key}` belongs under `{section}:`", key = shorten(key))
        } else if let Some(near) = nearest(key, properties.keys().map(String::as_str)) {
            format!("`{near}` stands in this section already: remove this one")
        } else {
            let names: Vec<_> = properties.keys().map(String::as_str).collect();
            format!("known here are: {}", names.join(", "))
        };
        let problem = Problem::new(
            "unknown-key",
            place,
            match show(&self.path).as_str() {
                "the file" => format!("unknown key `{}` at the top of the file", shorten(key)),
                path => format!("unknown key `{}` in `{path}`", shorten(key)),
            },
        )
        .hint(hint);
        self.report(problem);
        meant.map(str::to_owned)
    }

    fn array(&mut self, node: &mut Node, schema: &Value) {
        let minimum = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let unique = schema.get("uniqueItems").and_then(Value::as_bool) == Some(true);
        let place = node.place;
        let Data::List(items) = &mut node.data else {
            return;
        };
        if (items.len() as u64) < minimum {
            let problem = Problem::new(
                "empty-list",
                place,
                format!("`{}` is empty", show(&self.path)),
            )
            .hint("it needs at least one item");
            self.report(problem);
            self.shape.damaged.push(self.path.clone());
        }
        let Some(inner) = schema.get("items") else {
            return;
        };
        let mut lost = false;
        let mut kept: Vec<Node> = Vec::with_capacity(items.len());
        for mut item in std::mem::take(items) {
            self.path.push(Seg::Index(kept.len()));
            let keep = self.value(&mut item, inner);
            self.path.pop();
            if !keep {
                lost = true;
                continue;
            }
            if unique && let Some(first) = kept.iter().find(|k| k.data == item.data) {
                let problem = Problem::new(
                    "duplicate-item",
                    item.place,
                    format!("{} stands twice in `{}`", item.describe(), show(&self.path)),
                )
                .hint("remove one")
                .related(first.place, "first here");
                self.report(problem);
                continue;
            }
            kept.push(item);
        }
        *items = kept;
        if lost {
            self.shape.damaged.push(self.path.clone());
        }
    }
}

/// The key of a section that needs no other: what a word in the section's place was meant for.
fn only_key(schema: &Value) -> Option<&str> {
    let required = schema.get("required")?.as_array()?;
    match required.as_slice() {
        [key] => key.as_str(),
        _ => None,
    }
}

/// The words of an enumeration of strings.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(Value::as_str).collect();
    }
    let branches = schema.get("oneOf").and_then(Value::as_array)?;
    branches
        .iter()
        .map(|b| b.get("const").and_then(Value::as_str))
        .collect()
}

fn kind_fits(node: &Node, kind: &str) -> bool {
    match kind {
        "object" => matches!(node.data, Data::Map(_)),
        "array" => matches!(node.data, Data::List(_)),
        "string" => matches!(node.data, Data::Text(_)),
        "integer" => matches!(node.data, Data::Int(_)),
        "number" => matches!(node.data, Data::Int(_) | Data::Float(_)),
        "boolean" => matches!(node.data, Data::Bool(_)),
        _ => true,
    }
}

fn noun(kind: &str) -> &'static str {
    match kind {
        "object" => "a section with keys",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "a value",
    }
}
