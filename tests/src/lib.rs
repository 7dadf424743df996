//! What the whole-system tests are made with: labs of their own, the real `bramble` program, full
//! listings of machines.
//!
//! Invariants:
//! - a lab and everything else that a test made is gone when the test is over, however it ended;
//! - no test waits by sleeping: [`wait::until`] polls a condition and gives up at its limit;
//! - the user's own files are never read or written: the program gets a home of its own.

pub mod cloudflare;
pub mod daemon;
mod failure;
pub mod http;
pub mod kubectl;
pub mod listing;
pub mod program;
pub mod s3;
pub mod site;
pub mod wait;

pub use daemon::Daemon;
pub use listing::Listing;
pub use program::{Done, Running};
pub use site::Site;
pub use wait::{until, until_else};
