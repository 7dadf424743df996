//! The button's way to real brokers (mosquitto, Bramble's own), and what time servers say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod button;
mod embedded;
mod session;
mod sntp;
