//! What the daemon remembers: clusters, the pool's machines, templates, runs, buttons, people. One trait
//! ([`Store`]) with two homes: [`Sqlite`] needs nothing else, [`Kubernetes`] is for several daemons at once.
//!
//! Invariants:
//! - What was answered with success is on the disk: it outlives `kill -9` and the power.
//! - Nobody overwrites what they have not seen: a document is replaced only at the version that was read.
//! - A document is whole or not there; a home never shows half of a change.
//! - The store decides nothing: what a record may say is the business of who writes it.

mod document;
mod error;
mod kubernetes;
pub mod record;
mod sqlite;
mod store;
mod typed;

pub use document::{Change, Document, Key, Kind, Line, Log};
pub use error::Error;
pub use kubernetes::{
    Candidate, Declared, Kubernetes, KubernetesSettings, Lead, Renewal, Terms, definitions,
};
pub use sqlite::Sqlite;
pub use store::Store;
pub use typed::{Record, Stored, Typed};
