//! Templates: all of one is wanted, nothing becomes of it.

use crate::document::Kind;
use crate::kubernetes::shape::{Around, Column, Parts, Shape, Unfit, schema};
use crate::record::Template;
use schemars::JsonSchema;
use serde_json::{Map, Value};

pub(in crate::kubernetes) const SHAPE: Shape = Shape {
    kind: Kind::Template,
    plural: "templates",
    word: "Template",
    short: "bt",
    about: "What clusters are made after.",
    columns: &[
        Column::text("Origin", ".spec.origin"),
        Column {
            form: "integer",
            ..Column::text("Control-Planes", ".spec.controlPlanes")
        },
        Column {
            form: "integer",
            ..Column::text("Workers", ".spec.workers")
        },
        Column::AGE,
    ],
    notes: &[],
    meant: |_| {},
    spec: schema::<Template>,
    status: schema::<Status>,
    split,
    join,
};

/// Nothing.
#[derive(JsonSchema)]
struct Status {}

fn split(body: Value, _: &Around<'_>) -> Result<Parts, Unfit> {
    let template: Template = serde_json::from_value(body)?;
    Ok(Parts {
        spec: serde_json::to_value(template)?,
        status: Value::Object(Map::new()),
        ..Parts::default()
    })
}

fn join(parts: Parts, _: &Around<'_>) -> Result<Value, Unfit> {
    let template: Template = serde_json::from_value(parts.spec)?;
    Ok(serde_json::to_value(template)?)
}
