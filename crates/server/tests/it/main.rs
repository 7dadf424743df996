//! The daemon's parts, as their callers see them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
#[path = "../../../store/tests/it/apiserver.rs"]
#[allow(
    dead_code,
    reason = "it is there for the tests of another crate as well"
)]
mod apiserver;
mod audit;
mod auth;
mod buttons;
mod claims;
mod daemon;
mod health;
mod lights;
mod lights_clusters;
mod lights_told;
#[path = "../../../bus/tests/it/mosquitto.rs"]
#[allow(dead_code, reason = "another crate's tests use the rest")]
mod mosquitto;
mod origins;
mod page;
mod pool;
mod questions;
mod replicas;
mod runs;
mod schemathesis;
mod serve;
mod streams;
#[path = "../../../bus/tests/it/world.rs"]
#[allow(dead_code, reason = "another crate's tests use the rest")]
mod world;
