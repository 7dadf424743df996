//! Who may come in through the router, as it is written.

use crate::file::IPV4_NET;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const PORT: &str = "^(tcp|udp)/[0-9]{1,5}$";

/// What may come in from outside; everything else is dropped.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Firewall {
    /// Ports of the router itself that are open to everybody: `ssh`, `tcp/8080`, `udp/5000-5010`. What `vpn`
    /// and `ingress` need is open without being named. Without `ssh`, some range must be `trusted`, unless the
    /// router is reached from inside. Default: `[ssh]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("uniqueItems" = true))]
    pub open: Option<Vec<String>>,
    /// Addresses and ranges outside, such as 192.168.1.0/24, whose machines may reach the LAN and the router as
    /// if they were in it: where your workstation is. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub trusted: Vec<String>,
    /// Ports of the router that lead to a machine behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<Forward>,
}

/// A port of the router that leads to a machine behind it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forward {
    /// The router's port, such as `tcp/8443`; not one that SSH, `open`, `vpn` or `ingress` uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = PORT))]
    pub port: Option<String>,
    /// Name of a machine of this file, or an address in the LAN outside the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub to: Option<String>,
    /// Port there. Default: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub to_port: Option<u16>,
}

/// The way in for people who are elsewhere: they reach the LAN as if they were in it. Without `wireguard` and
/// `openvpn`, it is WireGuard.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("required" = ["users"]))]
pub struct Vpn {
    /// Name or address at which clients find the router from outside. Default: `ddns.name`, or the
    /// router's address outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Who may come in: lower-case letters, digits, `-` and `_`, each with keys of their own. A name that is
    /// taken out is locked out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub users: Vec<String>,
    /// WireGuard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wireguard: Option<WireGuard>,
    /// OpenVPN.
    #[serde(rename = "openvpn", skip_serializing_if = "Option::is_none")]
    pub open_vpn: Option<OpenVpn>,
}

/// WireGuard.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WireGuard {
    /// UDP port, one that nothing else of the router uses. Default: 51820.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Private IPv4 range of the clients' addresses, /16 to /29, that nothing else uses; the router has the
    /// first. Default: 10.8.0.0/24.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = IPV4_NET))]
    pub range: Option<String>,
}

/// OpenVPN.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenVpn {
    /// Port, one that nothing else of the router uses. Default: 1194.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Private IPv4 range of the clients' addresses, /16 to /29, that nothing else uses; the router has the
    /// first. Default: 10.9.0.0/24.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = IPV4_NET))]
    pub range: Option<String>,
    /// Over which protocol. Default: udp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Transport>,
}

/// A transport protocol.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}
