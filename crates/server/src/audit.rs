//! Who did what: the log that admins read.

use bramble_store::{Error, Log, Store};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Entries that are kept; the oldest are dropped.
const KEPT: u64 = 10_000;

/// How many are dropped at once.
const AT_ONCE: u64 = 100;

/// Something that somebody did.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct Entry {
    /// Its number, from 1.
    #[serde(default)]
    pub number: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who: a user's name, or a button's id.
    pub who: String,
    /// By what: `session`, `token` with its id, `link` of the first user, or `button`.
    pub by: String,
    /// What.
    pub what: String,
}

/// Notes what somebody did.
///
/// # Errors
/// The store's.
pub(crate) async fn note(
    store: &dyn Store,
    who: &str,
    by: &str,
    what: String,
) -> Result<(), Error> {
    let entry = Entry {
        number: 0,
        at: Timestamp::now(),
        who: who.to_owned(),
        by: by.to_owned(),
        what,
    };
    let line = serde_json::to_string(&entry).map_err(|e| Error::Home {
        what: "an entry of the audit log can't be written",
        source: e.into(),
    })?;
    let at = store.append(&Log::Audit, vec![line]).await?;
    if at.is_multiple_of(AT_ONCE) && at > KEPT {
        // What was done is noted all the same; the next time drops more.
        if let Err(error) = store.prune(&Log::Audit, at - KEPT).await {
            tracing::warn!("old entries of the audit log stay: {error}");
        }
    }
    Ok(())
}
