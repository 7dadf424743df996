//! Whether the database can grow: a disk that is full is no fault of what was asked for.

use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What is tried to be kept: more than most documents have.
const TRIED: usize = 64 * 1024;

/// What is known of the room on the disk.
pub(super) struct Room {
    /// The database's folder.
    folder: PathBuf,
    /// Whether the last that was to be kept found none.
    full: AtomicBool,
}

impl Room {
    pub(super) fn of(database: &Path) -> Self {
        Self {
            folder: database.parent().unwrap_or(database).to_owned(),
            full: AtomicBool::new(false),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Remembers that there is none.
    pub(super) fn is_out(&self) {
        self.full.store(true, Ordering::Relaxed);
    }

    /// Keeps something as large as most documents and drops it again. Done only where there was no room before.
    pub(super) fn try_again(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute(
            "INSERT OR REPLACE INTO line VALUES ('room', 0, ?1)",
            [" ".repeat(TRIED)],
        )?;
        connection.execute("DELETE FROM line WHERE log = 'room'", [])?;
        self.full.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether SQLite failed for want of room.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use crate::{Error, Key, Kind, Sqlite, Store};
    use serde_json::json;

    /// Lets the database have so many pages at most.
    async fn limit(store: &Sqlite, pages: u32) {
        let limited = store.call("limit it", move |connection| {
            connection.pragma_update(None, "max_page_count", pages)?;
            Ok(((), None))
        });
        limited.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_is_named_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
        let key = |name: &str| Key::new(Kind::Setting, name);
        let large = json!({ "text": "a".repeat(200_000) });
        assert!(store.room().await.is_ok());
        limit(&store, 16).await;
        let error = store
            .create(&key("large"), large.clone())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Full { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(folder.path().to_str().unwrap()), "{said}");
        assert!(error.hint().unwrap().contains("make room"));
        let told = store.room().await;
        assert!(matches!(told, Err(Error::Full { .. })), "{told:?}");
        // What is there can be read all the same.
        assert!(store.get(&key("large")).await.unwrap().is_none());
        limit(&store, 10_000).await;
        store.room().await.unwrap();
        store.create(&key("large"), large).await.unwrap();
    }
}
