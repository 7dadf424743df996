//! Everything that a board has to know.

use core::fmt;
use heapless::{String, Vec};

/// Bytes of an authority's certificate at most.
pub const CERTIFICATE: usize = 1536;

/// A host's name or address.
pub type Host = String<64>;

/// A text that is not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden<const N: usize>(String<N>);

/// The Wi-Fi network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wifi {
    /// Its name (SSID), 1 to 32 bytes.
    pub name: String<32>,
    /// Its password, 8 to 63 characters; `None` for an open network.
    pub password: Option<Hidden<63>>,
}

/// The certificate of the authority that a broker's certificate must come from, in DER form.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority(pub(crate) Vec<u8, CERTIFICATE>);

/// The broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Where: a DNS name if TLS is used, since certificates are checked by names.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// Who the button is there.
    pub user: String<64>,
    /// Its password there, if the broker wants one.
    pub password: Option<Hidden<128>>,
    /// Whom TLS trusts; `None` for a connection that isn't encrypted.
    pub authority: Option<Authority>,
}

/// The settings of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// What the state machine knows.
    pub button: bramble_button::Settings,
    /// The network.
    pub wifi: Wifi,
    /// The broker.
    pub broker: Broker,
    /// Who says what the time is (SNTP, RFC 4330).
    pub time_server: Host,
}

impl<const N: usize> Hidden<N> {
    pub(crate) fn new(text: &str) -> Option<Self> {
        String::try_from(text).ok().map(Self)
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Hidden<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(***)")
    }
}

impl Authority {
    /// The certificate, in DER form.
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({} bytes)", self.0.len())
    }
}

impl fmt::Display for Board {
    /// What may be seen by whoever is at the console.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            button,
            wifi,
            broker,
            time_server,
        } = self;
        let protocol = match button.protocol {
            bramble_button::Protocol::Seed { .. } => 1,
            bramble_button::Protocol::Signed { .. } => 2,
        };
        let tls = match &broker.authority {
            Some(_) => "TLS",
            None => "not encrypted",
        };
        write!(
            f,
            "button {} of the handler {}, protocol {protocol}\nWi-Fi {}\nbroker {}:{} as {}, {tls}\ntime from {time_server}",
            button.id, button.handler, wifi.name, broker.host, broker.port, broker.user
        )
    }
}
