//! JSON without an allocator, and the values that are text in it.

use crate::signed::Mac;
use crate::{ButtonId, Nonce, PAYLOAD, Payload, Text, Unspeakable, Word};
use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Reads one JSON value; `None` if it isn't one, isn't of this type, or something follows it.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    // Longer than any value that can be right, escapes resolved.
    let mut unescaped = [0; 2 * Text::LONGEST];
    let (value, _) = serde_json_core::from_slice_escaped(json, &mut unescaped).ok()?;
    Some(value)
}

/// Writes a value.
pub(crate) fn write(value: &impl Serialize) -> Result<Payload, Unspeakable> {
    let mut bytes = [0; PAYLOAD];
    let length = serde_json_core::to_slice(value, &mut bytes).map_err(|_| Unspeakable::TooLong)?;
    bytes
        .get(..length)
        .and_then(|written| Payload::from_slice(written).ok())
        .ok_or(Unspeakable::TooLong)
}

/// Reads a value by its own parser: what is wrong doesn't get in.
struct Parsed<T>(PhantomData<T>);

impl<T: FromStr> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text of the right form")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse()
            .map_err(|_| E::custom("text of the wrong form"))
    }
}

macro_rules! as_text {
    ($($kind:ty),*) => {$(
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(Parsed(PhantomData))
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
    )*};
}

as_text!(ButtonId, Text, Word);

macro_rules! as_hex {
    ($($kind:ty, $bytes:literal);*) => {$(
        impl FromStr for $kind {
            type Err = hex::FromHexError;

            fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(Parsed(PhantomData))
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    )*};
}

as_hex!(Nonce, 16; Mac, 32);
