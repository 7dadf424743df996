//! What the router does for the other machines: the section `router`, validated.

pub use crate::file::router::{Family, Transport};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr};

/// The router of a cluster. It exists if and only if one machine has the role.
#[derive(Debug, Clone, PartialEq)]
pub struct Router {
    /// Name of the machine.
    pub machine: String,
    /// The way outside.
    pub uplink: Uplink,
    /// Interface of the machines' side; `None` = the only other network card.
    pub interface: Option<String>,
    /// Its address there, with the length of the LAN's prefix.
    pub address: Ipv4Net,
    /// Its IPv6 address there (the first of `network.lan6`), if the LAN has IPv6.
    pub address6: Option<Ipv6Net>,
    /// Addresses for machines and guests.
    pub dhcp: Dhcp,
    /// Name servers for names outside; empty = those of the router itself.
    pub forwarders: Vec<IpAddr>,
    /// Further names in the domain.
    pub records: Vec<DnsRecord>,
    /// What may come in.
    pub firewall: Firewall,
    /// The way in for people who are elsewhere.
    pub vpn: Option<Vpn>,
    /// A name that follows the public address.
    pub ddns: Option<Ddns>,
    /// Images near the machines.
    pub registry: Option<Registry>,
    /// Web traffic from outside.
    pub ingress: Option<Ingress>,
    /// A place for backups.
    pub backup: Option<Backup>,
}

/// The way outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Uplink {
    /// Interface; `None` = that of the default route.
    pub interface: Option<String>,
    /// How it gets its address.
    pub address: UplinkAddress,
    /// The wireless network to join.
    pub wifi: Option<Wifi>,
}

/// How the uplink gets its address.
#[derive(Debug, Clone, PartialEq)]
pub enum UplinkAddress {
    /// As the machine has it: nothing is changed.
    Kept,
    /// By DHCP.
    Dhcp,
    /// A fixed one.
    Static {
        /// Address and prefix length.
        address: Ipv4Net,
        /// The next router.
        gateway: Option<Ipv4Addr>,
        /// Name servers.
        dns: Vec<IpAddr>,
    },
}

/// A wireless network.
#[derive(Debug, Clone, PartialEq)]
pub struct Wifi {
    /// Its name, 1 to 32 bytes.
    pub ssid: String,
    /// File with its password, as written.
    pub password_file: String,
    /// Two capital letters.
    pub country: String,
}

/// Addresses for machines and guests.
#[derive(Debug, Clone, PartialEq)]
pub struct Dhcp {
    /// First and last address for unknown devices; `None`: unknown devices get none.
    pub pool: Option<(Ipv4Addr, Ipv4Addr)>,
    /// Seconds for machines and devices of the file; others may get less.
    pub lease: u32,
    /// MTU that devices are told.
    pub mtu: Option<u16>,
    /// Devices that are no machines of the file.
    pub reservations: Vec<Reservation>,
}

/// The address of a device that is no machine of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Reservation {
    /// Lower case, colons.
    pub mac: String,
    /// Address in the LAN.
    pub address: Ipv4Addr,
    /// Name in the domain.
    pub name: Option<String>,
}

/// A name in the domain.
#[derive(Debug, Clone, PartialEq)]
pub struct DnsRecord {
    /// Without the domain, and without `*.`.
    pub name: String,
    /// Whether it stands for all names below it as well.
    pub wildcard: bool,
    /// Its address.
    pub address: IpAddr,
}

/// A port, or several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    /// TCP or UDP.
    pub transport: Transport,
    /// First.
    pub first: u16,
    /// Last; the same for one port.
    pub last: u16,
}

/// What may come in from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Firewall {
    /// Open to everybody, as declared (`ssh` is the port of the router's SSH server).
    pub open: Vec<Ports>,
    /// Ranges that are treated as if they were in the LAN.
    pub trusted: Vec<Ipv4Net>,
    /// Ports that lead to machines behind the router.
    pub forwards: Vec<Forward>,
}

/// A port of the router that leads to a machine behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// Protocol.
    pub transport: Transport,
    /// The router's port.
    pub port: u16,
    /// Where it leads.
    pub to: Ipv4Addr,
    /// Port there.
    pub to_port: u16,
}

/// The way in for people who are elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Vpn {
    /// Name or address at which clients find the router.
    pub host: String,
    /// Who may come in, in the order of the file.
    pub users: Vec<String>,
    /// WireGuard.
    pub wireguard: Option<Tunnel>,
    /// OpenVPN.
    pub openvpn: Option<Tunnel>,
}

