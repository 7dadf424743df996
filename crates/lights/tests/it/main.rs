//! The lights, as their callers see them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panicking and says why it is skipped"
)]

mod bodies;
mod burst;
mod common;
mod elsewhere;
mod files;
mod gpio;
mod panel;
mod published;
mod shown;
mod state;
mod watched;

/// The API server of the tests of `bramble-kube`.
#[allow(dead_code, reason = "those tests need more of it")]
#[path = "../../../kube/tests/it/fixture.rs"]
mod fixture;
