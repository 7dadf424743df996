//! Requests in version 2.

use super::canonical::{self, Canonical, Claim, line};
use super::{Key, Mac, VERSION};
use crate::json;
use crate::{Ask, ButtonId, ClusterName, Nonce, Payload, Request, UnixTime, Unspeakable, Word};
use core::fmt;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    v: u8,
    button: ButtonId,
    time: u64,
    nonce: Nonce,
    request: Verb,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Word>,
    mac: Option<Mac>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Status,
    Provision,
    Teardown,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Provision => "provision",
            Self::Teardown => "teardown",
        }
    }
}

fn parts(ask: &Ask) -> (Verb, Option<Word>) {
    match ask {
        Ask::Status => (Verb::Status, None),
        Ask::Provision { cluster } => (Verb::Provision, Some(cluster.into())),
        Ask::Teardown { cluster } => (Verb::Teardown, Some(cluster.clone())),
    }
}

fn whole(verb: Verb, cluster: Option<Word>) -> Option<Ask> {
    match (verb, cluster) {
        (Verb::Status, None) => Some(Ask::Status),
        (Verb::Provision, Some(cluster)) => Some(Ask::Provision {
            cluster: ClusterName::try_from(&cluster).ok()?,
        }),
        (Verb::Teardown, Some(cluster)) => Some(Ask::Teardown { cluster }),
        _ => None,
    }
}

impl Claim for Request {}

impl Canonical for Request {
    fn write(&self, to: &mut impl fmt::Write) -> fmt::Result {
        let (verb, cluster) = parts(&self.ask);
        to.write_str("bramble-button 2 request\n")?;
        line(to, "button", Some(&self.button))?;
        line(to, "time", Some(self.time.seconds()))?;
        line(to, "nonce", Some(self.nonce))?;
        line(to, "request", Some(verb.word()))?;
        line(to, "cluster", cluster)
    }

    fn read(text: &[u8]) -> Option<(Self, Option<Mac>)> {
        let read: Json = json::read(text)?;
        if read.v != VERSION {
            return None;
        }
        let request = Self {
            button: read.button,
            time: UnixTime::new(read.time)?,
            nonce: read.nonce,
            ask: whole(read.request, read.cluster)?,
        };
        Some((request, read.mac))
    }
}

impl Request {
    /// The signed message, for [`request_topic`](super::request_topic). Not retained; quality of service 1.
    ///
    /// # Errors
    /// When it were longer than [`PAYLOAD`](crate::PAYLOAD); no value's limits allow that.
    pub fn signed(&self, key: &Key) -> Result<Payload, Unspeakable> {
        let (request, cluster) = parts(&self.ask);
        json::write(&Json {
            v: VERSION,
            button: self.button.clone(),
            time: self.time.seconds(),
            nonce: self.nonce,
            request,
            cluster,
            mac: Some(canonical::mac(self, key)),
        })
    }
}
