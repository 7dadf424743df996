//! Observe, plan, run: journal, events, facts and locks.
//!
//! Invariants:
//! - Knows nothing of Kubernetes or routers: it carries out what a blueprint says.
//! - [`plan`] is pure: no file, socket, clock or randomness.
//! - A machine that can't be reached never stops what does not depend on it.
//! - Nothing is changed on a machine without its lock, and not if its journal was written since it
//!   was looked at.

pub mod api;
mod apply;
pub mod arrival;
mod board;
mod doors;
pub mod event;
mod facts;
pub mod identity;
pub mod lock;
pub mod observe;
mod parts;
pub mod plan;
mod reader;
pub mod run;
mod stage;
pub mod together;
pub mod ways;

pub use api::{ApiChange, ApiPlace};
pub use event::{Event, Happened};
pub use observe::{Look, observe};
pub use plan::{Plan, Scope};
pub use run::{Outcome, run};

use std::collections::BTreeMap;

/// Open connections by machine name.
pub type Sessions = BTreeMap<String, bramble_fleet::Session>;

/// A random word that no tool prints by accident.
pub(crate) fn nonce() -> String {
    let mut bytes = [0u8; 12];
    // Without randomness from the system nothing else would work either; a fixed nonce is still
    // only a frame mark, not a secret.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = *b"bramble-mark";
    }
    format!("@{}", hex::encode(bytes))
}
