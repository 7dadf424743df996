//! The section `router` as it is written.

use super::{DNS_NAME, IPV4_NET, URL};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MAC: &str = "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$";
const INTERFACE: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$";
const SERVICE: &str = "^(ssh|(tcp|udp)/[0-9]{1,5}(-[0-9]{1,5})?)$";

/// What the machine with the role `router` does for the others. Everything has a default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Router {
    /// The way outside: the interface's name, or its settings. Default: the interface of the default route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<Uplink>,
    /// The side of the machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lan: Option<RouterLan>,
    /// Addresses for machines and guests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<Dhcp>,
    /// Names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// What may come in from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
    /// The way in for people who are elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpn: Option<Vpn>,
    /// A DNS name that follows the router's public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ddns: Option<Ddns>,
    /// Container images near the machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// Web traffic from outside to the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// A place for backups (Borg).
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
    /// Default: as the machine has it; with `wifi`, by DHCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = r"^(dhcp|[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2})$"))]
    pub address: Option<String>,
    /// The next router, for a static address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Name servers, for a static address.
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
    /// The router's address in `network.lan`. Default: the machine's `address` if that is in the LAN,
    /// else the first address of the LAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Addresses for machines and guests. Machines of this file with a `mac` always get their own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dhcp {
    /// First and last address for unknown devices, `10.77.0.200-10.77.0.250`, or `none`. Default: the last
    /// quarter of the LAN, without its last five addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Seconds that an address is lent, 120 to 31536000. Default: 43200.
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
    /// The address that it gets.
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
    /// Name servers that are asked for names outside. Default: those that the router itself uses.
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
    /// The name, without the domain; `*` in front stands for all names below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub name: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub address: Option<String>,
}

/// What may come in from outside; everything else is dropped.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Firewall {
    /// Services of the router itself that are open to everybody: `ssh`, `tcp/8080`, `udp/5000-5010`. What
    /// `vpn` and `ingress` need is open without being named. Default: `[ssh]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("uniqueItems" = true))]
    pub open: Option<Vec<String>>,
    /// Ranges outside whose machines may reach the LAN and the router as if they were in it: where your
    /// workstation is.
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
    /// The router's port, such as `tcp/8443`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = SERVICE))]
    pub port: Option<String>,
    /// A machine of this file, or an address in the LAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub to: Option<String>,
    /// Port there. Default: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub to_port: Option<u16>,
}

/// The way in for people who are elsewhere. Without `wireguard` and `openvpn`, it is WireGuard.
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
    /// UDP port. Default: 51820.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Range of the clients' addresses. Default: 10.8.0.0/24.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = IPV4_NET))]
    pub range: Option<String>,
}

/// OpenVPN.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenVpn {
    /// Port. Default: 1194.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Range of the clients' addresses. Default: 10.9.0.0/24.
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

/// A DNS name that follows the router's public address, at Cloudflare.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ddns {
    /// The name, such as home.example.org.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_NAME))]
    pub name: Option<String>,
    /// The zone that it is in, such as example.org.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = DNS_NAME))]
    pub zone: Option<String>,
    /// File with an API token that may edit the zone's DNS, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub token_file: Option<String>,
    /// Where the public address is read: `uplink`, or a URL that answers with it. Default: the uplink where
    /// its address is a public one, else `https://cloudflare.com/cdn-cgi/trace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which families are kept up to date. Default: `[ipv4]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub families: Option<Vec<Family>>,
    /// Seconds between two looks, 60 to 86400. Default: 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 86400))]
    pub every: Option<u32>,
    /// URL of the API. Default: `https://api.cloudflare.com/client/v4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub api: Option<String>,
}

/// A family of addresses.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Container images near the machines. The images of the bundle are always served.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registry {
    /// Copies of other registries that fill as images are pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<RegistryMirror>,
    /// A registry for images of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<PrivateRegistry>,
    /// Folder on the router that holds the images; put it on a disk with `machines[].disks`.
    /// Default: /var/lib/bramble-registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
}

/// A copy of another registry that fills as images are pulled.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryMirror {
    /// Host in the names of images, such as docker.io.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub host: Option<String>,
    /// URL of the registry. Default: `https://` and the host (for docker.io, registry-1.docker.io).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = URL))]
    pub url: Option<String>,
    /// Login name there. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password or token, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

/// A registry for images of your own, at port 5000 of the router, with TLS.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("required" = ["users"]))]
pub struct PrivateRegistry {
    /// Who may push and pull. Nodes pull as the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub users: Vec<RegistryUser>,
}

/// Who may push to and pull from the private registry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryUser {
    /// Login name, without a colon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"))]
    pub name: Option<String>,
    /// File with the password, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub password_file: Option<String>,
}

/// Web traffic from outside to the cluster: ports 80 and 443 of the router.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ingress {
    /// Address of the ingress controller's service in the LAN. Default: every node, at node ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Port there for the router's port 80. Default: 80 with `address`, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub http: Option<u16>,
    /// Port there for the router's port 443; TLS passes through. Default: 443 with `address`, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub https: Option<u16>,
}

/// A place for backups (Borg) on the router.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("required" = ["clients"]))]
pub struct Backup {
    /// Folder that holds the backups; put it on a disk with `machines[].disks`.
    /// Default: /var/lib/bramble-backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Who may store backups; each sees its own alone and can add, but not remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub clients: Vec<BackupClient>,
}

/// Who may store backups.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupClient {
    /// Its name, and that of its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub name: Option<String>,
    /// Public SSH key, one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub key: Option<String>,
    /// May also remove backups of its own. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
}

/// A disk of a machine, made ready and mounted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// Its stable name below /dev/disk/by-id, such as usb-SanDisk_Ultra_0101-0:0, or a path such as
    /// /dev/disk/by-path/... (names like /dev/sda change and are refused).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub id: Option<String>,
    /// Where it is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, extend("pattern" = "^/"))]
    pub at: Option<String>,
    /// Its file system: a blank disk gets it once; one with data is never formatted. Default: ext4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<FileSystem>,
    /// Format it even if something else is on it; asks first. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wipe: Option<bool>,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// ext4.
    #[default]
    Ext4,
    /// XFS.
    Xfs,
}

impl FileSystem {
    /// The kernel's name.
    pub fn as_str(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "xfs",
        }
    }
}
