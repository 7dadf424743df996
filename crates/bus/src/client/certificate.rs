//! Why a broker's certificate is not believed, told so that somebody can mend it.

use super::Settings;
use crate::error::{Distrust, Error};
use rustls::CertificateError as Wrong;
use std::io;

/// The error of a TLS handshake that failed.
pub(super) fn failed(settings: &Settings, error: &io::Error) -> Error {
    let broker = settings.broker.to_string();
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => Error::Certificate {
            why: distrust(settings, wrong),
            broker,
        },
        Some(rustls::Error::InvalidMessage(_)) => Error::Unreachable {
            broker,
            why: "what answers there does not speak TLS".into(),
        },
        _ => Error::Unreachable {
            broker,
            why: error.to_string(),
        },
    }
}

fn distrust(settings: &Settings, wrong: &Wrong) -> Distrust {
    match wrong {
        // Another authority of the same name signs with another key.
        Wrong::UnknownIssuer | Wrong::BadSignature => match &settings.authority {
            Some(file) => Distrust::Signed { file: file.clone() },
            None => Distrust::SignedForTheWeb,
        },
        Wrong::NotValidForNameContext { presented, .. } => Distrust::Named {
            wanted: settings.broker.host.clone(),
            names: presented.iter().map(|name| bare(name).into()).collect(),
        },
        Wrong::NotValidForName => Distrust::Named {
            wanted: settings.broker.host.clone(),
            names: Vec::new(),
        },
        Wrong::Expired | Wrong::ExpiredContext { .. } => Distrust::Expired,
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => Distrust::Early,
        other => Distrust::Other(other.to_string()),
    }
}

/// The name itself: the library has `DnsName("pi")` and `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, n)| n.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn names_are_shown_as_people_write_them() {
        assert_eq!(bare("DnsName(\"pi.lan\")"), "pi.lan");
        assert_eq!(bare("IpAddress(10.0.0.1)"), "10.0.0.1");
        assert_eq!(bare("DirectoryName"), "DirectoryName");
    }
}
