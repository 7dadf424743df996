//! What a button asks of its handler, whatever the protocol.

use crate::{ButtonId, ClusterName, UnixTime, Word};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub button: ButtonId,
    /// When, by the button's clock.
    pub time: UnixTime,
    /// Names this request alone; its answers repeat it. Version 1 doesn't transmit it.
    pub nonce: Nonce,
    /// What for.
    pub ask: Ask,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// How things stand.
    Status,
    /// A cluster.
    Provision {
        /// The name that the button proposes.
        cluster: ClusterName,
    },
    /// The removal of a cluster. Version 1 has no word for it.
    Teardown {
        /// The one that the person saw on the display and confirmed: no other may be removed.
        cluster: Word,
    },
}

/// Random bytes that begin all nonces of one wake.
pub const ENTROPY: usize = 14;

/// 16 bytes that no other request has: random ones of the wake, then the request's number in it (big endian).
///
/// That others can tell the next nonce is no harm: only the key's holders can make a request or an answer with it.
/// The number tells which of a wake's requests an answer is for, without a list of all that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub(crate) [u8; ENTROPY + 2]);

impl Nonce {
    /// The nonce of a wake's request number `number`.
    pub fn new(entropy: [u8; ENTROPY], number: u16) -> Self {
        let mut bytes = [0; ENTROPY + 2];
        bytes[..ENTROPY].copy_from_slice(&entropy);
        bytes[ENTROPY..].copy_from_slice(&number.to_be_bytes());
        Self(bytes)
    }

    /// The bytes, for a handler's memory of the requests that it has seen.
    pub fn bytes(&self) -> [u8; ENTROPY + 2] {
        self.0
    }

    /// Which request of the wake with these random bytes it names.
    pub(crate) fn number_in(&self, entropy: &[u8; ENTROPY]) -> Option<u16> {
        let [theirs @ .., high, low] = self.0;
        (theirs == *entropy).then_some(u16::from_be_bytes([high, low]))
    }
}
