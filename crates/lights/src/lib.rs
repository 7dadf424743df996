//! The lights: what happens in clusters as one state that a traffic light shows.
//!
//! Invariants:
//! - **A state, not a blink for each event**: the lights are computed from what is the case ([`step`]), never
//!   queued. The worst wins; a burst of anything delays red by nothing.
//! - **Bounded**: at most [`Rules::most`] conditions. What there is no room for goes from the least to the worst,
//!   and its color stays until it would have ended.
//! - **Silence is no good news**: while a source that must be heard of is silent, green is never shown.
//! - **Dark at the end**: however the process ends that Rust can notice, lamps and beeper are off.
//!
//! [`signal`], [`rules`], [`state`], [`frame()`], [`sequence`], [`button`] and [`sources`] are pure: time is an
//! argument. The edges are [`panel`] (one state, heard and shown by many), [`watch`] and [`outputs`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod board;
pub mod button;
pub mod contact;
pub mod file;
pub mod outputs;
pub mod panel;
pub mod rules;
pub mod sequence;
pub mod signal;
pub mod sources;
pub mod state;
pub mod watch;

mod error;
mod frame;
mod glob;
mod lights;

pub use error::Error;
pub use frame::{Frame, Head, frame};
pub use lights::{Lamp, Lamps, Lights, Playing, Reason, Sound};
pub use panel::Panel;
pub use rules::Rules;
pub use signal::{Input, Signal, Source};
pub use state::{State, step};
