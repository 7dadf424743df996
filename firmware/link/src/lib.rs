//! A button's way to its broker and to the time, over any stream of bytes: MQTT 5, TLS 1.3, SNTP.
//!
//! Invariants: without the standard library; knows no hardware, so that the very same code is tested on a computer
//! against a real broker; a broker whose certificate isn't the authority's, or isn't for its name, gets nothing; it
//! never waits by itself: who calls it has the limits (the state machine's, `bramble_button::limits`).

#![no_std]

pub mod clock;
mod halves;
mod session;
pub mod sntp;
mod tls;

pub use session::Session;
pub use tls::{Buffers, READ, WRITE};
