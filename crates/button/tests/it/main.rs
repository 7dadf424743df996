//! Tests of the crate from outside: presses, times and messages in, requests and screens out.

#![allow(clippy::unwrap_used)]

mod arrows;
mod bound;
mod clusters;
mod device;
mod follow;
mod garbage;
mod old_handler;
mod progress;
mod screens;
mod seed;
mod signed;
