//! The settings of a button's board, as a text that a person writes and a flash partition keeps.
//!
//! Invariants: without the standard library and without allocator; no text whatever makes it panic; what is secret is in
//! no `Debug` and no error; everything that a driver needs is there once the text was read ([`Board`]), so that nothing
//! can be missing later.
//!
//! ```text
//! # A button of Bramble.
//! id = dash01
//! handler = bramble
//! key = 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
//! wifi = The network's name
//! wifi-password = its password
//! broker = bramble.home.arpa
//! -----BEGIN CERTIFICATE-----
//! ...the authority that signed the broker's certificate...
//! -----END CERTIFICATE-----
//! ```

#![no_std]

mod block;
mod board;
mod console;
mod fault;
mod pem;
mod text;
mod values;

pub use block::{BLOCK, text};
pub use board::{Authority, Board, Broker, CERTIFICATE, Hidden, Host, Wifi};
pub use console::{Console, Reply};
pub use fault::{Fault, Wrong};
pub use text::parse;
