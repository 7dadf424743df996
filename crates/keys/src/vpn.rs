//! Keys of VPN servers and their clients.

use crate::{KeyError, encoded, random};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bramble_secret::Secret;
use std::fmt::Write as _;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroize;

/// A key pair of WireGuard (wireguard.com/protocol: Curve25519), in base64 as `wg` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireGuard {
    /// The private key.
    pub private: Secret,
    /// The public key.
    pub public: String,
}

/// A new key pair.
///
/// # Errors
/// When there are no random numbers.
pub fn wireguard() -> Result<WireGuard, KeyError> {
    let mut bytes = random::<32>()?;
    // As `wg genkey` does (RFC 7748, section 5).
    bytes[0] &= 248;
    bytes[31] = bytes[31] & 127 | 64;
    let secret = StaticSecret::from(bytes);
    let public = STANDARD.encode(PublicKey::from(&secret).as_bytes());
    let private = encoded(bytes);
    bytes.zeroize();
    Ok(WireGuard { private, public })
}

/// The public key of a private one; `None` if it is none.
pub fn wireguard_public(private: &Secret) -> Option<String> {
    let mut bytes = STANDARD.decode(private.expose().trim()).ok()?;
    let key: Option<[u8; 32]> = bytes.as_slice().try_into().ok();
    bytes.zeroize();
    let public = PublicKey::from(&StaticSecret::from(key?));
    Some(STANDARD.encode(public.as_bytes()))
}

/// A preshared key of WireGuard: 32 random bytes in base64.
///
/// # Errors
/// When there are no random numbers.
pub fn preshared_key() -> Result<Secret, KeyError> {
    Ok(encoded(random::<32>()?))
}

/// A key for OpenVPN's `tls-crypt`: 2048 random bits in OpenVPN's own form.
///
/// # Errors
/// When there are no random numbers.
pub fn tls_crypt_key() -> Result<Secret, KeyError> {
    let mut bytes = random::<256>()?;
    let mut text = String::from("-----BEGIN OpenVPN Static key V1-----\n");
    for line in bytes.chunks(16) {
        for byte in line {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text.push_str("-----END OpenVPN Static key V1-----\n");
    bytes.zeroize();
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_public_key_belongs_to_the_private_one() {
        let pair = wireguard().unwrap();
        assert_eq!(wireguard_public(&pair.private), Some(pair.public));
        // RFC 7748, section 6.1: Alice's pair.
        let alice = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
        assert_eq!(
            wireguard_public(&Secret::new(alice)).unwrap(),
            "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
        );
        assert_eq!(wireguard_public(&Secret::new("short")), None);
    }

    #[test]
    fn no_two_keys_are_the_same() {
        assert_ne!(wireguard().unwrap(), wireguard().unwrap());
        assert_ne!(preshared_key().unwrap(), preshared_key().unwrap());
        assert_ne!(tls_crypt_key().unwrap(), tls_crypt_key().unwrap());
    }
}
