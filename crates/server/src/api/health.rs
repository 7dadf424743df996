//! Whether the daemon answers.

use super::problem::{Problem, Refused};
use super::state::App;
use axum::Json;
use axum::extract::State;
use bramble_store::Kind;
use serde::Serialize;
use utoipa::ToSchema;

/// A daemon that answers.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Its release.
    version: &'static str,
    /// Whether the first user is still to be made.
    first: bool,
}

/// Whether the daemon and its store answer.
#[utoipa::path(get, path = "/health", tag = "daemon", security(()), responses(
    (status = 200, body = Health),
    (status = 503, body = Problem, description = "it is stopping"),
))]
pub(super) async fn health(State(app): State<App>) -> Result<Json<Health>, Refused> {
    let users = app.store.list(Kind::User).await?;
    Ok(Json(Health {
        version: env!("CARGO_PKG_VERSION"),
        first: users.is_empty(),
    }))
}
