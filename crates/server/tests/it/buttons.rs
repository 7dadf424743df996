//! Buttons against the daemon's handler, through a real broker.

mod brokers;
mod flood;
mod old;
mod press;
mod signed;
mod till;
mod world;
