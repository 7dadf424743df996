//! `docs/file.md` is made from the schema, and checked in: it can't say something else.

use serde_json::Value;
use std::fmt::Write as _;

const HEAD: &str = "# The cluster file\n\nOne YAML document in the Kubernetes manner. Every field, made from the schema that `bramble schema` prints;\n`examples/full.yaml` shows each of them in use.\n";

/// Environment variable that writes the page instead of comparing it.
const UPDATE: &str = "BRAMBLE_UPDATE";

#[test]
fn the_page_of_the_cluster_file_says_what_the_schema_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/file.md");
    let page = page(&bramble_spec::schema());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == page,
        "docs/file.md is out of date: run the tests with {UPDATE}=1"
    );
}

fn page(schema: &Value) -> String {
    let mut out = HEAD.to_owned();
    let mut open = vec![("".to_owned(), schema.clone())];
    let mut done = std::collections::BTreeSet::new();
    while !open.is_empty() {
        let (path, node) = open.remove(0);
        let node = resolve(schema, &node);
        let Some(fields) = node.get("properties").and_then(Value::as_object) else {
            continue;
        };
        if !done.insert(path.clone()) {
            continue;
        }
        let title = if path.is_empty() {
            "The document"
        } else {
            path.as_str()
        };
        let _ = writeln!(
            out,
            "\n## {}\n",
            if path.is_empty() {
                title.into()
            } else {
                format!("`{title}`")
            }
        );
        if let Some(text) = node.get("description").and_then(Value::as_str) {
            let _ = writeln!(out, "{}\n", text.replace('\n', " "));
        }
        let _ = writeln!(
            out,
            "| field | what | values | default |\n|---|---|---|---|"
        );
        let needed: Vec<&str> = node
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, field) in fields {
            let full = resolve(schema, field);
            let text = [field, &full]
                .iter()
                .find_map(|f| f.get("description")?.as_str().map(str::to_owned));
            let default = field
                .get("default")
                .map_or(String::new(), |d| format!("`{d}`"));
            let star = if needed.contains(&name.as_str()) {
                " (required)"
            } else {
                ""
            };
            let _ = writeln!(
                out,
                "| `{name}`{star} | {} | {} | {default} |",
                text.unwrap_or_default()
                    .replace('\n', " ")
                    .replace('|', "\\|"),
                values(schema, &full).replace('|', "\\|")
            );
            let below = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            for (suffix, inner) in inside(schema, &full) {
                open.push((format!("{below}{suffix}"), inner));
            }
        }
    }
    out
}

/// Follows references and takes the one branch of an object out of a choice with shorthands.
fn resolve(schema: &Value, node: &Value) -> Value {
    match node
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.strip_prefix('#'))
    {
        Some(pointer) => schema
            .pointer(pointer)
            .map_or(Value::Null, |n| resolve(schema, n)),
        None => node.clone(),
    }
}

/// Objects below a field: itself, the items of a list, branches of a choice.
fn inside(schema: &Value, node: &Value) -> Vec<(&'static str, Value)> {
    let mut out = Vec::new();
    if node.get("properties").is_some() {
        out.push(("", node.clone()));
    }
    if let Some(items) = node.get("items") {
        let items = resolve(schema, items);
        out.extend(inside(schema, &items).into_iter().map(|(_, n)| ("[]", n)));
    }
    for key in ["anyOf", "oneOf"] {
        for branch in node
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            out.extend(inside(schema, &resolve(schema, branch)));
        }
    }
    out
}

fn values(schema: &Value, node: &Value) -> String {
    let node = resolve(schema, node);
    if let Some(all) = node.get("enum").and_then(Value::as_array) {
        return all
            .iter()
            .map(|v| format!("`{}`", plain(v)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(one) = node.get("const") {
        return format!("`{}`", plain(one));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(all) = node.get(key).and_then(Value::as_array) {
            let mut texts: Vec<String> = all.iter().map(|n| values(schema, n)).collect();
            texts.dedup();
            return texts.join(" or ");
        }
    }
    let kind = node.get("type").and_then(Value::as_str).unwrap_or("any");
    match kind {
        "array" => format!(
            "list of {}",
            node.get("items")
                .map_or("any".into(), |i| values(schema, i))
        ),
        "integer" => match (node.get("minimum"), node.get("maximum")) {
            (Some(low), Some(high)) => format!("{low} to {high}"),
            _ => "number".into(),
        },
        "boolean" => "`true`, `false`".into(),
        "string" => "text".into(),
        "object" if node.get("properties").is_some() => "see below".into(),
        "object" => "keys and values".into(),
        other => other.into(),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
