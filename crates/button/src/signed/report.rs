//! Reports in version 2.

use super::canonical::{self, Canonical, Claim, line};
use super::{Key, Mac, VERSION};
use crate::json;
use crate::{ButtonId, Nonce, Payload, Progress, Status, Text, UnixTime, Unspeakable, Word};
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a handler tells one button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whom it is for.
    pub button: ButtonId,
    /// Who says it.
    pub handler: Word,
    /// When, by the handler's clock.
    pub time: UnixTime,
    /// The nonce of the button's last request; `None` if the handler knows of none, as after a restart.
    pub re: Option<Nonce>,
    /// What there is to tell.
    pub status: Status,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    v: u8,
    button: ButtonId,
    handler: Word,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    re: Option<Nonce>,
    status: Verb,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<Mac>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Unavailable,
    Available,
    Provisioning,
    Provisioned,
    Removing,
    Removed,
    Failed,
    Refused,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Available => "available",
            Self::Provisioning => "provisioning",
            Self::Provisioned => "provisioned",
            Self::Removing => "removing",
            Self::Removed => "removed",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// The fields of a status: each has those that its verb needs and no other.
struct Parts {
    verb: Verb,
    cluster: Option<Word>,
    address: Option<Word>,
    percent: Option<u8>,
    step: Option<Text>,
    reason: Option<Text>,
}

impl From<&Status> for Parts {
    fn from(status: &Status) -> Self {
        let bare = |verb| Self {
            verb,
            cluster: None,
            address: None,
            percent: None,
            step: None,
            reason: None,
        };
        let underway = |verb, progress: &Progress| Self {
            cluster: Some(progress.cluster.clone()),
            percent: progress.percent,
            step: progress.step.clone(),
            ..bare(verb)
        };
        match status {
            Status::Unavailable => bare(Verb::Unavailable),
            Status::Available => bare(Verb::Available),
            Status::Provisioning(progress) => underway(Verb::Provisioning, progress),
            Status::Removing(progress) => underway(Verb::Removing, progress),
            Status::Provisioned { cluster, address } => Self {
                cluster: cluster.clone(),
                address: Some(address.clone()),
                ..bare(Verb::Provisioned)
            },
            Status::Removed { cluster } => Self {
                cluster: Some(cluster.clone()),
                ..bare(Verb::Removed)
            },
            Status::Failed { cluster, reason } => Self {
                cluster: cluster.clone(),
                reason: Some(reason.clone()),
                ..bare(Verb::Failed)
            },
            Status::Refused { reason } => Self {
                reason: Some(reason.clone()),
                ..bare(Verb::Refused)
            },
        }
    }
}

impl Parts {
    /// The status; `None` if a field is missing, out of range or out of place.
    fn whole(self) -> Option<Status> {
        let underway = |cluster| {
            let sound = self.percent.is_none_or(|percent| percent <= 100);
            sound.then_some(Progress {
                cluster,
                percent: self.percent,
                step: self.step.clone(),
            })
        };
        let moving = self.percent.is_some() || self.step.is_some();
        match (self.verb, self.cluster, self.address, self.reason, moving) {
            (Verb::Unavailable, None, None, None, false) => Some(Status::Unavailable),
            (Verb::Available, None, None, None, false) => Some(Status::Available),
            (Verb::Provisioning, Some(cluster), None, None, _) => {
                underway(cluster).map(Status::Provisioning)
            }
            (Verb::Removing, Some(cluster), None, None, _) => {
                underway(cluster).map(Status::Removing)
            }
            (Verb::Provisioned, cluster @ Some(_), Some(address), None, false) => {
                Some(Status::Provisioned { cluster, address })
            }
            (Verb::Removed, Some(cluster), None, None, false) => Some(Status::Removed { cluster }),
            (Verb::Failed, cluster, None, Some(reason), false) => {
                Some(Status::Failed { cluster, reason })
            }
            (Verb::Refused, None, None, Some(reason), false) => Some(Status::Refused { reason }),
            _ => None,
        }
    }
}

impl Claim for Report {}

impl Canonical for Report {
    fn write(&self, to: &mut impl fmt::Write) -> fmt::Result {
        let parts = Parts::from(&self.status);
        to.write_str("bramble-button 2 status\n")?;
        line(to, "button", Some(&self.button))?;
        line(to, "handler", Some(&self.handler))?;
        line(to, "time", Some(self.time.seconds()))?;
        line(to, "re", self.re)?;
        line(to, "status", Some(parts.verb.word()))?;
        line(to, "cluster", parts.cluster)?;
        line(to, "address", parts.address)?;
        line(to, "percent", parts.percent)?;
        line(to, "step", parts.step)?;
        line(to, "reason", parts.reason)
    }

    fn read(text: &[u8]) -> Option<(Self, Option<Mac>)> {
        let read: Json = json::read(text)?;
        if read.v != VERSION {
            return None;
        }
        let parts = Parts {
            verb: read.status,
            cluster: read.cluster,
            address: read.address,
            percent: read.percent,
            step: read.step,
            reason: read.reason,
        };
        let report = Self {
            button: read.button,
            handler: read.handler,
            time: UnixTime::new(read.time)?,
            re: read.re,
            status: parts.whole()?,
        };
        Some((report, read.mac))
    }
}

impl Report {
    /// The signed message, for [`status_topic`](super::status_topic). Retained; quality of service 1.
    ///
    /// # Errors
    /// When it were longer than [`PAYLOAD`](crate::PAYLOAD); no value's limits allow that.
    pub fn signed(&self, key: &Key) -> Result<Payload, Unspeakable> {
        self.json(Some(canonical::mac(self, key)))
    }

    /// The message without a signature, for a button that the handler has no key of: with [`Status::Refused`] and
    /// the request's nonce it makes such a button say so. Not to be retained.
    ///
    /// # Errors
    /// As [`Self::signed`].
    pub fn unsigned(&self) -> Result<Payload, Unspeakable> {
        self.json(None)
    }

    fn json(&self, mac: Option<Mac>) -> Result<Payload, Unspeakable> {
        let parts = Parts::from(&self.status);
        json::write(&Json {
            v: VERSION,
            button: self.button.clone(),
            handler: self.handler.clone(),
            time: self.time.seconds(),
            re: self.re,
            status: parts.verb,
            cluster: parts.cluster,
            address: parts.address,
            percent: parts.percent,
            step: parts.step,
            reason: parts.reason,
            mac,
        })
    }
}
