//! Where lights are shown.

pub mod bus;
pub mod gpio;
pub mod message;
pub mod terminal;
