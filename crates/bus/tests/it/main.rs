//! Real brokers and real clients on loopback.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod elsewhere;
mod embedded;
mod mosquitto;
mod socks;
mod world;
