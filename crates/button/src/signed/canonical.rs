//! The text that is signed, and what is claimed until its signature is proven.

use super::{Key, Mac};
use core::fmt::{self, Write};
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;

/// A message that has a canonical text and a form in JSON.
pub(crate) trait Canonical: Sized {
    /// Writes the canonical text.
    fn write(&self, to: &mut impl Write) -> fmt::Result;
    /// Reads JSON: the message, and its signature if it has one.
    fn read(json: &[u8]) -> Option<(Self, Option<Mac>)>;
}

/// What can be claimed: a [`Request`](crate::Request) or a [`Report`](super::Report). No other type.
#[expect(private_bounds, reason = "nobody else's messages can be proven here")]
pub trait Claim: Canonical {}

/// A message as its sender tells it. Nothing of it is true before [`Claimed::proven`] says so.
#[derive(Debug, Clone)]
pub struct Claimed<T> {
    message: T,
    mac: Option<Mac>,
}

/// Why a claim isn't proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It has no signature.
    #[error("the message isn't signed")]
    Unsigned,
    /// It was signed with another key, or changed since.
    #[error("the message isn't signed with this button's key")]
    Forged,
}

impl<T: Claim> Claimed<T> {
    /// Reads a message; `None` if the bytes aren't one of version 2, or are longer than [`PAYLOAD`](crate::PAYLOAD).
    pub fn read(json: &[u8]) -> Option<Self> {
        if json.len() > crate::PAYLOAD {
            return None;
        }
        let (message, mac) = T::read(json)?;
        Some(Self { message, mac })
    }

    /// What is claimed: good for finding the key, and for choosing words.
    pub fn unproven(&self) -> &T {
        &self.message
    }

    /// The message, if it was signed with this key. Compares in constant time.
    ///
    /// # Errors
    /// When it has no signature or another one.
    pub fn proven(self, key: &Key) -> Result<T, Unproven> {
        let mac = self.mac.ok_or(Unproven::Unsigned)?;
        authenticator(&self.message, key)
            .verify_slice(&mac.0)
            .map_err(|_| Unproven::Forged)?;
        Ok(self.message)
    }
}

/// The signature of a message.
pub(super) fn mac(message: &impl Canonical, key: &Key) -> Mac {
    Mac(authenticator(message, key).finalize().into_bytes().into())
}

fn authenticator(message: &impl Canonical, key: &Key) -> Hmac<Sha256> {
    let mut hashing = Hashing(keyed(key));
    // A hash takes any text.
    let _ = message.write(&mut hashing);
    hashing.0
}

/// HMAC-SHA-256 with a button's key, of nothing yet.
pub(super) fn keyed(key: &Key) -> Hmac<Sha256> {
    // RFC 2104 fills a short key up to the hash's block with zeros; a key of that length can't be refused.
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(&key.0);
    Hmac::new((&*block).into())
}

struct Hashing(Hmac<Sha256>);

impl Write for Hashing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// Writes one line of a canonical text.
pub(super) fn line(
    to: &mut impl Write,
    field: &str,
    value: Option<impl fmt::Display>,
) -> fmt::Result {
    match value {
        Some(value) => writeln!(to, "{field}={value}"),
        None => writeln!(to, "{field}="),
    }
}