/// One VPN server.
#[derive(Debug, Clone, PartialEq)]
pub struct Tunnel {
    /// Port and protocol.
    pub port: u16,
    /// Protocol; WireGuard's is UDP.
    pub transport: Transport,
    /// Range of the clients' addresses; the router has the first one.
    pub range: Ipv4Net,
}

impl Tunnel {
    /// The router's own address in the range.
    pub fn router(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.range.network()) + 1)
    }
}

/// A name that follows the public address.
#[derive(Debug, Clone, PartialEq)]
pub struct Ddns {
    /// The name.
    pub name: String,
    /// The zone that it is in.
    pub zone: String,
    /// File with the token, as written.
    pub token_file: String,
    /// Where the public address is read.
    pub source: DdnsSource,
    /// Families that are kept up to date.
    pub families: Vec<Family>,
    /// Seconds between two looks.
    pub every: u32,
    /// URL of the API, without a slash at the end.
    pub api: String,
}

/// Where the public address is read.
#[derive(Debug, Clone, PartialEq)]
pub enum DdnsSource {
    /// The uplink's address where it is a public one, else a well-known page.
    Auto,
    /// The uplink's address.
    Uplink,
    /// A page that answers with it.
    Url(String),
}

/// Images near the machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    /// Copies that fill as images are pulled.
    pub mirrors: Vec<RegistryMirror>,
    /// A registry for images of the operator's own.
    pub private: Option<PrivateRegistry>,
    /// Folder on the router.
    pub dir: String,
}

impl Registry {
    /// Port of the private registry.
    pub const PRIVATE_PORT: u16 = 5000;
    /// Port of the registry that serves the bundle's images.
    pub const BUNDLE_PORT: u16 = 5001;
    /// Port, on the router's loopback only, where the bundle's images are taken in while a push runs.
    pub const PUSH_PORT: u16 = 5002;
    /// Port of the first mirror; the others follow in the order of the file.
    pub const FIRST_MIRROR_PORT: u16 = 5010;
}

/// A copy of another registry.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryMirror {
    /// Host in the names of images.
    pub host: String,
    /// URL of the registry.
    pub url: String,
    /// Login name, and file with the password as written.
    pub login: Option<(String, String)>,
    /// The router's port for it.
    pub port: u16,
}

/// A registry for images of the operator's own.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivateRegistry {
    /// Login names, and files with the passwords as written; nodes pull as the first. Never empty.
    pub users: Vec<(String, String)>,
}

/// Web traffic from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingress {
    /// Where it goes, in the order of the file: one address, or all nodes.
    pub backends: Vec<Ipv4Addr>,
    /// Port there for the router's port 80.
    pub http: Option<u16>,
    /// Port there for the router's port 443.
    pub https: Option<u16>,
}

/// A place for backups.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// Folder on the router.
    pub dir: String,
    /// Who may store backups.
    pub clients: Vec<BackupClient>,
}

/// Who may store backups.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupClient {
    /// Its name, and that of its folder.
    pub name: String,
    /// Public key, one line.
    pub key: String,
    /// May also remove backups.
    pub prune: bool,
}

impl Router {
    /// The LAN.
    pub fn lan(&self) -> Ipv4Net {
        self.address.trunc()
    }

    /// The router's TCP port outside that leads to a port of an address behind it.
    pub fn leading_to(&self, to: Ipv4Addr, port: u16) -> Option<u16> {
        let mut forwards = self.firewall.forwards.iter();
        let found =
            forwards.find(|f| f.transport == Transport::Tcp && f.to == to && f.to_port == port);
        found.map(|f| f.port)
    }

    /// The files of secrets that it names, as written.
    pub fn secret_files(&self) -> Vec<&str> {
        let wifi = self.uplink.wifi.iter().map(|w| &w.password_file);
        let ddns = self.ddns.iter().map(|d| &d.token_file);
        let mirrors = self.registry.iter().flat_map(|r| &r.mirrors);
        let logins = mirrors.filter_map(|m| m.login.as_ref());
        let private = self.registry.iter().flat_map(|r| &r.private);
        let users = private.flat_map(|p| &p.users);
        let passwords = logins.chain(users).map(|(_, file)| file);
        wifi.chain(ddns)
            .chain(passwords)
            .map(String::as_str)
            .collect()
    }

    /// Everything that is behind the router: LAN and VPN clients.
    pub fn inside(&self) -> Vec<IpNet> {
        let mut out = vec![IpNet::V4(self.lan())];
        out.extend(self.address6.map(|a| IpNet::V6(a.trunc())));
        let vpn = self.vpn.iter().flat_map(|v| [&v.wireguard, &v.openvpn]);
        out.extend(vpn.flatten().map(|t| IpNet::V4(t.range)));
        out
    }
}
