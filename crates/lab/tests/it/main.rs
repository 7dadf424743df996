//! Real labs on this computer. They need root and systemd-nspawn: where something is missing, every
//! test fails and says what.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and shows its steps"
)]

mod common;

mod conditions;
mod inside;
mod life;
