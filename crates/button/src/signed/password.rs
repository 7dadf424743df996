//! A button's password at the broker.

use super::{Key, canonical};
use core::fmt;
use hmac::Mac as _;
use zeroize::Zeroize;

/// What is signed to get it. No message's canonical text begins like this.
const LABEL: &[u8] = b"bramble-button 2 password\n";

/// 64 hexadecimal digits. A broker that is somebody else's learns it, and can't tell the key by it. Never shown, wiped
/// when dropped.
#[derive(Clone)]
pub struct Password([u8; Password::LENGTH]);

impl Password {
    /// Characters.
    pub const LENGTH: usize = 64;

    pub(super) fn of(key: &Key) -> Self {
        let mut mac: [u8; 32] = {
            let mut keyed = canonical::keyed(key);
            keyed.update(LABEL);
            keyed.finalize().into_bytes().into()
        };
        let mut digits = [0; Self::LENGTH];
        // It has just the length.
        let _ = hex::encode_to_slice(mac, &mut digits);
        mac.zeroize();
        Self(digits)
    }

    /// The password. Only for the broker.
    pub fn expose(&self) -> &str {
        // Hexadecimal digits are text.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
