//! Whether the daemon answers.

use super::state::App;
use axum::Json;
use axum::extract::State;
use bramble_store::Error;
use serde::Serialize;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;

/// How long its store may take. Who asks often whether a daemon is there gives up soon.
const LIMIT: Duration = Duration::from_secs(3);

/// A daemon that answers.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Its release.
    version: &'static str,
    /// Whether what keeps its clusters, runs and users answers it.
    store: StoreHealth,
    /// Whether the first user is still to be made; missing where the store does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<bool>,
}

/// Whether a store answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum StoreHealth {
    /// It does.
    Answers,
    /// It does not: until it does, the daemon can say little and do nothing.
    Away,
    /// It does, and has no room for more: the disk is full, and nothing can be changed or begun.
    Full,
}

/// That the daemon is there, and whether its store answers.
#[utoipa::path(get, path = "/health", tag = "daemon", security(()), responses((status = 200, body = Health)))]
pub(super) async fn health(State(app): State<App>) -> Json<Health> {
    let first = match timeout(LIMIT, app.auth.awaits_first()).await {
        Ok(Ok(first)) => Some(first),
        Ok(Err(error)) => {
            tracing::warn!("the store does not answer: {error}");
            None
        }
        Err(_) => None,
    };
    let full = match timeout(LIMIT, app.store.room()).await {
        Ok(Err(error @ Error::Full { .. })) => {
            tracing::warn!("{error}");
            true
        }
        _ => false,
    };
    Json(Health {
        version: env!("CARGO_PKG_VERSION"),
        store: match first {
            Some(_) if full => StoreHealth::Full,
            Some(_) => StoreHealth::Answers,
            None => StoreHealth::Away,
        },
        first,
    })
}
