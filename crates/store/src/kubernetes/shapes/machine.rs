//! Machines of the pool.

use crate::document::Kind;
use crate::kubernetes::shape::{Around, Column, Parts, Shape, Unfit, read, schema};
use crate::record::{Claim, Machine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(in crate::kubernetes) const SHAPE: Shape = Shape {
    kind: Kind::Machine,
    plural: "machines",
    word: "Machine",
    short: "bm",
    about: "A machine of Bramble's pool.",
    columns: &[
        Column::text("Address", ".spec.address"),
        Column::text("Cluster", ".status.claim.cluster"),
        Column::AGE,
    ],
    notes: &[],
    meant: |_| {},
    spec: schema::<Spec>,
    status: schema::<Status>,
    split,
    join,
};

/// How a machine is reached, and what it is like.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Spec {
    /// Where it is reached.
    address: IpAddr,
    /// Login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Fingerprint of its host key, `SHA256:...`; without one the daemon's own `known_hosts` must know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host_key: Option<String>,
    /// Properties that templates ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
}

/// Whose a machine is.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Status {
    /// Whose it is at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
}

fn split(body: Value, _: &Around<'_>) -> Result<Parts, Unfit> {
    let Machine {
        address,
        user,
        host_key,
        labels,
        claim,
    } = serde_json::from_value(body)?;
    let spec = Spec {
        address,
        user,
        host_key,
        labels,
    };
    Ok(Parts {
        spec: serde_json::to_value(spec)?,
        status: serde_json::to_value(Status { claim })?,
        ..Parts::default()
    })
}

fn join(parts: Parts, _: &Around<'_>) -> Result<Value, Unfit> {
    let spec: Spec = read(parts.spec)?;
    let status: Status = read(parts.status)?;
    let machine = Machine {
        address: spec.address,
        user: spec.user,
        host_key: spec.host_key,
        labels: spec.labels,
        claim: status.claim,
    };
    Ok(serde_json::to_value(machine)?)
}
