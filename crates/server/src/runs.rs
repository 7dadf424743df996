//! Runs: accepted, carried out, followed, cancelled, found again.

mod child;
mod error;
mod events;
mod follow;
mod prune;
mod supervise;

pub use error::Error;
pub use events::Heard;
pub use supervise::{Runs, Settings};
