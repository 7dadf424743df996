//! How records are laid out as custom resources: what somebody wants is the spec, what became of it the status.

use super::shapes::{button, cluster, machine, run, template};
use crate::document::Kind;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A record that can't be a resource, or a resource that is no record: why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// A part of it is of another form.
    #[error("it is of another form")]
    Form(#[from] serde_json::Error),
    /// The file has no `spec`.
    #[error("its file is no cluster file")]
    File,
    /// The Secret that it names is not there.
    #[error("its Secret {0} is missing, or has no `key`")]
    Secret(String),
}

/// The parts of a resource that are the daemon's.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parts {
    /// What is wanted.
    pub spec: Value,
    /// What became of it; an empty object where nothing did.
    pub status: Value,
    /// Annotations.
    pub notes: BTreeMap<&'static str, String>,
    /// What is kept in a Secret beside it.
    pub secret: Option<String>,
}

/// What else there is to know of a resource when its parts are read or made.
pub(super) struct Around<'a> {
    /// Name.
    pub name: &'a str,
    /// When it was made, as the server says.
    pub created: Timestamp,
    /// Number of its spec, as the server counts.
    pub generation: i64,
    /// Its parts as they are there; `None` for one that is to be made.
    pub before: Option<&'a Parts>,
    /// The present time.
    pub now: Timestamp,
}

impl Around<'_> {
    /// Its status as it is there.
    pub(super) fn status<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        read(
            self.before
                .map_or(Value::Null, |parts| parts.status.clone()),
        )
    }
}

/// A column of `kubectl get`.
pub(super) struct Column {
    /// Heading.
    pub name: &'static str,
    /// JSON path.
    pub path: &'static str,
    /// `string`, `integer` or `date`.
    pub form: &'static str,
    /// Only with `-o wide`.
    pub wide: bool,
}

impl Column {
    pub(super) const AGE: Column = Column {
        form: "date",
        ..Column::text("Age", ".metadata.creationTimestamp")
    };

    pub(super) const fn text(name: &'static str, path: &'static str) -> Self {
        Self {
            name,
            path,
            form: "string",
            wide: false,
        }
    }

    pub(super) const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

/// A kind of custom resource.
pub(super) struct Shape {
    /// The kind of its documents.
    pub kind: Kind,
    /// As in URLs.
    pub plural: &'static str,
    /// As in manifests.
    pub word: &'static str,
    /// For `kubectl get`.
    pub short: &'static str,
    /// What it is, for `kubectl explain`.
    pub about: &'static str,
    /// What `kubectl get` shows.
    pub columns: &'static [Column],
    /// Annotations that are parts of it.
    pub notes: &'static [&'static str],
    /// Makes of a spec that others wrote what they meant.
    pub meant: fn(&mut Value),
    /// JSON schema of its spec.
    pub spec: fn() -> Value,
    /// JSON schema of its status.
    pub status: fn() -> Value,
    /// A document's body as parts.
    pub split: fn(Value, &Around<'_>) -> Result<Parts, Unfit>,
    /// Parts as a document's body.
    pub join: fn(Parts, &Around<'_>) -> Result<Value, Unfit>,
}

/// All kinds that are custom resources. Documents of the others are Secrets.
pub(super) const SHAPES: [&Shape; 5] = [
    &cluster::SHAPE,
    &machine::SHAPE,
    &template::SHAPE,
    &run::SHAPE,
    &button::SHAPE,
];

/// How documents of a kind are laid out, if they are custom resources.
pub(super) fn of(kind: Kind) -> Option<&'static Shape> {
    SHAPES.into_iter().find(|shape| shape.kind == kind)
}

/// The JSON schema of a type.
pub(super) fn schema<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// Reads a part; what is missing is an empty object.
pub(super) fn read<T: DeserializeOwned>(part: Value) -> Result<T, serde_json::Error> {
    match part {
        Value::Null => serde_json::from_value(Value::Object(Map::new())),
        part => serde_json::from_value(part),
    }
}

/// A condition as Kubernetes has them, for `kubectl wait --for=condition=...`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    /// Its name.
    #[serde(rename = "type")]
    pub name: String,
    /// `True` or `False`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when.
    #[schemars(with = "String")]
    pub last_transition_time: Timestamp,
}

/// Conditions as they are now; those that have not changed keep their time.
pub(super) fn conditions(
    before: &[Condition],
    now: Timestamp,
    reason: &str,
    message: &str,
    these: &[(&str, bool)],
) -> Vec<Condition> {
    let one = |(name, holds): &(&str, bool)| {
        let status = if *holds { "True" } else { "False" };
        let same = before
            .iter()
            .find(|c| c.name == *name && c.status == status);
        Condition {
            name: (*name).to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: same.map_or(now, |c| c.last_transition_time),
        }
    };
    these.iter().map(one).collect()
}
