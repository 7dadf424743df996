//! The daemon's parts, as their callers see them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod auth;
mod origins;
mod runs;
mod serve;
