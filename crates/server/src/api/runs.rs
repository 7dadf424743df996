//! Runs.

use super::audit::note;
use super::caller::{Operator, Viewer};
use super::live;
use super::problem::{Body, Problem, Query, Refused};
use super::state::App;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use bramble_store::record::{Actor, Cluster, End, Run, State as Kept, Verb};
use bramble_store::{Stored, Typed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Run)]
pub(super) struct View {
    /// Name: the cluster's, a hyphen, a number.
    name: String,
    /// Its cluster.
    cluster: String,
    /// What it does.
    verb: Verb,
    /// Who asked for it.
    by: Actor,
    /// How far it is.
    state: Standing,
    /// Whether somebody wants it to stop.
    cancel: bool,
    /// Per cent; 100 only once all is done.
    percent: u8,
    /// What it does just now.
    #[serde(skip_serializing_if = "String::is_empty")]
    step: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    asked: Timestamp,
    /// When it was first heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    started: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended: Option<Timestamp>,
}

/// How far a run is.
#[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) enum Standing {
    /// Asked for, and kept.
    Accepted,
    /// Under way.
    Running,
    /// All of it is done.
    Done,
    /// A part of it failed.
    Failed,
    /// Stopped by somebody.
    Cancelled,
}

impl View {
    pub(super) fn of(stored: Stored<Run>) -> Self {
        let Stored { name, it, .. } = stored;
        let state = match it.state {
            Kept::Accepted => Standing::Accepted,
            Kept::Running => Standing::Running,
            Kept::Ended(End::Done) => Standing::Done,
            Kept::Ended(End::Failed) => Standing::Failed,
            Kept::Ended(End::Cancelled) => Standing::Cancelled,
        };
        let percent = match state {
            Standing::Done => 100,
            _ => it.progress.percent(),
        };
        Self {
            name,
            cluster: it.cluster,
            verb: it.verb,
            by: it.by,
            state,
            cancel: it.cancel,
            percent,
            step: it.progress.step,
            reason: it.reason,
            asked: it.asked,
            started: it.started,
            ended: it.ended,
        }
    }
}

/// What a run is to do.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRun)]
pub(super) struct Wish {
    /// `up` or `down`.
    verb: Verb,
    /// For `down`: the cluster's name once more. What it holds is lost.
    #[serde(default)]
    confirm: Option<String>,
}

/// From where.
#[derive(Deserialize, IntoParams)]
pub(super) struct Behind {
    /// Only events with a higher number; a `Last-Event-ID` header says the same.
    #[serde(default)]
    behind: u64,
}

/// All runs, the newest first.
#[utoipa::path(get, path = "/runs", operation_id = "runs", tag = "runs", responses(
    (status = 200, body = Vec<View>), (status = 401, body = Problem),
))]
pub(super) async fn list(_: Viewer, State(app): State<App>) -> Result<Json<Vec<View>>, Refused> {
    let all = app.store.all::<Run>().await?;
    Ok(Json(newest_first(all)))
}

/// The runs of a cluster, the newest first.
#[utoipa::path(get, path = "/clusters/{name}/runs", operation_id = "runsOfCluster",
    tag = "runs", params(("name" = String, Path)), responses(
    (status = 200, body = Vec<View>), (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(super) async fn of_cluster(
    _: Viewer,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Vec<View>>, Refused> {
    app.store.need::<Cluster>(&name).await?;
    let mut all = app.store.all::<Run>().await?;
    all.retain(|run| run.it.cluster == name);
    Ok(Json(newest_first(all)))
}

fn newest_first(mut all: Vec<Stored<Run>>) -> Vec<View> {
    all.sort_by_key(|run| std::cmp::Reverse(run.it.asked));
    all.into_iter().map(View::of).collect()
}

/// One run.
#[utoipa::path(get, path = "/runs/{run}", operation_id = "run", tag = "runs", params(("run" = String, Path)), responses(
    (status = 200, body = View), (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(super) async fn one(
    _: Viewer,
    State(app): State<App>,
    Path(run): Path<String>,
) -> Result<Json<View>, Refused> {
    Ok(Json(View::of(app.store.need::<Run>(&run).await?)))
}

/// Starts a run. Once this is answered it will be carried out, whatever becomes of the daemon.
#[utoipa::path(post, path = "/clusters/{name}/runs", operation_id = "startRun", tag = "runs", request_body = Wish,
    params(("name" = String, Path)), responses(
    (status = 202, body = View), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem, description = "one is not over; it is named"),
    (status = 422, body = Problem, description = "`down` without the cluster's name"),
))]
pub(super) async fn make(
    Operator(caller): Operator,
    State(app): State<App>,
    Path(name): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<View>), Refused> {
    if wish.verb == Verb::Down && wish.confirm.as_deref() != Some(name.as_str()) {
        return Err(Refused::wrong(
            "taking a cluster down loses what it holds: `confirm` must be its name",
        )
        .hint(format!("send {{\"verb\":\"down\",\"confirm\":{name:?}}}")));
    }
    let by = Actor::User(caller.name.clone());
    let made = app.runs.accept(&name, wish.verb, by).await?;
    note(&app, &caller, format!("run {} asked for", made.name)).await?;
    Ok((StatusCode::ACCEPTED, Json(View::of(made))))
}

/// Asks a run to stop after the steps that it is at. The next one goes on where it stopped.
#[utoipa::path(post, path = "/runs/{run}/cancel", operation_id = "cancelRun",
    tag = "runs", params(("run" = String, Path)), responses(
    (status = 202, body = View), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem, description = "it is over"),
))]
pub(super) async fn cancel(
    Operator(caller): Operator,
    State(app): State<App>,
    Path(run): Path<String>,
) -> Result<(StatusCode, Json<View>), Refused> {
    let changed = app.runs.cancel(&run).await?;
    note(&app, &caller, format!("run {run} cancelled")).await?;
    Ok((StatusCode::ACCEPTED, Json(View::of(changed))))
}

/// Forgets a run that is over, with its events.
#[utoipa::path(delete, path = "/runs/{run}", operation_id = "deleteRun",
    tag = "runs", params(("run" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem, description = "it is not over"),
))]
pub(super) async fn delete(
    Operator(caller): Operator,
    State(app): State<App>,
    Path(run): Path<String>,
) -> Result<StatusCode, Refused> {
    app.runs.forget(&run).await?;
    note(&app, &caller, format!("run {run} forgotten")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What happens in a run, from its begin, as it comes: events of `bramble up --output json`. It ends with the run.
#[utoipa::path(get, path = "/runs/{run}/events", operation_id = "runEvents",
    tag = "runs", params(("run" = String, Path), Behind), responses(
    (status = 200, content_type = "text/event-stream", body = String),
    (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(super) async fn events(
    Viewer(caller): Viewer,
    State(app): State<App>,
    Path(run): Path<String>,
    Query(from): Query<Behind>,
    headers: HeaderMap,
) -> Result<Sse<impl futures::Stream<Item = live::Item>>, Refused> {
    app.store.need::<Run>(&run).await?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let last = last.and_then(|text| text.parse().ok());
    Ok(live::run(&app, caller, run, last.unwrap_or(from.behind)))
}
