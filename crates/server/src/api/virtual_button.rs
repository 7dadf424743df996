//! A button in the browser.

use super::audit::note;
use super::caller::{Operator, Viewer};
use super::live::Item;
use super::problem::{Body, Problem, Refused};
use super::rights::while_known;
use super::state::App;
use crate::buttons::NoButton;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bramble_simulator::Frame;
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

/// A press.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VirtualPress)]
pub(super) struct Press {
    /// How long.
    press: Length,
}

/// How long a button is pressed.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PressLength)]
pub(super) enum Length {
    /// A cluster is wanted; or a removal is confirmed.
    Short,
    /// The cluster isn't wanted any more.
    Long,
}

/// What the display shows.
#[derive(Serialize, ToSchema)]
#[schema(as = ButtonScreen)]
pub(super) struct View {
    /// Pixels, 128 by 64, one bit each, rows from the top, in a byte the leftmost first; in base64.
    screen: String,
    /// Its lines of text.
    text: Vec<String>,
    /// Whether it is on.
    awake: bool,
    /// For so many milliseconds from now on it hears no press, since it shows its last screen.
    #[serde(rename = "deafFor", skip_serializing_if = "Option::is_none")]
    deaf_for: Option<u64>,
}

impl View {
    fn of(frame: &Frame) -> Self {
        let left = |until: Instant| until.saturating_duration_since(Instant::now()).as_millis();
        Self {
            screen: STANDARD.encode(frame.panel.bytes()),
            text: frame.lines(),
            awake: frame.screen.is_some(),
            deaf_for: frame.deaf_until.and_then(|at| left(at).try_into().ok()),
        }
    }
}

/// Presses the virtual twin of a button: it does what the button itself would.
#[utoipa::path(post, path = "/buttons/{id}/virtual", tag = "buttons", operation_id = "press_virtual_button", request_body = Press,
    params(("id" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn press(
    Operator(caller): Operator,
    State(app): State<App>,
    Path(id): Path<String>,
    Body(body): Body<Press>,
) -> Result<StatusCode, Refused> {
    let (press, word) = match body.press {
        Length::Short => (bramble_button::Press::Short, "short"),
        Length::Long => (bramble_button::Press::Long, "long"),
    };
    app.handler()?.press(&id, press).await?;
    note(
        &app,
        &caller,
        format!("button {id} pressed ({word}) in the browser"),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the display of a button's virtual twin shows: now, and whenever it changes.
#[utoipa::path(get, path = "/buttons/{id}/virtual/screen", tag = "buttons", operation_id = "virtual_button_screen",
    params(("id" = String, Path)), responses(
    (status = 200, content_type = "text/event-stream", body = View),
    (status = 401, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(super) async fn screen(
    Viewer(caller): Viewer,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Item> + use<>>, Refused> {
    let mut frames = app.handler()?.frames(&id).await?;
    frames.mark_changed();
    let events = stream::unfold(frames, |mut frames| async move {
        frames.changed().await.ok()?;
        let view = View::of(&frames.borrow_and_update());
        let event = Event::default().json_data(view).ok()?;
        Some((Ok(event), frames))
    });
    Ok(Sse::new(while_known(&app, caller, events)).keep_alive(KeepAlive::default()))
}

impl From<NoButton> for Refused {
    fn from(error: NoButton) -> Self {
        match error {
            NoButton::Store(error) => error.into(),
            NoButton::Deaf(_) => Self::conflict(error.to_string()),
            NoButton::Damaged(_) => {
                Self::conflict(error.to_string()).hint("forget it, and register it anew")
            }
        }
    }
}
