//! An authority of one's own and what it signs: for a server that is renamed and renewed while those who trust
//! it keep what they have.
//!
//! Source: RFC 5280.

use crate::certificate::{Pair, serial};
use crate::{KeyError, random};
use bramble_secret::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use time::{Duration, OffsetDateTime};

/// How long an authority is good: twenty years. Whoever trusts it has to be told when it is another one.
const AUTHORITY: Duration = Duration::days(20 * 365);
/// How long what it signs is good: what browsers take at most (CA/Browser Forum, Baseline Requirements 6.3.2).
const SERVER: Duration = Duration::days(397);
/// Clocks that are behind take it as well.
const EARLIER: Duration = Duration::days(2);

/// Makes an authority that may sign servers and nothing that signs.
///
/// # Errors
/// When there are no random numbers.
pub fn authority(name: &str) -> Result<Pair, KeyError> {
    let failed = failed(name);
    // Two of one name are told apart by who sees them.
    let [a, b, c, d] = random::<4>()?;
    let mut params = named(&format!("{name} {a:02x}{b:02x}{c:02x}{d:02x}"))?;
    params.not_after = params.not_before + AUTHORITY;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(&failed)?;
    let certificate = params.self_signed(&key).map_err(&failed)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

/// A server's certificate for DNS names and addresses, signed by an authority, for 397 days.
///
/// # Errors
/// When the authority can't be read, a name can't stand in a certificate, or there are no random numbers.
pub fn signed(authority: &Pair, holder: &str, names: &[String]) -> Result<Pair, KeyError> {
    let failed = failed(holder);
    let signer = KeyPair::from_pem(authority.key.expose()).map_err(&failed)?;
    let signer = Issuer::from_ca_cert_pem(&authority.certificate, signer).map_err(&failed)?;
    let mut params = named(holder)?;
    let alternatives = CertificateParams::new(names).map_err(&failed)?;
    params.subject_alt_names = alternatives.subject_alt_names;
    params.not_after = params.not_before + SERVER;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(&failed)?;
    let certificate = params.signed_by(&key, &signer).map_err(&failed)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

fn failed(holder: &str) -> impl Fn(rcgen::Error) -> KeyError {
    let names = holder.to_owned();
    move |source| KeyError::Certificate {
        names: names.clone(),
        source,
    }
}

/// What both kinds have: a name, a number, and a begin.
fn named(name: &str) -> Result<CertificateParams, KeyError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, name.to_owned());
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    params.not_before = OffsetDateTime::now_utc() - EARLIER;
    Ok(params)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::openssl::verify;

    #[test]
    fn what_it_signs_is_trusted_for_its_names_alone() {
        let ca = authority("Bramble").unwrap();
        let names = ["gate.home.arpa".to_owned(), "10.77.0.1".to_owned()];
        let pair = signed(&ca, "gate", &names).unwrap();
        let asked = |args: &[&str]| {
            let args = [&["-x509_strict"], args].concat();
            verify(&ca.certificate, &pair.certificate, &args)
        };
        let server = [
            "-purpose",
            "sslserver",
            "-verify_hostname",
            "gate.home.arpa",
        ];
        let good = asked(&server);
        assert!(good.contains(": OK"), "{good}");
        let good = asked(&["-verify_ip", "10.77.0.1"]);
        assert!(good.contains(": OK"), "{good}");
        let other = asked(&["-verify_hostname", "one.home.arpa"]);
        assert!(other.contains("hostname mismatch"), "{other}");
    }

    #[test]
    fn another_authority_is_not_believed() {
        let ca = authority("Bramble").unwrap();
        let other = authority("Bramble").unwrap();
        let pair = signed(&ca, "gate", &["gate.home.arpa".to_owned()]).unwrap();
        let said = verify(&other.certificate, &pair.certificate, &[]);
        assert!(said.contains("unable to get local issuer"), "{said}");
    }
}
