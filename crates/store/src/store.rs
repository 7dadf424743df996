//! The trait of all homes.

use crate::document::{Change, Document, Key, Kind, Line, Log};
use crate::error::Error;
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::broadcast;

/// A home of documents and logs. What a call answered with success is kept for good.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A document, if it is there.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Closed`].
    async fn get(&self, key: &Key) -> Result<Option<Document>, Error>;

    /// All documents of a kind, by name.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Closed`].
    async fn list(&self, kind: Kind) -> Result<Vec<Document>, Error>;

    /// Makes a document that is not there yet: of several who try at once one succeeds.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Home`], [`Error::Closed`].
    async fn create(&self, key: &Key, body: Value) -> Result<Document, Error>;

    /// Replaces a document that nobody has changed since it was read. Where it says the same already it may keep
    /// its version, and no change is told.
    ///
    /// # Errors
    /// [`Error::Changed`], [`Error::Missing`]; [`Error::Home`], [`Error::Closed`].
    async fn replace(&self, document: &Document) -> Result<Document, Error>;

    /// Deletes a document; with a version only at that one. Whether it was there.
    ///
    /// # Errors
    /// [`Error::Changed`]; [`Error::Home`], [`Error::Closed`].
    async fn delete(&self, key: &Key, version: Option<&str>) -> Result<bool, Error>;

    /// Adds lines at the end of a log; the place of the last one.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Closed`].
    async fn append(&self, log: &Log, lines: Vec<String>) -> Result<u64, Error>;

    /// Lines of a log behind a place (0 = from its begin), at most so many.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Closed`].
    async fn read(&self, log: &Log, behind: u64, limit: usize) -> Result<Vec<Line>, Error>;

    /// Lines of a log before a place (`u64::MAX` = from its end), the last one first, at most so many.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Closed`].
    async fn read_back(&self, log: &Log, before: u64, limit: usize) -> Result<Vec<Line>, Error>;

    /// Drops the lines of a log up to a place; `u64::MAX` = all of them.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Closed`].
    async fn prune(&self, log: &Log, up_to: u64) -> Result<(), Error>;

    /// Drops a log with its places: another one of that name begins at 1.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Closed`].
    async fn forget(&self, log: &Log) -> Result<(), Error>;

    /// Whether there is room for more. It is cheap: something is tried only where there was none before.
    ///
    /// # Errors
    /// [`Error::Full`]; [`Error::Home`], [`Error::Closed`].
    async fn room(&self) -> Result<(), Error> {
        Ok(())
    }

    /// What changes from now on. Who is too slow to read it is told so by the receiver and reads all anew.
    fn changes(&self) -> broadcast::Receiver<Change>;
}
