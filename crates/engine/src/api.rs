//! The cluster's API as a second place where resources live. The engine orders; whoever knows
//! Kubernetes carries out.

use crate::Sessions;
use async_trait::async_trait;
use bramble_machine::{Verb, step::ApiStep};
use serde::Serialize;
use std::time::Duration;

/// A difference in the API.
#[derive(Debug, Clone, Serialize)]
pub struct ApiChange {
    /// Id of the resource.
    pub id: String,
    /// What kind of change.
    pub verb: Verb,
    /// One line.
    pub summary: String,
    /// Difference of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What is said while an API step runs.
#[derive(Debug, Clone)]
pub enum ApiProgress {
    /// A resource was changed.
    Changed {
        /// Its id.
        id: String,
    },
    /// Waiting for something.
    Waiting {
        /// For what.
        what: String,
        /// Since when.
        since: Duration,
        /// How long at most.
        limit: Duration,
    },
}

/// Why the API could not be asked or changed; a text for people and lines that explain it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What went wrong, with remedy.
    pub message: String,
    /// Lines that explain it.
    pub log: Vec<String>,
}

/// The API as the engine sees it.
#[async_trait]
pub trait ApiPlace: Send + Sync {
    /// What would change; `None` while there is no API yet.
    async fn plan(
        &self,
        sessions: &Sessions,
        steps: &[ApiStep],
    ) -> Result<Option<Vec<Vec<ApiChange>>>, ApiError>;

    /// Makes one step's changes; gives the number of changes made.
    async fn apply(
        &self,
        sessions: &Sessions,
        step: &ApiStep,
        on: &(dyn Fn(ApiProgress) + Send + Sync),
    ) -> Result<usize, ApiError>;

    /// Whether a step does nothing but wait for what others do, so that it can be left at any time; what it has
    /// begun is taken back by [`ApiPlace::leave`].
    fn can_be_left(&self, _step: &ApiStep) -> bool {
        false
    }

    /// Takes back what a step has begun that was left.
    async fn leave(&self, _sessions: &Sessions, _step: &ApiStep) -> Result<(), ApiError> {
        Ok(())
    }
}
