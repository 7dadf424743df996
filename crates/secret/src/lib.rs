//! A string that can't be shown.
//!
//! Invariants: no `Debug`, `Display` or `Serialize` shows the value; it is wiped from memory when
//! dropped; the only way to it is [`Secret::expose`], so that a search for that word finds every use.

use std::fmt;
use zeroize::Zeroize;

/// A value that must not reach logs, plans, events, argument vectors or world-readable files.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Only to be written to a protected stream or a file of mode 0600.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether another has the same value. How long that takes tells only the lengths, so that what a stranger sends
    /// can be compared.
    pub fn is_same(&self, other: &Self) -> bool {
        let (one, two) = (self.0.as_bytes(), other.0.as_bytes());
        let differ = one.iter().zip(two).fold(0, |all, (a, b)| all | (a ^ b));
        one.len() == two.len() && std::hint::black_box(differ) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_value() {
        let shown = format!("{:?}", Some(Secret::new("hunter2")));
        assert!(!shown.contains("hunter2"));
    }

    #[test]
    fn the_same_is_every_byte_the_same() {
        let secret = Secret::new("hunter2");
        assert!(secret.is_same(&Secret::new("hunter2")));
        for other in ["", "hunter", "hunter22", "hunter3", "iunter2"] {
            assert!(!secret.is_same(&Secret::new(other)), "{other}");
        }
    }
}
