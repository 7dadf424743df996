//! The client against a platform that behaves as Cisco Container Platform is described to, over real TLS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod down;
mod platform;
mod ranges;
mod session;
mod template;
mod trouble;
mod up;
mod world;
