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
pub(crate) fn serial() -> Result<[u8; 16], KeyError> {
    let mut bytes = random::<16>()?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::openssl;

    /// What openssl says of a certificate that is its own authority.
    fn verify(pair: &Pair, args: &[&str]) -> String {
        openssl::verify(&pair.certificate, &pair.certificate, args)
    }

    #[test]
    fn a_servers_certificate_is_good_for_its_names_alone() {
        let names = ["gate.lab.internal".to_owned(), "10.77.0.1".to_owned()];
        let pair = certificate("gate", &names, Usage::Server).unwrap();
        let good = verify(
            &pair,
            &[
                "-purpose",
                "sslserver",
                "-verify_hostname",
                "gate.lab.internal",
            ],
        );
        assert!(good.contains(": OK"), "{good}");
        let by_address = verify(&pair, &["-verify_ip", "10.77.0.1"]);
        assert!(by_address.contains(": OK"), "{by_address}");
        let other = verify(&pair, &["-verify_hostname", "one.lab.internal"]);
        assert!(other.contains("hostname mismatch"), "{other}");
        let client = verify(&pair, &["-purpose", "sslclient"]);
        assert!(
            client.contains("unsuitable certificate purpose"),
            "{client}"
        );
    }

    #[test]
    fn a_clients_certificate_makes_no_server() {
        let pair = certificate("anna", &[], Usage::Client).unwrap();
        let good = verify(&pair, &["-purpose", "sslclient"]);
        assert!(good.contains(": OK"), "{good}");
        let server = verify(&pair, &["-purpose", "sslserver"]);
        assert!(
            server.contains("unsuitable certificate purpose"),
            "{server}"
        );
        assert!(pair.key.expose().contains("BEGIN PRIVATE KEY"));
        let other = certificate("anna", &[], Usage::Client).unwrap();
        assert_ne!(pair.certificate, other.certificate);
    }

    #[test]
    fn a_name_that_no_certificate_can_hold_is_said() {
        let wrong = certificate("gate", &["päth".to_owned()], Usage::Server).unwrap_err();
        assert!(
            wrong.to_string().contains("a certificate for gate"),
            "{wrong}"
        );
    }
}
