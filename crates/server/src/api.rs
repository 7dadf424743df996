//! The API: REST with an OpenAPI description made from the same code, and server-sent events.
//!
//! Every route says in its arguments who may use it ([`caller`]): a route without such an argument is one of
//! the few that are for everybody (health, login, the first user).

mod audit;
mod buttons;
mod caller;
mod clusters;
mod health;
mod hooks;
mod lifetime;
mod lights;
mod live;
mod login;
mod names;
mod people;
mod pool;
mod press;
mod problem;
mod questions;
mod rights;
mod runs;
mod state;
mod templates;
mod tokens;
mod virtual_button;
mod whole;

pub use crate::limit::Limits;
pub(crate) use problem::nothing;
pub use problem::{Problem, Refused};
pub use state::{App, Ears};

use crate::page;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Most bytes of a request.
const LARGEST: usize = 1024 * 1024;

/// What every answer says about itself. The page is its own: nothing is loaded from elsewhere, nobody frames it.
/// No Strict-Transport-Security: it is for all ports of a host, and would end `http://` to whatever else listens there.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bramble",
        description = "The daemon of Bramble. Programs send a token (`Authorization: Bearer brt_...`), browsers their session's cookie."
    ),
    servers((url = "/api/v1"))
)]
struct Description;

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health::health))
        .routes(routes!(login::first))
        .routes(routes!(login::login))
        .routes(routes!(login::logout))
        .routes(routes!(login::me))
        .routes(routes!(login::password))
        .routes(routes!(people::list, people::make))
        .routes(routes!(people::role, people::delete))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::delete))
        .routes(routes!(clusters::list, clusters::make))
        .routes(routes!(clusters::from_template))
        .routes(routes!(clusters::one, clusters::replace, clusters::delete))
        .routes(routes!(questions::ask))
        .routes(routes!(runs::of_cluster, runs::make))
        .routes(routes!(runs::list))
        .routes(routes!(runs::one, runs::delete))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::events))
        .routes(routes!(pool::machines, pool::add_machine))
        .routes(routes!(pool::machine, pool::delete_machine))
        .routes(routes!(templates::list, templates::make))
        .routes(routes!(templates::replace, templates::delete))
        .routes(routes!(buttons::list, buttons::make))
        .routes(routes!(buttons::replace, buttons::delete))
        .routes(routes!(press::press))
        .routes(routes!(virtual_button::press))
        .routes(routes!(virtual_button::screen))
        .routes(routes!(hooks::kubewatch))
        .routes(routes!(hooks::alertmanager))
        .routes(routes!(lights::shown))
        .routes(routes!(lights::events))
        .routes(routes!(lights::rules, lights::replace))
        .routes(routes!(lights::self_test))
        .routes(routes!(lights::acknowledge))
        .routes(routes!(live::changes))
        .routes(routes!(audit::list))
}

/// The routes of the API below `/api/v1` and the web page beside them, with the headers that all answers have.
pub fn router(app: App) -> Router {
    let (routes, _) = routes().split_for_parts();
    Router::new()
        .nest("/api/v1", routes)
        .route("/api/openapi.json", axum::routing::get(described))
        .fallback(page::page)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(from_fn_with_state(whole::Room::new(), whole::whole))
        .layer(axum::middleware::map_response(headed))
        .with_state(app)
}

/// The OpenAPI description, as pretty JSON.
///
/// # Errors
/// When it can't be written as JSON.
pub fn description() -> Result<String, serde_json::Error> {
    let (_, description) = routes().split_for_parts();
    let mut text = description.to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

async fn described() -> Result<Response, Refused> {
    use axum::response::IntoResponse;
    let text = description().map_err(|e| Refused::broken(&e))?;
    let kind = [(axum::http::header::CONTENT_TYPE, "application/json")];
    Ok((kind, text).into_response())
}

async fn headed(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        let headers = response.headers_mut();
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
