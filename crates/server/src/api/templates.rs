//! Templates: what clusters are made after.

use super::audit::note;
use super::caller::{Admin, Viewer};
use super::names::label;
use super::problem::{Body, Problem, Refused};
use super::state::App;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bramble_store::record::{Button, Template};
use bramble_store::{Key, Kind, Stored, Typed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A template with its name.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NamedTemplate)]
pub(super) struct Named {
    /// Name: a DNS label.
    name: String,
    /// What is sent back with a changed one.
    version: String,
    /// What it says.
    #[serde(flatten)]
    template: Template,
}

impl Named {
    fn of(stored: Stored<Template>) -> Self {
        Self {
            name: stored.name,
            version: stored.version,
            template: stored.it,
        }
    }
}

/// A template to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewTemplate)]
pub(super) struct Wish {
    /// Name: a DNS label.
    name: String,
    /// What it says.
    #[serde(flatten)]
    template: Template,
}

/// A changed template.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChangedTemplate)]
pub(super) struct Changed {
    /// The version that it was read at: nobody overwrites what they have not seen.
    version: String,
    /// What it says.
    #[serde(flatten)]
    template: Template,
}

/// All templates.
#[utoipa::path(get, path = "/templates", operation_id = "templates", tag = "templates", responses(
    (status = 200, body = Vec<Named>), (status = 401, body = Problem),
))]
pub(super) async fn list(_: Viewer, State(app): State<App>) -> Result<Json<Vec<Named>>, Refused> {
    let all = app.store.all::<Template>().await?;
    Ok(Json(all.into_iter().map(Named::of).collect()))
}

/// Makes a template.
#[utoipa::path(post, path = "/templates", operation_id = "makeTemplate",
    tag = "templates", request_body = Wish, responses(
    (status = 201, body = Named), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 422, body = Problem, description = "its files would have mistakes"),
))]
pub(super) async fn make(
    Admin(caller): Admin,
    State(app): State<App>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Named>), Refused> {
    label(&wish.name)?;
    app.origins.check_here(&wish.template)?;
    let made = app.store.add(&wish.name, wish.template).await?;
    note(&app, &caller, format!("template {} made", made.name)).await?;
    Ok((StatusCode::CREATED, Json(Named::of(made))))
}

/// Changes a template. Clusters that were made after it stay as they are.
#[utoipa::path(put, path = "/templates/{name}", operation_id = "changeTemplate",
    tag = "templates", request_body = Changed,
    params(("name" = String, Path)), responses(
    (status = 200, body = Named), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn replace(
    Admin(caller): Admin,
    State(app): State<App>,
    Path(name): Path<String>,
    Body(changed): Body<Changed>,
) -> Result<Json<Named>, Refused> {
    app.origins.check_here(&changed.template)?;
    let changed = Stored {
        name: name.clone(),
        version: changed.version,
        it: changed.template,
    };
    let changed = app.store.save(changed).await?;
    note(&app, &caller, format!("template {name} changed")).await?;
    Ok(Json(Named::of(changed)))
}

/// Deletes a template that no button has.
#[utoipa::path(delete, path = "/templates/{name}", operation_id = "deleteTemplate",
    tag = "templates", params(("name" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(super) async fn delete(
    Admin(caller): Admin,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    let found = app.store.need::<Template>(&name).await?;
    let buttons = app.store.all::<Button>().await?;
    if let Some(button) = buttons.iter().find(|b| b.it.profile.template == name) {
        return Err(
            Refused::conflict(format!("button {} has template {name}", button.name))
                .hint("give the button another one first"),
        );
    }
    let key = Key::new(Kind::Template, &name);
    app.store.delete(&key, Some(&found.version)).await?;
    note(&app, &caller, format!("template {name} deleted")).await?;
    Ok(StatusCode::NO_CONTENT)
}
