//! Webhooks for lights that stand alone, at the addresses that the daemon has for them.

use crate::error::{CliError, Explain};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bramble_lights::sender;
use bramble_lights::sources::{BadBody, alertmanager, kubewatch};
use bramble_lights::{Input, Panel};
use bramble_secret::Secret;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Most bytes of a message.
const LARGEST: usize = 1024 * 1024;

/// Shortest token, in characters.
const SHORTEST: usize = 16;

#[derive(Clone)]
struct Hooks {
    panel: Arc<Panel>,
    token: Option<Arc<Secret>>,
}

type Answer = Result<StatusCode, (StatusCode, String)>;

/// Listens at an address. Without a token only where no other computer can send.
pub async fn bind(address: SocketAddr, token: Option<&Secret>) -> Result<TcpListener, CliError> {
    match token {
        None if !address.ip().is_loopback() => {
            let what = format!("everybody could send to {address}");
            let hint = "name a file with a token: --token-file FILE; or listen at 127.0.0.1 alone";
            return Err(CliError::usage(what).hint(hint));
        }
        Some(token) if token.expose().len() < SHORTEST => {
            let what = format!("the token is shorter than {SHORTEST} characters");
            return Err(CliError::usage(what).hint("openssl rand -hex 16 makes one"));
        }
        _ => {}
    }
    let listener = TcpListener::bind(address).await;
    listener.explain(format!("{address} can't be listened at"))
}

/// Takes webhooks in for ever.
pub async fn serve(
    listener: TcpListener,
    panel: Arc<Panel>,
    token: Option<Secret>,
) -> Result<(), CliError> {
    let hooks = Hooks {
        panel,
        token: token.map(Arc::new),
    };
    let router = Router::new()
        .route("/api/v1/hooks/kubewatch", post(of_kubewatch))
        .route("/api/v1/hooks/alertmanager", post(of_alertmanager))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(hooks);
    let served = axum::serve(listener, router).await;
    served.explain("webhooks can't be taken in any more")
}

async fn of_kubewatch(hooks: State<Hooks>, headers: HeaderMap, body: Bytes) -> Answer {
    hear(&hooks, &headers, &body, kubewatch::inputs)
}

async fn of_alertmanager(hooks: State<Hooks>, headers: HeaderMap, body: Bytes) -> Answer {
    hear(&hooks, &headers, &body, alertmanager::inputs)
}

type Parser = fn(&[u8], Timestamp) -> Result<Vec<Input>, BadBody>;

fn hear(hooks: &Hooks, headers: &HeaderMap, body: &[u8], parse: Parser) -> Answer {
    if !allowed(hooks, headers) {
        let text = match hooks.token {
            Some(_) => "send the token: Authorization: Bearer, or as the password of basic auth\n",
            None => "send JSON as such: Content-Type: application/json\n",
        };
        return Err((StatusCode::UNAUTHORIZED, text.into()));
    }
    let inputs = parse(body, hooks.panel.now());
    let inputs =
        inputs.map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")))?;
    hooks.panel.hear_all(inputs);
    Ok(StatusCode::NO_CONTENT)
}

fn allowed(hooks: &Hooks, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(token) = &hooks.token else {
        // A page in a browser on this computer can't send JSON elsewhere unasked; a form it can.
        return text(CONTENT_TYPE).is_some_and(|kind| kind.contains("json"));
    };
    let sent = text(AUTHORIZATION).and_then(sender::token);
    // Of hashes: how long the comparison takes tells nothing of use.
    let hash = |secret: &Secret| Sha256::digest(secret.expose().as_bytes());
    sent.is_some_and(|sent| hash(&sent) == hash(token))
}
