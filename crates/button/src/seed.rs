//! Version 1: the CCPDashButton's grammar, on one topic, unsigned.
//!
//! One line of UTF-8: `HH:MM:SS SENDER VERB [ARG]`, words apart by spaces. The source is the grammar that the seed's
//! button and handler speak; its time is decoration, and comes as `HHMMSS` in the button's `ProvisionCluster`.
//!
//! | from | verb | argument |
//! |---|---|---|
//! | button | `GetStatus` | |
//! | button | `ProvisionCluster` | name |
//! | handler | `StatusUnavailable`, `StatusAvailable` | |
//! | handler | `StatusProvisioning` | name |
//! | handler | `StatusProvisioned` | address |
//! | handler | `StatusFailed` | reason, one word |
//!
//! `StatusFailed` is new. A handler sends it before the `StatusAvailable` that ends a failed run: old buttons ignore
//! verbs that they don't know. Nothing here is proven: whoever may publish on the topic may ask for clusters.

use crate::{Ask, Payload, Progress, Request, Status, TimeOfDay, Unspeakable, Word};
use core::fmt::{self, Write as _};
use core::str::FromStr;
use heapless::String;

/// The topic that the seed's systems use unless another is set.
pub const DEFAULT_TOPIC: &str = "DashButton";

/// Bytes of the longest line: a time, the longest sender, verb and argument.
pub const LONGEST: usize =
    8 + 1 + Word::LONGEST + 1 + "StatusProvisioning".len() + 1 + Word::LONGEST;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was said, by whatever time the sender keeps.
    pub time: TimeOfDay,
    /// Who says it. Upper and lower case differ.
    pub sender: Word,
    /// What.
    pub verb: Verb,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// A button asks how things stand.
    GetStatus,
    /// A button asks for a cluster of this name. An old button's name need not be a DNS label.
    ProvisionCluster(Word),
    /// The handler can't do anything.
    StatusUnavailable,
    /// The handler has nothing to do.
    StatusAvailable,
    /// The handler makes a cluster of this name.
    StatusProvisioning(Word),
    /// The cluster is ready, with this address.
    StatusProvisioned(Word),
    /// The cluster couldn't be made.
    StatusFailed(Word),
}

/// Why bytes aren't a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text isn't `HH:MM:SS SENDER VERB [ARG]` with a known verb and its argument")]
pub struct BadLine;

impl Verb {
    /// What a handler says of a status. Of a removal the grammar knows nothing: meanwhile there is nothing to be had.
    pub fn of(status: &Status) -> Self {
        match status {
            Status::Unavailable | Status::Removing(_) => Self::StatusUnavailable,
            // Once it is removed, another may be asked for.
            Status::Available | Status::Removed { .. } => Self::StatusAvailable,
            Status::Provisioning(progress) => Self::StatusProvisioning(progress.cluster.clone()),
            Status::Provisioned { address, .. } => Self::StatusProvisioned(address.clone()),
            Status::Failed { reason, .. } | Status::Refused { reason } => {
                Self::StatusFailed(Word::joined(reason))
            }
        }
    }

    /// What a handler's verb means; `None` for a button's.
    pub fn status(&self) -> Option<Status> {
        Some(match self {
            Self::GetStatus | Self::ProvisionCluster(_) => return None,
            Self::StatusUnavailable => Status::Unavailable,
            Self::StatusAvailable => Status::Available,
            Self::StatusProvisioning(cluster) => Status::Provisioning(Progress {
                cluster: cluster.clone(),
                percent: None,
                step: None,
            }),
            Self::StatusProvisioned(address) => Status::Provisioned {
                cluster: None,
                address: address.clone(),
            },
            Self::StatusFailed(reason) => Status::Failed {
                cluster: None,
                reason: reason.into(),
            },
        })
    }
}

impl Line {
    /// Reads a message's bytes.
    ///
    /// # Errors
    /// When they don't begin with a line of the grammar. Words after those that the verb has are left alone, as the
    /// seed's ends do: with some network plugins its handler sends several addresses.
    pub fn read(bytes: &[u8]) -> Result<Self, BadLine> {
        core::str::from_utf8(bytes).map_err(|_| BadLine)?.parse()
    }

    /// What a button says.
    ///
    /// # Errors
    /// When the grammar has no verb for it: a removal.
    pub fn of(request: &Request) -> Result<Self, Unspeakable> {
        let verb = match &request.ask {
            Ask::Status => Verb::GetStatus,
            Ask::Provision { cluster } => Verb::ProvisionCluster(cluster.into()),
            Ask::Teardown { .. } => return Err(Unspeakable::NoVerb),
        };
        Ok(Self {
            time: request.time.time_of_day(),
            sender: (&request.button).into(),
            verb,
        })
    }

    /// The message's bytes. Not retained: a line that is heard later would be taken for the present.
    pub fn message(&self) -> Payload {
        const { assert!(LONGEST <= crate::PAYLOAD) };
        let mut text = String::<LONGEST>::new();
        // It fits: `LONGEST` is the sum of its parts' limits.
        let _ = write!(text, "{self}");
        text.bytes().collect()
    }
}

impl FromStr for Line {
    type Err = BadLine;

    fn from_str(text: &str) -> Result<Self, BadLine> {
        let mut words = text.split_ascii_whitespace();
        let mut next = || words.next().ok_or(BadLine);
        let time = next()?.parse().map_err(|_| BadLine)?;
        let sender = next()?.parse().map_err(|_| BadLine)?;
        let verb = next()?;
        let mut argument = || next()?.parse().map_err(|_| BadLine);
        let verb = match verb {
            "GetStatus" => Verb::GetStatus,
            "ProvisionCluster" => Verb::ProvisionCluster(argument()?),
            "StatusUnavailable" => Verb::StatusUnavailable,
            "StatusAvailable" => Verb::StatusAvailable,
            "StatusProvisioning" => Verb::StatusProvisioning(argument()?),
            "StatusProvisioned" => Verb::StatusProvisioned(argument()?),
            "StatusFailed" => Verb::StatusFailed(argument()?),
            _ => return Err(BadLine),
        };
        Ok(Self { time, sender, verb })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.time, self.sender, self.verb)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GetStatus => f.write_str("GetStatus"),
            Self::ProvisionCluster(name) => write!(f, "ProvisionCluster {name}"),
            Self::StatusUnavailable => f.write_str("StatusUnavailable"),
            Self::StatusAvailable => f.write_str("StatusAvailable"),
            Self::StatusProvisioning(name) => write!(f, "StatusProvisioning {name}"),
            Self::StatusProvisioned(address) => write!(f, "StatusProvisioned {address}"),
            Self::StatusFailed(reason) => write!(f, "StatusFailed {reason}"),
        }
    }
}
