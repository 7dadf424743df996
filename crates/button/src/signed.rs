//! Version 2: a topic for each button, JSON, signatures.
//!
//! | topic | who publishes | retained | what |
//! |---|---|---|---|
//! | `bramble/v2/BUTTON/request` | the button | no | [`Request`](crate::Request) |
//! | `bramble/v2/BUTTON/status` | the handler | yes | [`Report`]: the last one is the button's result |
//! | `bramble/v2/handler` | the handler; its last will says `unavailable` | yes | [`Availability`], unsigned |
//!
//! Messages are one flat JSON object. `mac` is the HMAC-SHA-256 (RFC 2104, in hexadecimal) of all other fields with the
//! button's key, over a canonical text: a line that names version and kind, then `field=value` lines in a fixed order,
//! an absent value empty. Values have no control characters, so that no two messages have one text. A field that isn't
//! known makes a message unreadable: what isn't signed isn't accepted.
//!
//! At the broker a button's id is user and client id, and its [`Password`] follows from its key.
//!
//! What a handler owes: requests that are not [fresh](is_fresh), or whose nonce it has seen within [`FRESH_S`], are
//! dropped; requests of a button are answered in their order; every report repeats the nonce of the button's last
//! request. A last will is set when its connection begins, so it can't be signed for a later moment, and it is for all
//! buttons: it decides nothing (see [`crate::Unanswered`]).

mod availability;
mod canonical;
mod password;
mod report;
mod request;

pub use availability::Availability;
pub use canonical::{Claim, Claimed, Unproven};
pub use password::Password;
pub use report::Report;

use crate::{ButtonId, Topic, UnixTime};
use core::fmt::{self, Write as _};
use zeroize::Zeroize;

/// The version that every message of this protocol names.
pub const VERSION: u8 = 2;
/// The topic of the handler's availability.
pub const HANDLER_TOPIC: &str = "bramble/v2/handler";
/// What a handler subscribes to: the requests of all buttons.
pub const REQUESTS: &str = "bramble/v2/+/request";
/// A request is fresh if its time and the handler's are no further apart, in seconds. Clocks differ, and a request
/// may wait for the broker.
pub const FRESH_S: u64 = 120;

const PREFIX: &str = "bramble/v2/";

/// A button's own key: 32 random bytes that only the button and its handler have. Never shown, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// Wraps 32 bytes of a cryptographic random source.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The button's password at the broker, where its id is the user's name: a button has one secret.
    pub fn password(&self) -> Password {
        Password::of(self)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A signature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mac(pub(crate) [u8; 32]);

/// Where a button publishes.
pub fn request_topic(button: &ButtonId) -> Topic {
    topic(button, "request")
}

/// Where a handler publishes what concerns one button.
pub fn status_topic(button: &ButtonId) -> Topic {
    topic(button, "status")
}

/// Whose requests a topic carries; `None` if it isn't a topic of requests.
pub fn requester(topic: &str) -> Option<ButtonId> {
    let id = topic.strip_prefix(PREFIX)?.strip_suffix("/request")?;
    id.parse().ok()
}

/// Whether a request made at one time may be carried out at another.
pub fn is_fresh(made: UnixTime, now: UnixTime) -> bool {
    made.apart(now) <= FRESH_S
}

fn topic(button: &ButtonId, what: &str) -> Topic {
    const { assert!(PREFIX.len() + ButtonId::LONGEST + "/request".len() <= crate::TOPIC) };
    let mut topic = Topic::new();
    // It fits: see the assertion above.
    let _ = write!(topic, "{PREFIX}{button}/{what}");
    topic
}
