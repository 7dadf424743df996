//! Buttons. The key of one is in a Secret of its own, which the spec names.

use crate::document::Kind;
use crate::kubernetes::shape::{Around, Column, Parts, Shape, Unfit, read, schema};
use crate::record::{Button, Profile};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(in crate::kubernetes) const SHAPE: Shape = Shape {
    kind: Kind::Button,
    plural: "buttons",
    word: "Button",
    short: "bb",
    about: "A hardware button that is believed.",
    columns: &[
        Column::text("Template", ".spec.profile.template"),
        Column::text("Cluster", ".status.cluster"),
        Column::AGE,
    ],
    notes: &[],
    meant: |_| {},
    spec: schema::<Spec>,
    status: schema::<Status>,
    split,
    join,
};

/// What a button may do.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Spec {
    /// What a press does.
    profile: Profile,
    /// Name of the Secret whose `key` has the key that its messages are signed with, in hexadecimal digits.
    /// Without one it speaks only the seed's grammar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_secret: Option<String>,
    /// Since when it is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    since: Option<Timestamp>,
}

/// What was heard of a button.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// Its cluster, if it has made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    /// The time of the last request that was believed, in seconds since 1970.
    #[serde(default)]
    last: u64,
    /// The nonce of that request.
    #[serde(default)]
    nonce: String,
}

/// The name of the key's Secret in a spec.
pub(in crate::kubernetes) fn key_secret(spec: &Value) -> Option<&str> {
    spec.get("keySecret").and_then(Value::as_str)
}

/// Names the key's Secret in a spec.
pub(in crate::kubernetes) fn name_key_secret(spec: &mut Value, secret: &str) {
    if let Value::Object(spec) = spec {
        spec.insert("keySecret".into(), secret.into());
    }
}

fn split(body: Value, _: &Around<'_>) -> Result<Parts, Unfit> {
    let button: Button = serde_json::from_value(body)?;
    let spec = Spec {
        profile: button.profile,
        key_secret: None,
        since: Some(button.created),
    };
    let status = Status {
        cluster: button.cluster,
        last: button.last,
        nonce: button.nonce,
    };
    Ok(Parts {
        spec: serde_json::to_value(spec)?,
        status: serde_json::to_value(status)?,
        secret: Some(button.key).filter(|key| !key.is_empty()),
        ..Parts::default()
    })
}

fn join(parts: Parts, around: &Around<'_>) -> Result<Value, Unfit> {
    let spec: Spec = read(parts.spec)?;
    let status: Status = read(parts.status)?;
    let key = match (spec.key_secret, parts.secret) {
        (None, _) => String::new(),
        (Some(_), Some(key)) => key,
        // Never taken for a button without a key: whoever deletes a Secret must not open a door.
        (Some(secret), None) => return Err(Unfit::Secret(secret)),
    };
    let button = Button {
        key,
        profile: spec.profile,
        cluster: status.cluster,
        last: status.last,
        nonce: status.nonce,
        created: spec.since.unwrap_or(around.created),
    };
    Ok(serde_json::to_value(button)?)
}
