//! The handler of hardware buttons: a press becomes a run, and the button is told how it goes.
//!
//! Invariants:
//! - **Known buttons only**: in version 2 whoever can't sign with the button's key gets nothing but an unsigned refusal.
//! - **A request is carried out once**: its time and nonce are in the store before the order is given, and nothing that
//!   isn't newer is ever carried out. While a run is under way, a press follows it.
//! - **One cluster a button**: a press whose cluster is ready is told so; one whose cluster failed tries it again.
//! - **A removal is of the cluster that was confirmed** at the display, and only if the button's profile allows it.
//! - **What a button is told comes from the store**: no state of its own, so that a daemon that begins anew goes on.
//!
//! [`decide`], [`names`] and [`standing`] decide and do nothing else; [`Handler`] reads the store, asks them and acts.

mod decide;
mod gate;
mod handler;
mod known;
mod names;
mod old;
mod ordering;
mod orders;
mod standing;
mod tell;
mod virtual_button;

pub use gate::{Doors, OldLogin};
pub use handler::{Handler, NotHeard, Settings};
pub use orders::{Orders, Refusal};
pub use virtual_button::NoButton;

use bramble_bus::Message;
use bramble_button::Word;
use bramble_button::signed::{Availability, HANDLER_TOPIC};

/// The retained word at the broker that a handler is there, or isn't: the latter is its last will.
pub fn availability(handler: &Word, available: bool) -> Message {
    let word = Availability {
        handler: handler.clone(),
        available,
    };
    // No handler's name makes it too long.
    let payload = word.message().unwrap_or_default();
    Message::retained(HANDLER_TOPIC, payload.to_vec())
}
