//! The daemon's parts, as their callers see them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod auth;
mod buttons;
mod daemon;
mod lights;
#[path = "../../../bus/tests/it/mosquitto.rs"]
#[allow(dead_code, reason = "another crate's tests use the rest")]
mod mosquitto;
mod origins;
mod page;
mod pool;
mod questions;
mod runs;
mod schemathesis;
mod serve;
#[path = "../../../bus/tests/it/world.rs"]
#[allow(dead_code, reason = "another crate's tests use the rest")]
mod world;
