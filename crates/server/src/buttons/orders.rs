//! What buttons can order.

use async_trait::async_trait;
use bramble_store::record::Profile;

/// Why an order is not taken, for a person in front of a small display.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// In a few words; the display shows 64 characters.
    pub reason: String,
    /// Whether the order may be kept all the same: nobody knows.
    pub unsure: bool,
}

impl Refusal {
    /// Because of this.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            unsure: false,
        }
    }

    /// Because of this, which says nothing about whether the order is kept.
    pub fn unsure(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            unsure: true,
        }
    }
}

/// Who carries out what buttons ask for. An order that is taken is kept, whatever becomes of the daemon; it returns once
/// the run is accepted, not when it has ended.
#[async_trait]
pub trait Orders: Send + Sync + 'static {
    /// Makes a cluster. The name is free, or that of the button's own cluster, which was not finished or failed and is
    /// to be tried again. Gives the name of the run.
    ///
    /// # Errors
    /// Why not.
    async fn begin(&self, button: &str, profile: &Profile, name: &str) -> Result<String, Refusal>;

    /// Takes a cluster of a button down. Gives the name of the run.
    ///
    /// # Errors
    /// Why not.
    async fn remove(&self, button: &str, cluster: &str) -> Result<String, Refusal>;
}
