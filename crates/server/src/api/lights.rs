//! The lights.

use super::audit::note;
use super::caller::{Admin, Operator, Viewer};
use super::live::Item;
use super::problem::{Body, Problem, Refused};
use super::rights::while_known;
use super::state::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use bramble_lights::Input;
use bramble_lights::file::{self, DEFAULT};
use bramble_lights::outputs::message::Shown;
use bramble_lights::sequence::Play;
use bramble_store::record::LightRules;
use bramble_store::{Stored, Typed};
use futures::Stream;
use futures::stream;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Between two events of a stream at least: what changes faster is told as it is then.
const PACE: Duration = Duration::from_millis(50);

/// How often a stream says that it is there while nothing changes: lights that follow it miss it soon.
const ALIVE: Duration = Duration::from_secs(5);

/// What the lights show when.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LightRulesView {
    /// The file: YAML of the kind `Lights`. The default one as long as there is no other.
    file: String,
    /// What is sent back with a changed file; missing as long as it is the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// A changed file.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LightRulesChanged {
    /// The file: YAML of the kind `Lights`.
    file: String,
    /// The version that it was read at: nobody overwrites what they have not seen.
    #[serde(default)]
    version: Option<String>,
}

/// What is shown, and why.
#[utoipa::path(get, path = "/lights", operation_id = "lights", tag = "lights", responses(
    (status = 200, body = Shown), (status = 401, body = Problem),
))]
pub(super) async fn shown(_: Viewer, State(app): State<App>) -> Json<Shown> {
    Json(Shown::of(&app.lights.lights(), app.lights.now()))
}

/// What is shown, now and whenever it changes: each event is what `GET /lights` answers.
#[utoipa::path(get, path = "/lights/events", operation_id = "lightEvents", tag = "lights", responses(
    (status = 200, content_type = "text/event-stream", body = String),
    (status = 401, body = Problem),
))]
pub(super) async fn events(
    Viewer(caller): Viewer,
    State(app): State<App>,
) -> Sse<impl Stream<Item = Item>> {
    let mut shown = app.lights.shown();
    shown.mark_changed();
    let events = stream::unfold(
        (app.lights.clone(), shown),
        |(panel, mut shown)| async move {
            shown.changed().await.ok()?;
            let now = Shown::of(&shown.borrow_and_update(), panel.now());
            // What has no JSON form is told as nothing; it always has one.
            let event = Event::default().json_data(now).unwrap_or_default();
            tokio::time::sleep(PACE).await;
            Some((Ok(event), (panel, shown)))
        },
    );
    Sse::new(while_known(&app, caller, events)).keep_alive(KeepAlive::new().interval(ALIVE))
}

/// The rules: which signal shows what.
#[utoipa::path(get, path = "/lights/rules", operation_id = "lightRules", tag = "lights", responses(
    (status = 200, body = LightRulesView), (status = 401, body = Problem),
))]
pub(super) async fn rules(
    _: Viewer,
    State(app): State<App>,
) -> Result<Json<LightRulesView>, Refused> {
    let found = app.store.find::<LightRules>(LightRules::NAME).await?;
    Ok(Json(match found {
        Some(found) => LightRulesView {
            file: found.it.file,
            version: Some(found.version),
        },
        None => LightRulesView {
            file: DEFAULT.into(),
            version: None,
        },
    }))
}

/// Changes the rules; they count at once, also for what is the case already.
#[utoipa::path(put, path = "/lights/rules", operation_id = "changeLightRules",
    tag = "lights", request_body = LightRulesChanged, responses(
    (status = 200, body = LightRulesView), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 422, body = Problem, description = "the file has mistakes"),
))]
pub(super) async fn replace(
    Admin(caller): Admin,
    State(app): State<App>,
    Body(changed): Body<LightRulesChanged>,
) -> Result<Json<LightRulesView>, Refused> {
    let rules = file::load("lights.yaml", &changed.file);
    let rules = rules.map_err(|problems| Refused::wrong(problems.to_string()))?;
    let name = LightRules::NAME;
    let it = LightRules { file: changed.file };
    let saved = match changed.version {
        None => app.store.add(name, it).await?,
        Some(version) => {
            let name = name.into();
            app.store.save(Stored { name, version, it }).await?
        }
    };
    app.lights.set_rules(rules);
    note(&app, &caller, "rules of the lights changed".into()).await?;
    Ok(Json(LightRulesView {
        file: saved.it.file,
        version: Some(saved.version),
    }))
}

/// Plays the self-test on all lights: every lamp once, and a beep.
#[utoipa::path(post, path = "/lights/self-test", operation_id = "testLights", tag = "lights", responses(
    (status = 202), (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(super) async fn self_test(
    Operator(caller): Operator,
    State(app): State<App>,
) -> Result<StatusCode, Refused> {
    app.lights.hear(Input::Play(Play::SelfTest));
    note(&app, &caller, "self-test of the lights".into()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Silences the beeper for what is the case now.
#[utoipa::path(post, path = "/lights/acknowledge", operation_id = "acknowledgeLights", tag = "lights", responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(super) async fn acknowledge(
    Operator(caller): Operator,
    State(app): State<App>,
) -> Result<StatusCode, Refused> {
    app.lights.hear(Input::Acknowledge);
    note(&app, &caller, "the lights acknowledged".into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
