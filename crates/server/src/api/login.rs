//! Logging in and out, and the first user.

use super::audit::note;
use super::caller::{From, SESSION, Viewer, same_origin, session_of};
use super::problem::{Body, Problem, Refused};
use super::state::App;
use crate::{audit, auth};
use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bramble_secret::Secret;
use bramble_store::record::Role;
use cookie::{Cookie, SameSite, time::Duration};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;

/// The first user.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct First {
    /// What the link that the daemon printed ends with.
    link: String,
    /// Name.
    name: String,
    /// Password: 10 to 200 characters.
    #[schema(format = Password)]
    password: String,
}

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Login {
    /// Name.
    name: String,
    /// Password.
    #[schema(format = Password)]
    password: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Password {
    /// The one that is valid.
    #[schema(format = Password)]
    old: String,
    /// The one that shall be: 10 to 200 characters.
    #[schema(format = Password)]
    new: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// Name.
    name: String,
    /// What they may do.
    role: Role,
}

/// Makes the first user, an admin; the link works once.
#[utoipa::path(post, path = "/first", operation_id = "makeFirstUser",
    tag = "people", security(()), request_body = First, responses(
    (status = 204),
    (status = 403, body = Problem, description = "the link is not valid"),
    (status = 422, body = Problem), (status = 429, body = Problem),
))]
pub(super) async fn first(
    State(app): State<App>,
    From(address): From,
    Body(body): Body<First>,
) -> Result<StatusCode, Refused> {
    app.count_try(address)?;
    let password = Secret::new(body.password);
    app.auth
        .make_first(&body.link, &body.name, &password)
        .await?;
    let what = format!("user {} made, the first", body.name);
    audit::note(&*app.store, &body.name, "link", what).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets somebody in: the answer sets a cookie.
#[utoipa::path(post, path = "/login", tag = "people", security(()), request_body = Login, responses(
    (status = 200, body = Me),
    (status = 401, body = Problem), (status = 403, body = Problem, description = "from another page"),
    (status = 422, body = Problem), (status = 429, body = Problem),
))]
pub(super) async fn login(
    State(app): State<App>,
    From(address): From,
    uri: Uri,
    headers: HeaderMap,
    Body(body): Body<Login>,
) -> Result<Response, Refused> {
    // Nobody is logged in as somebody else by a page that they look at.
    same_origin(&headers, &uri)?;
    app.count_try(address)?;
    let password = Secret::new(body.password);
    let done = app.auth.log_in(&body.name, &password).await;
    let done = done.inspect_err(|error| tell(error, address))?;
    let age = i64::try_from(done.seconds).unwrap_or(i64::MAX);
    let cookie = cookie(done.cookie.expose(), Duration::seconds(age));
    let me = Me {
        name: body.name,
        role: done.role,
    };
    Ok(([(SET_COOKIE, cookie)], Json(me)).into_response())
}

/// Ends the session.
#[utoipa::path(post, path = "/logout", tag = "people", responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(super) async fn logout(
    Viewer(caller): Viewer,
    State(app): State<App>,
) -> Result<Response, Refused> {
    if let Some(session) = session_of(&caller) {
        app.auth.log_out(session).await?;
    }
    let cookie = cookie("", Duration::ZERO);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

/// Who is logged in.
#[utoipa::path(get, path = "/me", tag = "people", responses(
    (status = 200, body = Me), (status = 401, body = Problem),
))]
pub(super) async fn me(Viewer(caller): Viewer) -> Json<Me> {
    Json(Me {
        name: caller.name,
        role: caller.role,
    })
}

/// Changes one's own password; other sessions end.
#[utoipa::path(put, path = "/me/password", operation_id = "changePassword",
    tag = "people", request_body = Password, responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem),
))]
pub(super) async fn password(
    Viewer(caller): Viewer,
    State(app): State<App>,
    From(address): From,
    Body(body): Body<Password>,
) -> Result<StatusCode, Refused> {
    // A token that leaked opens no way in for a person.
    let Some(session) = session_of(&caller) else {
        return Err(Refused::forbidden(
            "a password is changed by who is logged in with it",
        ));
    };
    app.count_try(address)?;
    let old = Secret::new(body.old);
    let right = app.auth.check_password(&caller.name, &old).await;
    right.inspect_err(|error| tell(error, address))?;
    app.auth
        .change_password(&caller.name, &Secret::new(body.new), Some(session))
        .await?;
    note(&app, &caller, "own password changed".into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells the daemon's log of a wrong password. Not the name: it is what somebody typed, and may be a password.
fn tell(error: &auth::Error, address: IpAddr) {
    if matches!(error, auth::Error::Wrong) {
        tracing::warn!("{address} tried a wrong name or password");
    }
}

fn cookie(value: &str, age: Duration) -> String {
    Cookie::build((SESSION, value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(age)
        .build()
        .to_string()
}
