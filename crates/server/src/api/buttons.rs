//! Buttons that are believed.

use super::audit::note;
use super::caller::{Admin, Viewer};
use super::lifetime::lifetime;
use super::problem::{Body, Problem, Refused};
use super::state::App;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bramble_button::ButtonId;
use bramble_store::record::{Button, Profile, Template};
use bramble_store::{Key, Kind, Stored, Typed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Network plug-ins that a profile may name: those that need nothing besides the cluster file.
const PLUGINS: [&str; 2] = ["routed", "none"];

/// A button.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Button)]
pub(super) struct View {
    /// Its id.
    id: String,
    /// What a press does.
    profile: Profile,
    /// Its cluster, if it has made one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    /// Whether it signs what it says; an old one can't.
    signed: bool,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
}

impl View {
    fn of(stored: Stored<Button>) -> Self {
        Self {
            id: stored.name,
            profile: stored.it.profile,
            cluster: stored.it.cluster,
            signed: !stored.it.key.is_empty(),
            created: stored.it.created,
        }
    }
}

/// A button to be believed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewButton)]
pub(super) struct Wish {
    /// Its id, a DNS label of at most 40 characters; of an old button the name that it says.
    id: String,
    /// What a press does.
    profile: Profile,
    /// Whether it signs what it says.
    #[serde(default = "yes")]
    signed: bool,
}

fn yes() -> bool {
    true
}

/// What a press does from now on.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ChangedButton)]
pub(super) struct Changed {
    /// What a press does.
    profile: Profile,
}

/// A button that is new.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MadeButton)]
pub(super) struct Made {
    /// The button.
    #[serde(flatten)]
    button: View,
    /// Its key in hexadecimal digits, for its settings. It is told this once and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// All buttons.
#[utoipa::path(get, path = "/buttons", operation_id = "buttons", tag = "buttons", responses(
    (status = 200, body = Vec<View>), (status = 401, body = Problem),
))]
pub(super) async fn list(_: Viewer, State(app): State<App>) -> Result<Json<Vec<View>>, Refused> {
    let all = app.store.all::<Button>().await?;
    Ok(Json(all.into_iter().map(View::of).collect()))
}

/// Makes a button known.
#[utoipa::path(post, path = "/buttons", operation_id = "makeButton", tag = "buttons", request_body = Wish, responses(
    (status = 201, body = Made), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn make(
    Admin(caller): Admin,
    State(app): State<App>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Made>), Refused> {
    let id: Result<ButtonId, _> = wish.id.parse();
    id.map_err(|e| Refused::wrong(e.to_string()))?;
    sound(&app, &wish.profile).await?;
    let key = match wish.signed {
        true => Some(fresh_key()?),
        false => None,
    };
    let button = Button {
        key: key.clone().unwrap_or_default(),
        profile: wish.profile,
        cluster: None,
        last: 0,
        nonce: String::new(),
        created: Timestamp::now(),
    };
    let made = app.store.add(&wish.id, button).await?;
    note(&app, &caller, format!("button {} made known", wish.id)).await?;
    let button = View::of(made);
    Ok((StatusCode::CREATED, Json(Made { button, key })))
}

/// Changes what a press of a button does.
#[utoipa::path(put, path = "/buttons/{id}", operation_id = "changeButton", tag = "buttons", request_body = Changed,
    params(("id" = String, Path)), responses(
    (status = 200, body = View), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn replace(
    Admin(caller): Admin,
    State(app): State<App>,
    Path(id): Path<String>,
    Body(changed): Body<Changed>,
) -> Result<Json<View>, Refused> {
    sound(&app, &changed.profile).await?;
    let change = |it: &mut Button| {
        it.profile = changed.profile.clone();
        Ok::<_, bramble_store::Error>(())
    };
    let button = app.store.change(&id, change).await?;
    note(&app, &caller, format!("profile of button {id} changed")).await?;
    Ok(Json(View::of(button)))
}

/// Forgets a button: what it says is nobody's from now on. Its cluster stays.
#[utoipa::path(delete, path = "/buttons/{id}", operation_id = "deleteButton",
    tag = "buttons", params(("id" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub(super) async fn delete(
    Admin(caller): Admin,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let key = Key::new(Kind::Button, &id);
    if !app.store.delete(&key, None).await? {
        return Err(Refused::missing(format_args!("button {id:?}")));
    }
    note(&app, &caller, format!("button {id} forgotten")).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sound(app: &App, profile: &Profile) -> Result<(), Refused> {
    if let Some(plugin) = &profile.plugin
        && !PLUGINS.contains(&plugin.as_str())
    {
        return Err(Refused::wrong(format!(
            "profile.plugin: there is no plug-in {plugin:?} here"
        ))
        .hint(format!("plug-ins are: {}", PLUGINS.join(", "))));
    }
    lifetime("profile.lifetime", profile.lifetime)?;
    if app
        .store
        .find::<Template>(&profile.template)
        .await?
        .is_none()
    {
        return Err(
            Refused::wrong(format!("there is no template {:?}", profile.template))
                .hint("make it first"),
        );
    }
    Ok(())
}

fn fresh_key() -> Result<String, Refused> {
    let key: [u8; 32] = bramble_keys::random().map_err(|e| Refused::broken(&e))?;
    Ok(hex::encode(key))
}
