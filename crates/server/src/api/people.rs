//! Users.

use super::audit::note;
use super::caller::Admin;
use super::problem::{Body, Problem, Refused};
use super::state::App;
use crate::auth::PersonView;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bramble_secret::Secret;
use bramble_store::record::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody who may log in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    /// Name.
    name: String,
    /// What they may do.
    role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
}

impl From<PersonView> for Person {
    fn from(view: PersonView) -> Self {
        Self {
            name: view.name,
            role: view.role,
            created: view.created,
        }
    }
}

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewPerson {
    /// Name: 1 to 40 lower case letters, digits, `-`, `_`, `.`, `@`.
    name: String,
    /// Password: 10 to 200 characters.
    #[schema(format = Password)]
    password: String,
    /// What they may do.
    role: Role,
}

/// What a user may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewRole {
    /// What they may do.
    role: Role,
}

/// All users.
#[utoipa::path(get, path = "/users", operation_id = "users", tag = "people", responses(
    (status = 200, body = Vec<Person>), (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(super) async fn list(_: Admin, State(app): State<App>) -> Result<Json<Vec<Person>>, Refused> {
    let all = app.auth.people().await?;
    Ok(Json(all.into_iter().map(Person::from).collect()))
}

/// Makes a user.
#[utoipa::path(post, path = "/users", operation_id = "makeUser", tag = "people", request_body = NewPerson, responses(
    (status = 201), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn make(
    Admin(caller): Admin,
    State(app): State<App>,
    Body(body): Body<NewPerson>,
) -> Result<StatusCode, Refused> {
    let password = Secret::new(body.password);
    app.auth.make_user(&body.name, &password, body.role).await?;
    note(&app, &caller, format!("user {} made", body.name)).await?;
    Ok(StatusCode::CREATED)
}

/// Changes what a user may do.
#[utoipa::path(patch, path = "/users/{name}", operation_id = "changeRole", tag = "people", request_body = NewRole,
    params(("name" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn role(
    Admin(caller): Admin,
    State(app): State<App>,
    Path(name): Path<String>,
    Body(body): Body<NewRole>,
) -> Result<StatusCode, Refused> {
    app.auth.change_role(&name, body.role).await?;
    let what = format!("user {name} has the role {:?}", body.role);
    note(&app, &caller, what.to_lowercase()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a user with sessions and tokens.
#[utoipa::path(delete, path = "/users/{name}", operation_id = "deleteUser",
    tag = "people", params(("name" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(super) async fn delete(
    Admin(caller): Admin,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    app.auth.delete_user(&name).await?;
    note(&app, &caller, format!("user {name} deleted")).await?;
    Ok(StatusCode::NO_CONTENT)
}
