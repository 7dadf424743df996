//! Rules for the router: its sides, addresses, names. What it lets in and what else it serves have
//! files of their own.

mod access;
mod services;

use super::machines::Known;
use super::network::edge;
use super::{Resolver, route};
use crate::cluster::{
    Dhcp, DnsRecord, Network, Reservation, Role, Router, Uplink, UplinkAddress, Wifi,
};
use crate::file::router as written;
use crate::problem::Problem;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr};

/// Seconds that an address is lent.
const LEASE: u32 = 43_200;
/// Most addresses of a pool that the plan makes.
const DEFAULT_POOL: u32 = 1000;
/// Most addresses of a pool.
const LARGEST_POOL: u32 = 65_536;

/// A path below `spec.router`.
pub(super) fn at(keys: &[&str]) -> Vec<Seg> {
    let mut path = route!["spec", "router"];
    path.extend(keys.iter().map(|k| Seg::from(*k)));
    path
}

/// The sides of the router, known before the machines' addresses are planned.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    /// Index of the machine.
    pub index: usize,
    /// Its address in the LAN.
    pub address: Ipv4Net,
    /// Addresses for unknown devices.
    pub pool: Option<(Ipv4Addr, Ipv4Addr)>,
}

impl Sides {
    /// Every address that no machine may be given by plan.
    pub fn taken(&self) -> impl Iterator<Item = IpAddr> {
        let (first, last) = self.pool.map_or((1, 0), |(a, b)| (a.into(), b.into()));
        (first..=last).map(|n: u32| IpAddr::V4(n.into()))
    }
}

