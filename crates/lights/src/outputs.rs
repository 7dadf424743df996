//! Where lights are shown.

pub mod gpio;
pub mod message;
pub mod terminal;
