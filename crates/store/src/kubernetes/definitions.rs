//! What the Kubernetes API must know of Bramble's resources: their definitions, made from the same types as the
//! cluster file and the records.

use super::chunk;
use super::object::CHANGE_FIELD;
use super::schema::structural;
use super::shape::{Column, SHAPES, Shape};
use serde_json::{Value, json};

/// The group of all of them.
pub(super) const GROUP: &str = "bramble.dev";

/// The version of all of them: that of the cluster file.
pub(super) const VERSION: &str = "v1alpha1";

const HEADER: &str = "\
# Bramble's custom resources. Made by the program from the types that it reads them with: change those instead.
";

/// The definitions of all custom resources, as YAML for `kubectl apply -f -`.
pub fn definitions() -> String {
    let resources = SHAPES.into_iter().map(resource);
    let all = resources.chain([log()]);
    let mut text = HEADER.to_owned();
    for definition in all {
        text.push_str("---\n");
        // A value that was made here can be written.
        text.push_str(&serde_saphyr::to_string(&definition).unwrap_or_default());
    }
    text
}

fn resource(shape: &Shape) -> Value {
    let mut status = structural(&(shape.status)());
    status["type"] = "object".into();
    status["properties"][CHANGE_FIELD] = json!({
        "type": "string",
        "description": "Which change of spec and status together this status is of; for Bramble alone.",
    });
    definition(
        Names {
            plural: shape.plural,
            word: shape.word,
            short: Some(shape.short),
        },
        shape.columns,
        json!({
            "type": "object",
            "description": shape.about,
            "required": ["spec"],
            "properties": { "spec": structural(&(shape.spec)()), "status": status },
        }),
        true,
    )
}

/// Parts of logs. They are no resources to look at, so they have neither a status nor a short name.
fn log() -> Value {
    definition(
        Names {
            plural: chunk::PLURAL,
            word: chunk::WORD,
            short: None,
        },
        &[
            Column::text("Log", ".spec.log"),
            Column {
                form: "integer",
                ..Column::text("First", ".spec.first")
            },
            Column::AGE,
        ],
        json!({
            "type": "object",
            "description": "A part of what happened in a run, or of who did what.",
            "required": ["spec"],
            "properties": { "spec": structural(&chunk::schema()) },
        }),
        false,
    )
}

struct Names {
    plural: &'static str,
    word: &'static str,
    short: Option<&'static str>,
}

fn definition(names: Names, columns: &[Column], schema: Value, status: bool) -> Value {
    let mut version = json!({
        "name": VERSION,
        "served": true,
        "storage": true,
        "schema": { "openAPIV3Schema": schema },
        "additionalPrinterColumns": columns.iter().map(column).collect::<Vec<_>>(),
    });
    if status {
        version["subresources"] = json!({ "status": {} });
    }
    let mut called = json!({
        "kind": names.word,
        "listKind": format!("{}List", names.word),
        "plural": names.plural,
        "singular": names.word.to_lowercase(),
    });
    if let Some(short) = names.short {
        called["shortNames"] = json!([short]);
        called["categories"] = json!(["bramble"]);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{GROUP}", names.plural) },
        "spec": { "group": GROUP, "scope": "Namespaced", "names": called, "versions": [version] },
    })
}

fn column(column: &Column) -> Value {
    json!({
        "name": column.name,
        "jsonPath": column.path,
        "type": column.form,
        "priority": i32::from(column.wide),
    })
}
