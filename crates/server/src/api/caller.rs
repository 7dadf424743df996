//! Who asks, and whether they may. A route takes one of [`Viewer`], [`Operator`], [`Admin`]: without it the
//! handler does not run.

use super::problem::Refused;
use super::state::App;
use crate::auth::{By, Caller};
use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use base64::Engine;
use bramble_secret::Secret;
use bramble_store::record::Role;
use cookie::Cookie;
use std::net::{IpAddr, SocketAddr};

/// The session's cookie. `__Host-`: only over TLS, only from and to this very host (RFC 6265bis, 4.1.3.2).
pub(super) const SESSION: &str = "__Host-bramble";

/// Somebody who may look.
pub(super) struct Viewer(pub Caller);

/// Somebody who may change clusters.
pub(super) struct Operator(pub Caller);

/// Somebody who may change everything.
pub(super) struct Admin(pub Caller);

macro_rules! extractor {
    ($name:ident, $role:expr) => {
        impl<S: Send + Sync> FromRequestParts<S> for $name
        where
            App: FromRef<S>,
        {
            type Rejection = Refused;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
                allowed(parts, &App::from_ref(state), $role)
                    .await
                    .map($name)
            }
        }
    };
}

extractor!(Viewer, Role::Viewer);
extractor!(Operator, Role::Operator);
extractor!(Admin, Role::Admin);

/// A program that tells the lights something: an operator's token, also as the password of basic authentication
/// (RFC 7617), because that is all that some senders of webhooks know. Whatever user name they send is ignored.
pub(super) struct Sender;

impl<S: Send + Sync> FromRequestParts<S> for Sender
where
    App: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let app = App::from_ref(state);
        let token = match basic(&parts.headers) {
            Some(token) => Some(token),
            None => bearer(&parts.headers).map(Secret::new),
        };
        // No cookie: a page has no business here.
        let token = token.ok_or_else(Refused::stranger)?;
        let caller = app.auth.by_token(token.expose()).await?;
        enough(caller, Role::Operator).map(|_| Self)
    }
}

async fn allowed(parts: &Parts, app: &App, role: Role) -> Result<Caller, Refused> {
    enough(recognized(parts, app).await?, role)
}

fn enough(caller: Option<Caller>, role: Role) -> Result<Caller, Refused> {
    let caller = caller.ok_or_else(Refused::stranger)?;
    if caller.role >= role {
        return Ok(caller);
    }
    let (needs, has) = (word(role), word(caller.role));
    Err(Refused::forbidden(format!(
        "{} is {has}; this is for {needs}s",
        caller.name
    )))
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

async fn recognized(parts: &Parts, app: &App) -> Result<Option<Caller>, Refused> {
    if let Some(token) = bearer(&parts.headers) {
        return Ok(app.auth.by_token(token).await?);
    }
    let Some(cookie) = session(&parts.headers) else {
        return Ok(None);
    };
    let caller = app.auth.by_cookie(&cookie).await?;
    // A token is sent on purpose; a cookie goes along with whatever some page makes a browser ask.
    if caller.is_some() && !parts.method.is_safe() {
        same_origin(&parts.headers, &parts.uri)?;
    }
    Ok(caller)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The password of basic authentication.
fn basic(headers: &HeaderMap) -> Option<Secret> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, pair) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = base64::engine::general_purpose::STANDARD.decode(pair.trim());
    let pair = String::from_utf8(pair.ok()?).ok()?;
    let (_, password) = pair.split_once(':')?;
    Some(Secret::new(password))
}

fn session(headers: &HeaderMap) -> Option<String> {
    let all = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok());
    let mut cookies = all.flat_map(Cookie::split_parse).flatten();
    let found = cookies.find(|cookie| cookie.name() == SESSION)?;
    Some(found.value().to_owned())
}

/// Refuses what a page from elsewhere makes a browser send. Browsers name the page's origin with every request
/// that changes something.
///
/// # Errors
/// 403 where there is none or it is another one.
pub(super) fn same_origin(headers: &HeaderMap, uri: &Uri) -> Result<(), Refused> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let origin = text(ORIGIN).and_then(|o| o.strip_prefix("https://"));
    // HTTP/2 has `:authority` instead of a Host header (RFC 9113, 8.3.1).
    let host = uri.authority().map(Authority::as_str).or(text(HOST));
    match (origin, host) {
        (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Refused::forbidden("this request comes from another page")
            .hint("programs send a token instead of a cookie")),
    }
}

/// Where a request comes from.
pub(super) struct From(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let ConnectInfo(address) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|e| Refused::broken(&e))?;
        Ok(Self(address.ip()))
    }
}

/// The name of the caller's session, if that is how they came.
pub(super) fn session_of(caller: &Caller) -> Option<&str> {
    match &caller.by {
        By::Session(name) => Some(name),
        By::Token(_) => None,
    }
}
