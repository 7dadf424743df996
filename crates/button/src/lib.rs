//! The dash button: a press asks a handler for a cluster, the display follows it until it is ready.
//!
//! Invariants:
//! - **Pure and without the standard library**: no clock, socket, pin, random number or allocator. [`step`] is a
//!   function of settings, state, time and input; a driver carries out the [`Output`]s.
//! - **Every wait is bounded**: a button that is awake sleeps within [`Settings::longest_awake_ms`], whatever it
//!   hears or doesn't. All waits are in [`limits`].
//! - **Garbage changes nothing**: bytes that aren't a message of the handler for this button leave the state as it was.
//! - **What isn't proven decides nothing** (version 2): a status counts if it is signed with the button's key and
//!   answers a request of this very wake. Anything else can at most choose the words of a screen that comes anyway.
//! - **Nothing is destroyed unasked**: a removal names the cluster on the display and wants a second press.
//! - **100 % only on success**: see [`progress`].
//!
//! Version 1 ([`seed`]) is the unsigned grammar of the CCPDashButton: old buttons and old handlers understand it.
//! Version 2 ([`signed`]) has a topic for each button, signatures and more to say. The types serve both ends: a
//! handler reads [`Request`]s and makes [`Report`]s with the same code.

#![no_std]

pub mod draw;
pub mod limits;
pub mod progress;
pub mod seed;
pub mod signed;

mod hear;
mod id;
mod json;
mod machine;
mod name;
mod request;
mod screen;
mod settings;
mod status;
mod text;
mod time;

pub use id::{BadId, ButtonId};
pub use machine::{Failure, Input, Millis, Output, Outputs, Press, State, step};
pub use name::{BadName, ClusterName};
pub use request::{Ask, ENTROPY, Nonce, Request};
pub use screen::{Lines, Page, Screen, Unanswered};
pub use settings::{Message, PAYLOAD, Payload, Protocol, Settings, TOPIC, Topic, Unspeakable};
pub use signed::{Key, Report};
pub use status::{Progress, Status, Task};
pub use text::{BadText, BadWord, Text, Word};
pub use time::{BadTime, TimeOfDay, UnixTime};
