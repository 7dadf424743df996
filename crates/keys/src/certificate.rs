//! Self-signed certificates that are trusted by themselves.
//!
//! Source: RFC 5280. One for each holder, and no authority above them: who shall be trusted is in the
//! list of those who ask, and who is taken off that list is out at once.

use crate::{KeyError, random};
use bramble_secret::Secret;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use time::{Duration, OffsetDateTime};

/// How long a certificate is good: ten years. It is withdrawn by being taken off a list, not by age.
const LIFETIME: Duration = Duration::days(3650);
/// Clocks that are behind take it as well.
const EARLIER: Duration = Duration::days(2);

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// By a TLS server.
    Server,
    /// By a TLS client.
    Client,
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// PEM; public.
    pub certificate: String,
    /// PKCS #8 in PEM.
    pub key: Secret,
}

/// A certificate on the curve P-256 for a holder; a server's is for DNS names and addresses.
///
/// # Errors
/// When a name can't stand in a certificate, or there are no random numbers.
pub fn certificate(holder: &str, names: &[String], usage: Usage) -> Result<Pair, KeyError> {
    let failed = |source| KeyError::Certificate {
        names: holder.to_owned(),
        source,
    };
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, holder.to_owned());
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    let now = OffsetDateTime::now_utc();
    params.not_before = now - EARLIER;
    params.not_after = now + LIFETIME;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![match usage {
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

/// Positive and never zero.
fn serial() -> Result<[u8; 16], KeyError> {
    let mut bytes = random::<16>()?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(bytes)
}
