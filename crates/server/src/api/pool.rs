//! The pool: machines that wait for a cluster.

use super::audit::note;
use super::caller::{Operator, Viewer};
use super::names::label;
use super::problem::{Body, Problem, Refused};
use super::state::App;
use crate::origins::Origins;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bramble_store::record::{Claim, Machine};
use bramble_store::{Key, Kind, Stored, Typed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use utoipa::ToSchema;

/// A machine of the pool.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Machine)]
pub(super) struct View {
    /// Name.
    name: String,
    /// Where it is reached.
    #[schema(value_type = String)]
    address: IpAddr,
    /// Login name.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Fingerprint of its host key.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key: Option<String>,
    /// Properties that templates ask for.
    labels: BTreeMap<String, String>,
    /// Whose it is at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
}

impl View {
    fn of(stored: Stored<Machine>) -> Self {
        Self {
            name: stored.name,
            address: stored.it.address,
            user: stored.it.user,
            host_key: stored.it.host_key,
            labels: stored.it.labels,
            claim: stored.it.claim,
        }
    }
}

/// A machine to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewMachine)]
pub(super) struct Wish {
    /// Name: a DNS label.
    name: String,
    /// Where it is reached.
    #[schema(value_type = String)]
    address: IpAddr,
    /// Login name.
    #[serde(default)]
    user: Option<String>,
    /// Fingerprint of its host key, as `ssh-keygen -l` tells it: `SHA256:...`.
    #[serde(default)]
    host_key: Option<String>,
    /// Properties that templates ask for.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// All machines of the pool.
#[utoipa::path(get, path = "/machines", tag = "pool", responses(
    (status = 200, body = Vec<View>), (status = 401, body = Problem),
))]
pub(super) async fn machines(
    _: Viewer,
    State(app): State<App>,
) -> Result<Json<Vec<View>>, Refused> {
    let all = app.store.all::<Machine>().await?;
    Ok(Json(all.into_iter().map(View::of).collect()))
}

/// One machine of the pool.
#[utoipa::path(get, path = "/machines/{name}", tag = "pool", params(("name" = String, Path)), responses(
    (status = 200, body = View), (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(super) async fn machine(
    _: Viewer,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<View>, Refused> {
    Ok(Json(View::of(app.store.need(&name).await?)))
}

/// Registers a machine.
#[utoipa::path(post, path = "/machines", operation_id = "addMachine", tag = "pool", request_body = Wish, responses(
    (status = 201, body = View), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn add_machine(
    Operator(caller): Operator,
    State(app): State<App>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<View>), Refused> {
    label(&wish.name)?;
    let all = app.store.all::<Machine>().await?;
    if let Some(other) = all.iter().find(|m| m.it.address == wish.address) {
        return Err(Refused::conflict(format!(
            "{} has the address {}",
            other.name, wish.address
        )));
    }
    let machine = Machine {
        address: wish.address,
        user: wish.user,
        host_key: wish.host_key,
        labels: wish.labels,
        claim: None,
    };
    // Otherwise each template that this machine fits would fail by it.
    Origins::check_machine(&wish.name, &machine)?;
    let made = app.store.add(&wish.name, machine).await?;
    note(&app, &caller, format!("machine {} registered", wish.name)).await?;
    Ok((StatusCode::CREATED, Json(View::of(made))))
}

/// Takes a machine out of the pool that no cluster has.
#[utoipa::path(delete, path = "/machines/{name}", operation_id = "deleteMachine",
    tag = "pool", params(("name" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(super) async fn delete_machine(
    Operator(caller): Operator,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    let found = app.store.need::<Machine>(&name).await?;
    if let Some(claim) = found.it.claim {
        let what = format!("machine {name} is a part of cluster {}", claim.cluster);
        return Err(Refused::conflict(what).hint("take the cluster down first"));
    }
    let key = Key::new(Kind::Machine, &name);
    app.store.delete(&key, Some(&found.version)).await?;
    note(
        &app,
        &caller,
        format!("machine {name} taken out of the pool"),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
