//! Fresh keys, certificates and passwords, made on the operator's side.
//!
//! Invariants: every value comes from the operating system's random source and is made anew at each
//! call; private parts are [`Secret`]s; nothing is written anywhere. Whether a fresh value is used or
//! the machine has one already is decided by who compares (`bramble_machine::kinds::Minted`).

mod authority;
mod certificate;
mod login;
#[cfg(test)]
mod openssl;
mod vpn;

pub use authority::{authority, signed};
pub use certificate::{Pair, Usage, certificate};
pub use login::{LONGEST_PASSWORD, LoginError, Strength, htpasswd_line};
pub use vpn::{WireGuard, preshared_key, tls_crypt_key, wireguard, wireguard_public};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bramble_secret::Secret;
use zeroize::Zeroize;

/// Why no key could be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system gives no random bytes.
    #[error("this computer gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A certificate could not be made.
    #[error("a certificate for {names} could not be made: {source}")]
    Certificate {
        /// Whom it was for.
        names: String,
        /// Why not.
        source: rcgen::Error,
    },
}

/// Random bytes of the operating system.
///
/// # Errors
/// When it gives none.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

/// A password of 192 random bits: 32 letters, digits, `-` and `_`.
///
/// # Errors
/// When there are no random numbers.
pub fn password() -> Result<Secret, KeyError> {
    let mut bytes = random::<24>()?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    bytes.zeroize();
    Ok(Secret::new(text))
}

/// Bytes as base64 in a secret; the bytes are wiped.
fn encoded(mut bytes: [u8; 32]) -> Secret {
    let text = STANDARD.encode(bytes);
    bytes.zeroize();
    Secret::new(text)
}