impl Resolver<'_> {
    fn router_section(&self) -> written::Router {
        self.spec.router.clone().unwrap_or_default()
    }

    /// Which machine is the router, its address in the LAN, and the pool. The machine's own address
    /// becomes the one in the LAN; one outside is kept as the way for SSH.
    pub(super) fn sides(&mut self, network: &Network, known: &mut [Known]) -> Option<Sides> {
        let index = self.router_index(known)?;
        let lan_path = route!["spec", "network", "lan"];
        let lan = match network.lan {
            Some(IpNet::V4(lan)) if lan.prefix_len() <= 29 => lan,
            Some(lan) => {
                self.report(
                    "router-lan",
                    &lan_path,
                    format!("a router can't serve the LAN {lan}"),
                    "use an IPv4 network of at least eight addresses, such as 10.77.0.0/24",
                );
                return None;
            }
            None => {
                if !self.lost(&lan_path) && !self.written(&lan_path) {
                    let path = known[index].path("roles");
                    self.report(
                        "router-without-lan",
                        &path,
                        "a router needs a network to serve, and there is no `network.lan`",
                        "add `network.lan`, such as 10.77.0.0/24",
                    );
                }
                return None;
            }
        };
        let section = self.router_section();
        let own = known[index].address;
        let address = match section.lan.as_ref().and_then(|l| l.address.as_ref()) {
            Some(text) => self.lan_address(text, lan, &at(&["lan", "address"])),
            None => match own {
                Some(IpAddr::V4(own)) if lan.contains(&own) => Some(own),
                _ => lan.hosts().next(),
            },
        }?;
        let router = &mut known[index];
        if own != Some(IpAddr::V4(address)) {
            router.outside = own;
        }
        router.address = Some(IpAddr::V4(address));
        router.address_written = true;
        self.taken_by_router(known, index, address);
        let address = Ipv4Net::new_assert(address, lan.prefix_len());
        let pool = self.pool(&section, address);
        Some(Sides {
            index,
            address,
            pool,
        })
    }

    fn router_index(&mut self, known: &[Known]) -> Option<usize> {
        let mut routers = (0..known.len()).filter(|i| known[*i].roles.contains(&Role::Router));
        let first = routers.next();
        if let (Some(first), Some(second)) = (first, routers.next()) {
            let problem = Problem::new(
                "two-routers",
                self.place(&known[second].path("roles")),
                "a cluster has one router, and two machines have the role",
            )
            .hint("take the role `router` away from one of them")
            .related(self.place(&known[first].path("roles")), "the other one");
            self.push(problem);
        }
        let unsure = known.iter().any(|k| self.lost(&k.path("roles")))
            || self.lost(&route!["spec", "machines"]);
        if first.is_none() && self.written(&at(&[])) && !unsure {
            let place = self.key_place(&at(&[]));
            self.push(
                Problem::new(
                    "router-without-machine",
                    place,
                    "there is a section `router`, but no machine has that role",
                )
                .hint("give a machine `roles: [router]`, or remove the section"),
            );
        }
        first
    }

    fn taken_by_router(&mut self, known: &[Known], index: usize, address: Ipv4Addr) {
        let same = known
            .iter()
            .enumerate()
            .find(|(i, k)| *i != index && k.address == Some(IpAddr::V4(address)));
        if let Some((_, other)) = same {
            let problem = Problem::new(
                "router-address-taken",
                self.place(&other.path("address")),
                format!("{address} is the router's own address in the LAN"),
            )
            .hint("give this machine another address, or set `router.lan.address`");
            self.push(problem);
        }
    }

    /// An address inside the LAN that a device can have.
    pub(super) fn lan_address(
        &mut self,
        text: &str,
        lan: Ipv4Net,
        path: &[Seg],
    ) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.address(text, path)? else {
            self.report(
                "address-not-ipv4",
                path,
                format!("`{}` is not an IPv4 address", shorten(text)),
                format!("use an address of the LAN {lan}"),
            );
            return None;
        };
        let wrong = if !lan.contains(&address) {
            format!("{address} is not in the LAN {lan}")
        } else if let Some(what) = edge(IpNet::V4(lan), IpAddr::V4(address)) {
            format!("{address} is the {what} address of the LAN {lan}")
        } else {
            return Some(address);
        };
        let problem = Problem::new("outside-router-lan", self.place(path), wrong)
            .hint("use an address between the first and the last of the LAN")
            .related(self.place(&route!["spec", "network", "lan"]), "the LAN");
        self.push(problem);
        None
    }

    fn pool(&mut self, section: &written::Router, own: Ipv4Net) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let lan = own.trunc();
        let path = at(&["dhcp", "pool"]);
        let text = section.dhcp.as_ref().and_then(|d| d.pool.as_deref());
        let Some(text) = text else {
            return (!self.lost(&path)).then(|| default_pool(own));
        };
        if text.trim() == "none" {
            return None;
        }
        let ends = text.split_once('-').and_then(|(first, last)| {
            let first: Ipv4Addr = first.trim().parse().ok()?;
            Some((first, last.trim().parse::<Ipv4Addr>().ok()?))
        });
        let Some((first, last)) = ends else {
            self.report(
                "bad-pool",
                &path,
                format!("`{}` is not a pool of addresses", shorten(text)),
                "write the first and the last address, such as 10.77.0.200-10.77.0.250, or `none`",
            );
            return None;
        };
        let edge = |a| edge(IpNet::V4(lan), IpAddr::V4(a)).is_some();
        let count = u32::from(last).wrapping_sub(first.into());
        let (code, wrong, hint) = if !lan.contains(&first) || !lan.contains(&last) {
            (
                "pool-outside-lan",
                format!("the pool {first}-{last} is not inside the LAN {lan}"),
                "use addresses of `network.lan`".to_owned(),
            )
        } else if first > last {
            (
                "pool-backwards",
                format!("the pool begins at {first}, after its end {last}"),
                format!("write {last}-{first}"),
            )
        } else if edge(first) || edge(last) {
            (
                "pool-edge",
                format!("the pool {first}-{last} reaches the edge of the LAN {lan}"),
                "leave out the LAN's first and last address".to_owned(),
            )
        } else if (first..=last).contains(&own.addr()) {
            (
                "pool-over-router",
                format!(
                    "the pool {first}-{last} holds the router's own address {}",
                    own.addr()
                ),
                "begin the pool after it, or set `router.lan.address`".to_owned(),
            )
        } else if count >= LARGEST_POOL {
            (
                "pool-too-large",
                format!("the pool {first}-{last} has more than {LARGEST_POOL} addresses"),
                "make it smaller".to_owned(),
            )
        } else {
            return Some((first, last));
        };
        self.report(code, &path, wrong, hint);
        None
    }

    /// Everything else about the router, once all machines have addresses.
    pub(super) fn router(&mut self, network: &Network, known: &[Known], sides: &Sides) -> Router {
        let section = self.router_section();
        let lan = sides.address.trunc();
        let uplink = self.uplink(&section, lan);
        let interface = section.lan.as_ref().and_then(|l| l.interface.clone());
        self.same_interface(&uplink, interface.as_deref());
        let mut router = Router {
            machine: known[sides.index].name.clone().unwrap_or_default(),
            uplink,
            interface,
            address: sides.address,
            address6: network.lan6.map(first_host),
            dhcp: self.dhcp(&section, known, sides),
            forwarders: self.forwarders(&section),
            records: self.records(&section),
            firewall: self.firewall(&section, known, sides),
            vpn: None,
            ddns: self.ddns(&section),
            registry: self.registry(&section),
            ingress: self.ingress(&section, known, lan),
            backup: self.backup(&section),
        };
        router.vpn = self.vpn(&section, network, known, &router);
        self.ports_are_free(&router);
        router
    }

    fn uplink(&mut self, section: &written::Router, lan: Ipv4Net) -> Uplink {
        let settings = match &section.uplink {
            None => written::UplinkSettings::default(),
            Some(written::Uplink::Name(name)) => written::UplinkSettings {
                interface: Some(name.clone()),
                ..Default::default()
            },
            Some(written::Uplink::Settings(settings)) => settings.clone(),
        };
        let path = |key: &str| match &section.uplink {
            Some(written::Uplink::Name(_)) => at(&["uplink"]),
            _ => at(&["uplink", key]),
        };
        if let Some(name) = &settings.interface {
            self.interface(name, &path("interface"));
        }
        let dns = settings.dns.iter().enumerate().filter_map(|(i, text)| {
            let mut path = at(&["uplink", "dns"]);
            path.push(i.into());
            self.address(text, &path)
        });
        let dns: Vec<IpAddr> = dns.collect();
        let address = match settings.address.as_deref() {
            // A wireless network that the machine is not in has given it no address yet.
            None if settings.wifi.is_some() => UplinkAddress::Dhcp,
            None => UplinkAddress::Kept,
            Some("dhcp") => UplinkAddress::Dhcp,
            Some(text) => match self.uplink_address(text, lan) {
                None => UplinkAddress::Kept,
                Some(address) => {
                    let gateway = settings.gateway.as_ref();
                    UplinkAddress::Static {
                        address,
                        gateway: gateway.and_then(|g| self.gateway(g, address)),
                        dns,
                    }
                }
            },
        };
        let fixed = matches!(address, UplinkAddress::Static { .. })
            || self.lost(&at(&["uplink", "address"]));
        for (key, given) in [
            ("gateway", settings.gateway.is_some()),
            ("dns", !settings.dns.is_empty()),
        ] {
            if given && !fixed && settings.address.as_deref().is_none_or(|a| a == "dhcp") {
                let problem = Problem::new(
                    "uplink-option",
                    self.key_place(&at(&["uplink", key])),
                    format!("`{key}` of the uplink means nothing without a static address"),
                )
                .hint("remove it, or give `address`, such as 192.168.1.100/24");
                self.push(problem);
            }
        }
        Uplink {
            interface: settings.interface,
            address,
            wifi: settings.wifi.and_then(|w| self.wifi(w)),
        }
    }

    fn interface(&mut self, name: &str, path: &[Seg]) {
        let good = (1..=15).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name != "lo";
        if !good {
            self.report(
                "bad-interface",
                path,
                format!("`{}` can't be the name of a network card", shorten(name)),
                "write a name that `ip link` shows on the router, such as eth0",
            );
        }
    }

    fn uplink_address(&mut self, text: &str, lan: Ipv4Net) -> Option<Ipv4Net> {
        let path = at(&["uplink", "address"]);
        let Ok(address) = text.parse::<Ipv4Net>() else {
            self.report(
                "bad-uplink-address",
                &path,
                format!("`{}` is no address of the uplink", shorten(text)),
                "write `dhcp`, or an address with the length of its network's prefix, such as 192.168.1.100/24",
            );
            return None;
        };
        let net = address.trunc();
        if net.contains(&lan.network()) || lan.contains(&net.network()) {
            let problem = Problem::new(
                "uplink-in-lan",
                self.place(&path),
                format!("the uplink's network {net} and the LAN {lan} overlap"),
            )
            .hint("the router's two sides need networks of their own")
            .related(self.place(&route!["spec", "network", "lan"]), "the LAN");
            self.push(problem);
            return None;
        }
        if edge(IpNet::V4(net), IpAddr::V4(address.addr())).is_some() {
            self.report(
                "uplink-edge",
                &path,
                format!("{} is the first or last address of {net}", address.addr()),
                "no machine can have it: use an address in between",
            );
            return None;
        }
        Some(address)
    }

    fn gateway(&mut self, text: &str, own: Ipv4Net) -> Option<Ipv4Addr> {
        let path = at(&["uplink", "gateway"]);
        match self.address(text, &path)? {
            IpAddr::V4(gateway) if own.trunc().contains(&gateway) && gateway != own.addr() => {
                Some(gateway)
            }
            gateway => {
                self.report(
                    "bad-gateway",
                    &path,
                    format!("{gateway} can't be the next router of {own}"),
                    format!("it must be another address of {}", own.trunc()),
                );
                None
            }
        }
    }

    fn wifi(&mut self, wifi: written::Wifi) -> Option<Wifi> {
        let ssid = wifi.ssid?;
        let path = at(&["uplink", "wifi", "ssid"]);
        if !(1..=32).contains(&ssid.len()) || ssid.chars().any(char::is_control) {
            self.report(
                "bad-ssid",
                &path,
                format!(
                    "`{}` can't be the name of a wireless network",
                    shorten(&ssid)
                ),
                "it has 1 to 32 bytes",
            );
        }
        let file = wifi.password_file?;
        self.path_value(&file, &at(&["uplink", "wifi", "passwordFile"]));
        let country = wifi.country?;
        if country.len() != 2 || !country.chars().all(|c| c.is_ascii_uppercase()) {
            self.report(
                "bad-country",
                &at(&["uplink", "wifi", "country"]),
                format!("`{}` is not the code of a country", shorten(&country)),
                "write its two capital letters, such as DE",
            );
        }
        Some(Wifi {
            ssid,
            password_file: file,
            country,
        })
    }

    fn same_interface(&mut self, uplink: &Uplink, lan: Option<&str>) {
        if lan.is_none() || uplink.interface.as_deref() != lan {
            return;
        }
        let lan_path = at(&["lan", "interface"]);
        let written = at(&["uplink", "interface"]);
        let other = if self.written(&written) {
            written
        } else {
            at(&["uplink"])
        };
        let problem = Problem::new(
            "uplink-is-lan",
            self.place(&lan_path),
            format!(
                "`{}` can't be the uplink and the side of the LAN at once",
                shorten(lan.unwrap_or_default())
            ),
        )
        .hint("a router needs two network cards: name the other one here")
        .related(self.place(&other), "the uplink");
        self.push(problem);
    }

    fn dhcp(&mut self, section: &written::Router, known: &[Known], sides: &Sides) -> Dhcp {
        let dhcp = section.dhcp.clone().unwrap_or_default();
        let lan = sides.address.trunc();
        let mut reservations = Vec::new();
        for (i, entry) in dhcp.reservations.iter().enumerate() {
            let path = |key: &str| {
                let mut path = at(&["dhcp", "reservations"]);
                path.push(i.into());
                path.push(key.into());
                path
            };
            let (Some(mac), Some(address)) = (&entry.mac, &entry.address) else {
                continue;
            };
            let mac = self.mac(mac, &path("mac"));
            let address = self.lan_address(address, lan, &path("address"));
            if let Some(name) = &entry.name {
                self.label(name, &path("name"), "name", "reservation-name");
            }
            if let (Some(mac), Some(address)) = (mac, address) {
                reservations.push((
                    i,
                    Reservation {
                        mac,
                        address,
                        name: entry.name.clone(),
                    },
                ));
            }
        }
        self.reserved_twice(&reservations, known);
        self.in_pool(known, sides);
        Dhcp {
            pool: sides.pool,
            lease: dhcp.lease.unwrap_or(LEASE),
            mtu: dhcp.mtu,
            reservations: reservations.into_iter().map(|(_, r)| r).collect(),
        }
    }

    /// No hardware address, address or name is reserved twice, here or by a machine.
    fn reserved_twice(&mut self, reservations: &[(usize, Reservation)], known: &[Known]) {
        let path = |index: usize, key: &str| {
            let mut path = at(&["dhcp", "reservations"]);
            path.push(index.into());
            path.push(key.into());
            path
        };
        type Value = fn(&Reservation) -> Option<String>;
        let kinds: [(&str, &str, Value); 3] = [
            ("mac", "hardware address", |r| Some(r.mac.clone())),
            ("address", "address", |r| Some(r.address.to_string())),
            ("name", "name", |r| r.name.clone()),
        ];
        for (key, noun, value) in kinds {
            let machines = known.iter().filter_map(|k| {
                let text = match key {
                    "mac" => k.mac.clone(),
                    "address" => k.address.map(|a| a.to_string()),
                    _ => k.name.clone(),
                };
                Some((text?, k.path(key)))
            });
            let mut seen: Vec<(String, Vec<Seg>)> = machines.collect();
            for (index, reservation) in reservations {
                let Some(text) = value(reservation) else {
                    continue;
                };
                let here = path(*index, key);
                match seen.iter().find(|(known, _)| *known == text) {
                    Some((_, first)) => {
                        let problem = Problem::new(
                            "reserved-twice",
                            self.place(&here),
                            format!("the {noun} `{text}` is reserved twice"),
                        )
                        .hint("every device needs its own; machines of this file are reserved already")
                        .related(self.place(first), "first here");
                        self.push(problem);
                    }
                    None => seen.push((text, here)),
                }
            }
        }
    }

    /// A machine whose address is lent to strangers.
    fn in_pool(&mut self, known: &[Known], sides: &Sides) {
        let Some((first, last)) = sides.pool else {
            return;
        };
        let pool_path = at(&["dhcp", "pool"]);
        for k in known.iter().filter(|k| k.address_written) {
            if let Some(IpAddr::V4(address)) = k.address
                && (first..=last).contains(&address)
            {
                let mut problem = Problem::new(
                    "address-in-pool",
                    self.place(&k.path("address")),
                    format!("{address} is in the pool for unknown devices, {first}-{last}"),
                )
                .hint("use an address outside the pool, or set `router.dhcp.pool`");
                if self.written(&pool_path) {
                    problem = problem.related(self.place(&pool_path), "the pool");
                }
                self.push(problem);
            }
        }
    }

    fn forwarders(&mut self, section: &written::Router) -> Vec<IpAddr> {
        let dns = section.dns.clone().unwrap_or_default();
        let mut out = Vec::new();
        for (i, text) in dns.forwarders.iter().enumerate() {
            let mut path = at(&["dns", "forwarders"]);
            path.push(i.into());
            out.extend(self.address(text, &path));
        }
        out
    }

    fn records(&mut self, section: &written::Router) -> Vec<DnsRecord> {
        let dns = section.dns.clone().unwrap_or_default();
        let mut out = Vec::new();
        for (i, record) in dns.records.iter().enumerate() {
            let path = |key: &str| {
                let mut path = at(&["dns", "records"]);
                path.push(i.into());
                path.push(key.into());
                path
            };
            let (Some(name), Some(address)) = (&record.name, &record.address) else {
                continue;
            };
            let bare = name.strip_prefix("*.").unwrap_or(name);
            if !syntax::dns_name(bare) {
                self.report(
                    "bad-record",
                    &path("name"),
                    format!("`{}` can't be a name in the domain", shorten(name)),
                    "write lower-case labels with dots between them, without the domain; `*.` may stand in front",
                );
            }
            if let Some(address) = self.address(address, &path("address")) {
                out.push(DnsRecord {
                    name: bare.to_owned(),
                    wildcard: bare != name,
                    address,
                });
            }
        }
        out
    }

    /// Reads `network.lan6`.
    pub(super) fn lan6(&mut self) -> Option<Ipv6Net> {
        let path = route!["spec", "network", "lan6"];
        let text = self.spec.network.as_ref()?.lan6.clone()?;
        match self.net(&text, &path)? {
            IpNet::V6(net) if net.prefix_len() == 64 => Some(net),
            net => {
                self.report(
                    "lan6-size",
                    &path,
                    format!("{net} can't be the IPv6 range of the LAN"),
                    "use a /64, such as fd00:77::/64: devices make their addresses in it themselves",
                );
                None
            }
        }
    }
}

fn first_host(net: Ipv6Net) -> Ipv6Net {
    let first = u128::from(net.network()) | 1;
    Ipv6Net::new_assert(first.into(), net.prefix_len())
}

/// The last quarter of the LAN, without its last five addresses and without the router.
fn default_pool(own: Ipv4Net) -> (Ipv4Addr, Ipv4Addr) {
    let lan = own.trunc();
    let size = 1u64 << (32 - lan.prefix_len());
    let base = u64::from(u32::from(lan.network()));
    let mut first = base + size - size / 4;
    let mut last = base + size - if size >= 64 { 6 } else { 2 };
    let own = u64::from(u32::from(own.addr()));
    // The larger part of what the router's own address leaves.
    if (first..=last).contains(&own) {
        if own - first > last - own {
            last = own - 1;
        } else {
            first = own + 1;
        }
    }
    first = first.max(last.saturating_sub(u64::from(DEFAULT_POOL) - 1));
    let address = |n: u64| Ipv4Addr::from(u32::try_from(n).unwrap_or(u32::MAX));
    (address(first), address(last))
}
