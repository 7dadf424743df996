//! The button's way to a real broker (mosquitto), and what time servers say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod session;
mod sntp;
