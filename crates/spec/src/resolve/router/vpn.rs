//! Rules for the way in for people who are elsewhere.

use crate::cluster::{Ddns, Transport, Tunnel, Vpn};
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::syntax;
use crate::tree::shorten;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

const WIREGUARD_PORT: u16 = 51820;
const OPENVPN_PORT: u16 = 1194;
/// First two bytes of the /24 of clients' addresses.
const WIREGUARD_RANGE: [u8; 2] = [10, 8];
const OPENVPN_RANGE: [u8; 2] = [10, 9];

impl Resolver<'_> {
    pub(super) fn vpn(
        &mut self,
        section: &written::Router,
        machine: &Known,
        ddns: Option<&Ddns>,
    ) -> Option<Vpn> {
        let vpn = section.vpn.clone()?;
        let users = self.vpn_users(&vpn.users);
        let host = self.vpn_host(&vpn, machine, ddns);
        let one = self.damaged_below(&below!["vpn", "wireguard"])
            || self.damaged_below(&below!["vpn", "openvpn"]);
        let neither = vpn.wireguard.is_none() && vpn.open_vpn.is_none() && !one;
        let wireguard = vpn.wireguard.or(neither.then(written::WireGuard::default));
        let wireguard = wireguard.and_then(|settings| {
            let range = settings.range.as_deref();
            Some(Tunnel {
                port: settings.port.unwrap_or(WIREGUARD_PORT),
                transport: Transport::Udp,
                range: self.tunnel_range(range, "wireguard", WIREGUARD_RANGE, users.len())?,
            })
        });
        let openvpn = vpn.open_vpn.and_then(|settings| {
            let range = settings.range.as_deref();
            Some(Tunnel {
                port: settings.port.unwrap_or(OPENVPN_PORT),
                transport: settings.protocol.unwrap_or(Transport::Udp),
                range: self.tunnel_range(range, "openvpn", OPENVPN_RANGE, users.len())?,
            })
        });
        Some(Vpn {
            host,
            users,
            wireguard,
            openvpn,
        })
    }

    fn vpn_users(&mut self, written: &[String]) -> Vec<String> {
        let mut users: Vec<String> = Vec::new();
        for (i, user) in written.iter().enumerate() {
            if syntax::user_name(user) {
                users.push(user.clone());
                continue;
            }
            let message = match user.trim() {
                "" => "the name of a VPN user is empty".to_owned(),
                user => format!("`{}` can't be the name of a VPN user", shorten(user)),
            };
            self.report(
                "vpn-user",
                &below!["vpn", "users", i],
                message,
                "use lower-case letters, digits, `-` and `_`, at most 32, beginning with a letter",
            );
        }
        users
    }

    /// Where clients find the router.
    fn vpn_host(&mut self, vpn: &written::Vpn, machine: &Known, ddns: Option<&Ddns>) -> String {
        let path = below!["vpn", "host"];
        if let Some(host) = &vpn.host {
            if !syntax::host(host) {
                self.report(
                    "bad-vpn-host",
                    &path,
                    format!("`{}` is neither an address nor a DNS name", shorten(host)),
                    "write the host alone; ports go to `wireguard` and `openvpn`",
                );
            }
            return host.clone();
        }
        let outside = machine.outside.map(|a| a.to_string());
        let management = self.spec.machines[machine.index].management.clone();
        let known = ddns.map(|d| d.name.clone()).or(outside).or(management);
        let unsure = self.lost(&path)
            || self.damaged_below(&below!["ddns"])
            || self.lost(&machine.path("address"))
            || self.lost(&machine.path("management"));
        if known.is_none() && !unsure {
            let place = self.key_place(&below!["vpn"]);
            self.push(
                Problem::new(
                    "vpn-without-host",
                    place,
                    "VPN clients can't know where the router is",
                )
                .hint("add `vpn.host` with a name or address that leads to the router from outside, or `ddns`"),
            );
        }
        known.unwrap_or_default()
    }

    fn tunnel_range(
        &mut self,
        text: Option<&str>,
        key: &str,
        usual: [u8; 2],
        users: usize,
    ) -> Option<Ipv4Net> {
        let path = below!["vpn", key, "range"];
        let Some(text) = text else {
            if self.lost(&path) {
                return None;
            }
            return Some(Ipv4Net::new_assert(
                Ipv4Addr::new(usual[0], usual[1], 0, 0),
                24,
            ));
        };
        let range = self.ipv4_net(text, &path, "VPN clients")?;
        if syntax::public(range) {
            self.report(
                "vpn-range-public",
                &path,
                format!("the addresses of {range} belong to somebody on the internet"),
                "use a private range, such as 10.8.0.0/24",
            );
            return None;
        }
        let room = (1u64 << (32 - range.prefix_len())).saturating_sub(3);
        if !(16..=29).contains(&range.prefix_len()) || room < users as u64 {
            self.report(
                "vpn-range-size",
                &path,
                format!("{range} has the wrong size for {users} VPN users"),
                format!(
                    "use a /16 to /{}: it has an address for each user and three more",
                    smallest(users)
                ),
            );
            return None;
        }
        Some(range)
    }
}

/// Prefix length of the smallest range for so many users.
fn smallest(users: usize) -> u32 {
    let needed = (users as u64).saturating_add(3).next_power_of_two();
    32u32.saturating_sub(needed.trailing_zeros()).clamp(16, 29)
}
