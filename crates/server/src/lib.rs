//! The daemon: runs behind an API, and who may ask for them.
//!
//! Invariants:
//! - It contains no cluster logic: a run is the program itself (`bramble up`, `bramble down`) in a process of
//!   its own, with the same events that a person at a terminal gets.
//! - What was accepted is kept ([`bramble_store`]) before it is answered, and is carried out once: a run goes
//!   on while the daemon is away, and a daemon that comes back finds it again.
//! - One run per cluster at a time.
//! - Of several daemons that share a store one leads; what it began ends before another one leads.

pub mod api;
pub mod ask;
pub mod auth;
pub mod buttons;
pub mod controller;
pub mod leader;
pub mod lifeline;
pub mod lights;
pub mod origins;
pub mod replica;
pub mod runs;

mod audit;
mod files;
mod limit;
mod page;
mod program;
mod serve;
mod tls;

pub use serve::{Broker, Buttons, Error, Home, Serving, Settings, serve};
