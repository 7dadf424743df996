//! The lights, as their callers see them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says why it is skipped"
)]

mod bodies;
mod burst;
mod common;
mod files;
mod gpio;
mod panel;
mod shown;
mod state;
mod watched;
