//! A press that comes over HTTPS, for a button on the daemon's own network.

use super::caller::From;
use super::problem::{Problem, Refused};
use super::state::App;
use crate::buttons::NotHeard;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// Hears a button: the body is its signed request, as it would be published over MQTT, and the answer is the signed report.
/// The signature is the right to it; tries without a good one are counted like tries of a password.
#[utoipa::path(post, path = "/buttons/{id}/press", tag = "buttons", security(()),
    params(("id" = String, Path)),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, body = Object, description = "the signed report"),
        (status = 403, body = Problem, description = "the button is not known, or signs with another key"),
        (status = 404, body = Problem, description = "the daemon hears no buttons"),
        (status = 409, body = Problem, description = "the request is old, or was heard before"),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ))]
pub(super) async fn press(
    State(app): State<App>,
    From(address): From,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    // A stranger learns who leads, but not as often as they like.
    let handler = match app.handler() {
        Ok(handler) => handler,
        Err(refused) => {
            app.count_try(address)?;
            return Err(refused);
        }
    };
    match handler.heard(&id, &body).await {
        Ok(report) => Ok(([(CONTENT_TYPE, "application/json")], report).into_response()),
        Err(error) => {
            if matches!(error, NotHeard::Garbage | NotHeard::Stranger { .. }) {
                app.count_try(address)?;
            }
            Err(error.into())
        }
    }
}

impl std::convert::From<NotHeard> for Refused {
    fn from(error: NotHeard) -> Self {
        let said = error.to_string();
        match error {
            NotHeard::Garbage => Self::wrong(said),
            NotHeard::Stranger { .. } => Self::forbidden(said)
                .hint("register it, or put the key that it got then into its settings"),
            NotHeard::Stale(_) | NotHeard::Raced => Self::conflict(said),
            NotHeard::Clock => Self::new(StatusCode::SERVICE_UNAVAILABLE, said),
            NotHeard::Store(error) => error.into(),
            NotHeard::Unspeakable(error) => Self::broken(&error),
        }
    }
}
