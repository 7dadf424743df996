//! Tokens: one's own; an admin's are everybody's.

use super::audit::note;
use super::caller::Viewer;
use super::problem::{Body, Problem, Refused};
use super::state::App;
use crate::auth::{Caller, TokenView};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bramble_store::record::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest label.
const LONGEST: usize = 80;

/// A token, without what lets in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    /// Its public part.
    id: String,
    /// Whose it is.
    user: String,
    /// What it is for.
    label: String,
    /// What it may do at most.
    role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// Until when; for ever without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
}

impl From<TokenView> for Token {
    fn from(view: TokenView) -> Self {
        Self {
            id: view.id,
            user: view.user,
            label: view.label,
            role: view.role,
            created: view.created,
            expires: view.expires,
        }
    }
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewToken)]
pub(super) struct Wish {
    /// What it is for: up to 80 characters.
    label: String,
    /// What it may do at most; not more than who makes it.
    role: Role,
    /// Until when; for ever without.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
}

/// A token that was made. It is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MadeToken)]
pub(super) struct Made {
    /// Its public part.
    id: String,
    /// All of it.
    token: String,
}

/// Whose tokens a caller sees: their own, or everybody's.
fn scope(caller: &Caller) -> Option<&str> {
    (caller.role < Role::Admin).then_some(caller.name.as_str())
}

/// One's own tokens; everybody's for an admin.
#[utoipa::path(get, path = "/tokens", operation_id = "tokens", tag = "people", responses(
    (status = 200, body = Vec<Token>), (status = 401, body = Problem),
))]
pub(super) async fn list(
    Viewer(caller): Viewer,
    State(app): State<App>,
) -> Result<Json<Vec<Token>>, Refused> {
    let all = app.auth.tokens(scope(&caller)).await?;
    Ok(Json(all.into_iter().map(Token::from).collect()))
}

/// Makes a token for oneself, by a session: a token makes no token.
#[utoipa::path(post, path = "/tokens", operation_id = "makeToken", tag = "people", request_body = Wish, responses(
    (status = 201, body = Made), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 422, body = Problem),
))]
pub(super) async fn make(
    Viewer(caller): Viewer,
    State(app): State<App>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Made>), Refused> {
    if wish.label.chars().count() > LONGEST {
        return Err(Refused::wrong("a label has at most 80 characters"));
    }
    let made = app
        .auth
        .make_token(&caller, &wish.label, wish.role, wish.expires)
        .await?;
    note(&app, &caller, format!("token {} made", made.id)).await?;
    let made = Made {
        id: made.id,
        token: made.token.expose().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Deletes a token: one's own, or as an admin any.
#[utoipa::path(delete, path = "/tokens/{id}", operation_id = "deleteToken",
    tag = "people", params(("id" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub(super) async fn delete(
    Viewer(caller): Viewer,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    app.auth.delete_token(&id, scope(&caller)).await?;
    note(&app, &caller, format!("token {id} deleted")).await?;
    Ok(StatusCode::NO_CONTENT)
}
