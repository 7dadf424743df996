//! Webhooks: what happens in clusters, told to the lights. Senders log in with an operator's token, as a bearer
//! token or as the password of basic authentication, which is all that some of them know.

use super::caller::Sender;
use super::problem::{Problem, Refused};
use super::state::App;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use bramble_lights::Input;
use bramble_lights::sources::{self, BadBody};

/// From kubewatch: its webhook in every form since 2018, or its CloudEvents.
#[utoipa::path(post, path = "/hooks/kubewatch", operation_id = "hearKubewatch", tag = "lights",
    request_body(content = Object, description = "as kubewatch sends it", content_type = "application/json"),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem, description = "not a message of kubewatch"),
))]
pub(super) async fn kubewatch(
    _: Sender,
    State(app): State<App>,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let inputs = sources::kubewatch::inputs(&body, app.lights.now());
    hear(&app, "kubewatch", inputs)
}

/// From Alertmanager: its webhook, version 4.
#[utoipa::path(post, path = "/hooks/alertmanager", operation_id = "hearAlertmanager", tag = "lights",
    request_body(content = Object, description = "as Alertmanager sends it", content_type = "application/json"),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem, description = "not a message of Alertmanager"),
))]
pub(super) async fn alertmanager(
    _: Sender,
    State(app): State<App>,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let inputs = sources::alertmanager::inputs(&body, app.lights.now());
    hear(&app, "Alertmanager", inputs)
}

fn hear(app: &App, who: &str, inputs: Result<Vec<Input>, BadBody>) -> Result<StatusCode, Refused> {
    let inputs = inputs.map_err(|error| {
        Refused::wrong(error.to_string()).hint(format!("this address is for the webhook of {who}"))
    })?;
    app.lights.hear_all(inputs);
    Ok(StatusCode::NO_CONTENT)
}
