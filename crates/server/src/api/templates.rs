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
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NamedTemplate)]
pub(super) struct Named {
    /// Name: a DNS label.
    name: String,
    /// What it says.
    #[serde(flatten)]
    template: Template,
}

impl Named {
    fn of(stored: Stored<Template>) -> Self {
        Self {
            name: stored.name,
            template: stored.it,
        }
    }
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
    tag = "templates", request_body = Named, responses(
    (status = 201, body = Named), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 422, body = Problem, description = "its files would have mistakes"),
))]
pub(super) async fn make(
    Admin(caller): Admin,
    State(app): State<App>,
    Body(wish): Body<Named>,
) -> Result<(StatusCode, Json<Named>), Refused> {
    label(&wish.name)?;
    app.origins.check_here(&wish.template)?;
    let made = app.store.add(&wish.name, wish.template).await?;
    note(&app, &caller, format!("template {} made", made.name)).await?;
    Ok((StatusCode::CREATED, Json(Named::of(made))))
}

/// Changes a template. Clusters that were made after it stay as they are.
#[utoipa::path(put, path = "/templates/{name}", operation_id = "changeTemplate",
    tag = "templates", request_body = Template,
    params(("name" = String, Path)), responses(
    (status = 200, body = Named), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn replace(
    Admin(caller): Admin,
    State(app): State<App>,
    Path(name): Path<String>,
    Body(template): Body<Template>,
) -> Result<Json<Named>, Refused> {
    app.origins.check_here(&template)?;
    let change = |it: &mut Template| {
        *it = template.clone();
        Ok::<_, bramble_store::Error>(())
    };
    let changed = app.store.change(&name, change).await?;
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
