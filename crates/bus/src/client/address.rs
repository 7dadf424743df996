//! Where brokers and proxies are.

use crate::error::Error;
use bramble_secret::Secret;
use std::fmt;
use std::str::FromStr;
use url::Url;

/// The address of a broker: `mqtt://HOST[:PORT]`, or `mqtts://HOST[:PORT]` with TLS. Names and passwords aren't part of
/// it, since addresses are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) tls: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// A SOCKS5 proxy: `socks5://HOST[:PORT]` or `socks5h://HOST[:PORT]`; both have the proxy look names up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// User's name and password (RFC 1929), if the proxy wants them.
    pub login: Option<(String, Secret)>,
}

impl Address {
    /// The address of a broker without TLS.
    pub(crate) fn plain(at: std::net::SocketAddr) -> Self {
        Self {
            tls: false,
            host: at.ip().to_string(),
            port: at.port(),
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Address {
            text: text.to_owned(),
            why,
        };
        let url = Url::parse(text).map_err(|_| wrong("it is no URL"))?;
        let (tls, usual) = match url.scheme() {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            _ => return Err(wrong("only mqtt:// and mqtts:// are spoken")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            // The text is not repeated: it has a password.
            return Err(Error::Address {
                text: format!("{}://...@...", url.scheme()),
                why: "user and password are set apart from it",
            });
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("nothing follows the port"));
        }
        let host = host(&url).ok_or_else(|| wrong("it has no host"))?;
        Ok(Self {
            tls,
            host,
            port: url.port().unwrap_or(usual),
        })
    }
}

impl FromStr for Proxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Proxy {
            text: text.to_owned(),
        };
        let url = Url::parse(text).map_err(|_| wrong())?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none();
        if !bare || !matches!(url.scheme(), "socks5" | "socks5h") {
            return Err(wrong());
        }
        Ok(Self {
            host: host(&url).ok_or_else(wrong)?,
            port: url.port().unwrap_or(1080),
            login: None,
        })
    }
}

fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    (!host.is_empty()).then(|| host.to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}", authority(&self.host, self.port))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socks5h://{}", authority(&self.host, self.port))
    }
}

fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn addresses_have_usual_ports() {
        let shown = |text: &str| text.parse::<Address>().unwrap().to_string();
        assert_eq!(shown("mqtt://broker"), "mqtt://broker:1883");
        assert_eq!(shown("mqtts://broker.lan/"), "mqtts://broker.lan:8883");
        assert_eq!(shown("mqtts://[fd00::1]:99"), "mqtts://[fd00::1]:99");
        let proxy: Proxy = "socks5h://10.0.0.1".parse().unwrap();
        assert_eq!(proxy.to_string(), "socks5h://10.0.0.1:1080");
    }

    #[test]
    fn what_is_no_address_is_said() {
        for text in [
            "broker",
            "http://broker",
            "mqtt://",
            "mqtt://b/topic",
            "mqtt://b?x",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
        let error = "mqtt://anna:hunter2@b".parse::<Address>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!("http://proxy".parse::<Proxy>().is_err());
    }
}
