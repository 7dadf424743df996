//! The section `router` as it is written: the router's two sides. What it does for others stands in
//! files of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod access;
mod addresses;
mod services;

pub use access::{Firewall, Forward, OpenVpn, Transport, Vpn, WireGuard};
pub use addresses::{Dhcp, Dns, DnsRecord, Reservation};
pub use services::{
    Backup, BackupClient, Ddns, Family, Ingress, PrivateRegistry, Registry, RegistryMirror,
    RegistryUser,
};

const INTERFACE: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$";

/// What the machine with the role `router` does for the others: the way outside, addresses, names, a firewall,
/// and what else is asked for here. The role alone is enough; everything has a default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Router {
    /// The way outside: the interface's name, or its settings. Default: the interface of the default route,
    /// left as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<Uplink>,
    /// The side of the machines: interface and address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lan: Option<RouterLan>,
    /// Addresses for machines and guests (DHCP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<Dhcp>,
    /// Names: every machine's in `network.domain`, and further ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// What may come in from outside. Default: SSH to the router itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
    /// The way in for people who are elsewhere. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpn: Option<Vpn>,
    /// A DNS name that follows the router's public address. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ddns: Option<Ddns>,
    /// Container images near the machines: `{}` serves those of the bundle. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// Web traffic from outside to the cluster. Default: none gets there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// A place for backups (Borg). Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
}

/// The way outside: an interface, or its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Uplink {
    /// Name of the interface; its address stays as the machine has it.
    Name(String),
    /// Its settings.
    Settings(UplinkSettings),
}

/// Settings of the uplink.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UplinkSettings {
    /// Name of the interface, such as eth0 or wlan0. Default: that of the default route; with `wifi`, the
    /// only wireless card.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERFACE))]
    pub interface: Option<String>,
    /// `dhcp`, or an address with the length of its network's prefix, such as 192.168.1.100/24.
    /// Where the machine's `address` is in that network, it must be the same. Default: as the machine has it;
    /// with `wifi`, by DHCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = r"^(dhcp|[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2})$"))]
    pub address: Option<String>,
    /// The next router, such as 192.168.1.1, or `none`. Needed with a static address, useless without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Name servers that the router itself asks, for a static address. Default: as the machine has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub dns: Vec<String>,
    /// The wireless network to join, when the interface is a wireless one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi: Option<Wifi>,
}

/// A wireless network.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wifi {
    /// Its name (SSID), at most 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub ssid: Option<String>,
    /// File with its password (WPA2 or WPA3, 8 to 63 characters), relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub password_file: Option<String>,
    /// Country, two letters: the law decides which channels may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = "^[A-Z]{2}$"))]
    pub country: Option<String>,
}

/// The side of the machines.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouterLan {
    /// Name of the interface. Default: the machine's only other network card.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERFACE))]
    pub interface: Option<String>,
    /// The router's address in `network.lan`, which must be a private network of eight addresses at least.
    /// Default: the machine's `address` if that is in the LAN, else the first address of the LAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
