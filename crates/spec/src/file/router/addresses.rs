//! Addresses and names that the router gives, as they are written.

use crate::file::MAC;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Addresses for machines and guests. Machines of this file with a `mac` always get their own, without being
/// named here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dhcp {
    /// First and last address for unknown devices, `10.77.0.200-10.77.0.250`, or `none`. Nothing that this
    /// file gives an address may have one of these. Default: in the last quarter of the LAN without its last
    /// five addresses, the longest run that this file names nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Seconds that machines and devices of this file have their address for, 120 to 31536000. Default: 43200.
    /// Others have theirs for 180 at most, so that one which comes into this file soon gets its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 120, max = 31_536_000))]
    pub lease: Option<u32>,
    /// MTU that devices are told, 576 to 9216. Default: none is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 576, max = 9216))]
    pub mtu: Option<u16>,
    /// Addresses of devices that are no machines of this file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<Reservation>,
}

/// The address of a device that is no machine of this file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reservation {
    /// Hardware address of its network interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = MAC))]
    pub mac: Option<String>,
    /// The address that it gets: one of the LAN that nobody else has, outside the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub address: Option<String>,
    /// Its name in `network.domain`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// Addresses of name servers that are asked for names outside. Default: those that the router itself uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("uniqueItems" = true))]
    pub forwarders: Vec<String>,
    /// Further names in `network.domain`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<DnsRecord>,
}

/// A name in `network.domain`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsRecord {
    /// The name, without the domain; `*.` in front stands for all names below it. A machine's or device's own
    /// name can't get another address here, but one of the other family. With `router.registry`, `registry`
    /// is the router's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub name: Option<String>,
    /// Its address, IPv4 or IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub address: Option<String>,
}
