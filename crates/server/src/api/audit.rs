//! Who did what.

use super::caller::Admin;
use super::problem::{Problem, Query, Refused};
use super::state::App;
use crate::audit::{self, Entry};
use crate::auth::{By, Caller};
use axum::Json;
use axum::extract::State;
use bramble_store::Log;
use serde::Deserialize;
use utoipa::IntoParams;

/// Most entries of one answer.
const MOST: usize = 1000;

/// Notes what somebody did.
///
/// # Errors
/// The store's.
pub(super) async fn note(app: &App, caller: &Caller, what: String) -> Result<(), Refused> {
    let by = match &caller.by {
        By::Session(_) => "session".to_owned(),
        By::Token(id) => format!("token {id}"),
    };
    Ok(audit::note(&*app.store, &caller.name, &by, what).await?)
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only entries with a higher number, the oldest first: for who follows the log.
    behind: Option<u64>,
    /// Only entries with a lower number, the newest first: the lowest number of an answer asks for those before it,
    /// whatever is added meanwhile.
    before: Option<u64>,
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<usize>,
}

/// Who did what: the newest first, unless `behind` says otherwise.
#[utoipa::path(get, path = "/audit", operation_id = "audit", tag = "people", params(Which), responses(
    (status = 200, body = Vec<Entry>),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn list(
    _: Admin,
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Entry>>, Refused> {
    let limit = which.limit.unwrap_or(MOST);
    if !(1..=MOST).contains(&limit) {
        return Err(Refused::wrong(format!(
            "limit: {limit} is not from 1 to {MOST}"
        )));
    }
    let log = Log::Audit;
    let lines = match (which.behind, which.before) {
        (Some(_), Some(_)) => {
            return Err(Refused::wrong("behind and before exclude one another"));
        }
        (Some(behind), None) => app.store.read(&log, behind, limit).await?,
        (None, before) => {
            let before = before.unwrap_or(u64::MAX);
            app.store.read_back(&log, before, limit).await?
        }
    };
    let entry = |line: bramble_store::Line| {
        let entry: Entry = serde_json::from_str(&line.text).ok()?;
        Some(Entry {
            number: line.at,
            ..entry
        })
    };
    Ok(Json(lines.into_iter().filter_map(entry).collect()))
}
