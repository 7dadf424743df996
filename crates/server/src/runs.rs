//! Runs: accepted, carried out, followed, cancelled, found again.

mod accept;
mod adopt;
mod child;
mod error;
mod events;
mod follow;
mod prune;
mod supervise;

pub(crate) use child::lives;
pub use error::Error;
pub use events::Heard;
pub use supervise::{Runs, Settings};
