//! Who did what.

use super::caller::Admin;
use super::problem::{Problem, Query, Refused};
use super::state::App;
use crate::auth::{By, Caller};
use axum::Json;
use axum::extract::State;
use bramble_store::Log;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Most entries of one answer.
const MOST: usize = 1000;

/// Something that somebody did.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct Entry {
    /// Its number, from 1.
    #[serde(default)]
    number: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who: a user's name.
    who: String,
    /// By what: `session` or `token`.
    by: String,
    /// What.
    what: String,
}

/// Notes what somebody did.
///
/// # Errors
/// The store's.
pub(super) async fn note(app: &App, caller: &Caller, what: String) -> Result<(), Refused> {
    let entry = Entry {
        number: 0,
        at: Timestamp::now(),
        who: caller.name.clone(),
        by: match &caller.by {
            By::Session(_) => "session".into(),
            By::Token(id) => format!("token {id}"),
        },
        what,
    };
    let line = serde_json::to_string(&entry).map_err(|e| Refused::broken(&e))?;
    app.store.append(&Log::Audit, vec![line]).await?;
    Ok(())
}

/// From where.
#[derive(Deserialize, IntoParams)]
pub(super) struct Behind {
    /// Only entries with a higher number.
    #[serde(default)]
    behind: u64,
}

/// Who did what, in order.
#[utoipa::path(get, path = "/audit", operation_id = "audit", tag = "people", params(Behind), responses(
    (status = 200, body = Vec<Entry>),
    (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(super) async fn list(
    _: Admin,
    State(app): State<App>,
    Query(from): Query<Behind>,
) -> Result<Json<Vec<Entry>>, Refused> {
    let lines = app.store.read(&Log::Audit, from.behind, MOST).await?;
    let entry = |line: bramble_store::Line| {
        let entry: Entry = serde_json::from_str(&line.text).ok()?;
        Some(Entry {
            number: line.at,
            ..entry
        })
    };
    Ok(Json(lines.into_iter().filter_map(entry).collect()))
}
