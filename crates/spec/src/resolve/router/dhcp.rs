//! Rules for the addresses that the router lends: the pool, reservations.

use super::Sides;
use super::claims::Claim;
use crate::cluster::{Dhcp, Network, Reservation};
use crate::file::router as written;
use crate::plan;
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::resolve::network::edge;
use crate::resolve::route;
use crate::shape::Seg;
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// Seconds that an address is lent.
const LEASE: u32 = 43_200;
/// Most addresses of a pool.
const LARGEST_POOL: u32 = 65_536;
/// Smallest MTU that IPv6 works with.
const SMALLEST_MTU6: u16 = 1280;

/// First and last address.
type Range = (Ipv4Addr, Ipv4Addr);

impl Resolver<'_> {
    /// The pool, and the addresses that are kept for it. Those of a pool by plan don't depend on what the
    /// file gives to others, so that a device more doesn't move the machines.
    pub(super) fn pool(
        &mut self,
        own: Ipv4Net,
        claims: &[Claim],
    ) -> (Option<Range>, Option<Range>) {
        let path = below!["dhcp", "pool"];
        let dhcp = self.spec.router.as_ref().and_then(|r| r.dhcp.as_ref());
        match dhcp.and_then(|d| d.pool.as_deref()) {
            Some(text) if text.trim() == "none" => (None, None),
            Some(text) => {
                let pool = self.written_pool(text, own, &path);
                (pool, pool)
            }
            None if self.lost(&path) => (None, None),
            None => {
                let named = claims.iter().map(|c| c.address);
                let named = named.chain([own.addr()]).collect();
                let kept = plan::guest_range(own.trunc());
                (plan::guest_pool(own.trunc(), &named), Some(kept))
            }
        }
    }

    fn written_pool(&mut self, text: &str, own: Ipv4Net, path: &[Seg]) -> Option<Range> {
        let ends = text.split_once('-').and_then(|(first, last)| {
            let first: Ipv4Addr = first.trim().parse().ok()?;
            Some((first, last.trim().parse::<Ipv4Addr>().ok()?))
        });
        let Some((first, last)) = ends else {
            self.report(
                "bad-pool",
                path,
                format!("`{}` is not a pool of addresses", shorten(text)),
                "write the first and the last address, such as 10.77.0.200-10.77.0.250, or `none`",
            );
            return None;
        };
        let lan = own.trunc();
        let edge = |a| edge(IpNet::V4(lan), IpAddr::V4(a)).is_some();
        let count = u32::from(last).wrapping_sub(first.into());
        let (code, wrong, hint) = if !lan.contains(&first) || !lan.contains(&last) {
            let lan_path = route!["spec", "network", "lan"];
            let problem = Problem::new(
                "pool-outside-lan",
                self.place(path),
                format!("the pool {first}-{last} is not inside the LAN {lan}"),
            )
            .hint("use addresses of the LAN; without `pool`, its last quarter is taken")
            .related(self.place(&lan_path), "the LAN");
            self.push(problem);
            return None;
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
                "make it smaller: more devices than that need a network of their own".to_owned(),
            )
        } else {
            return Some((first, last));
        };
        self.report(code, path, wrong, hint);
        None
    }

    pub(super) fn dhcp(
        &mut self,
        section: &written::Router,
        network: &Network,
        known: &[Known],
        sides: &Sides,
    ) -> Dhcp {
        let dhcp = section.dhcp.clone().unwrap_or_default();
        if let Some(mtu) = dhcp.mtu {
            self.mtu(mtu, network);
        }
        let reservations: Vec<_> = dhcp
            .reservations
            .iter()
            .enumerate()
            .filter_map(|(i, entry)| Some((i, self.reservation(entry, i, sides)?)))
            .collect();
        self.one_for_each_device(&reservations, known);
        Dhcp {
            pool: sides.pool,
            lease: dhcp.lease.unwrap_or(LEASE),
            mtu: dhcp.mtu,
            reservations: reservations.into_iter().map(|(_, r)| r).collect(),
        }
    }

    fn mtu(&mut self, mtu: u16, network: &Network) {
        if network.lan6.is_some() && mtu < SMALLEST_MTU6 {
            self.report(
                "mtu-too-small",
                &below!["dhcp", "mtu"],
                format!("an MTU of {mtu} is too small for IPv6, which the LAN has"),
                format!("use {SMALLEST_MTU6} or more, or remove `network.lan6`"),
            );
        }
        let pods = self.spec.pod_network.as_ref().and_then(|p| p.mtu);
        if let Some(pods) = pods.filter(|pods| *pods > mtu) {
            let place = self.place(&route!["spec", "podNetwork", "mtu"]);
            let problem = Problem::new(
                "mtu-of-pods",
                place,
                format!("pods' packets of {pods} bytes don't fit through the LAN, whose devices are told an MTU of {mtu}"),
            )
            .hint(format!("use {mtu} at most, or leave it out: then it is that of the machine's interface"))
            .related(self.place(&below!["dhcp", "mtu"]), "the LAN's");
            self.push(problem);
        }
    }

    fn reservation(
        &mut self,
        entry: &written::Reservation,
        index: usize,
        sides: &Sides,
    ) -> Option<Reservation> {
        let path = |key: &str| below!["dhcp", "reservations", index, key];
        if let Some(name) = &entry.name {
            self.label(name, &path("name"), "name", "reservation-name");
        }
        let mac = entry.mac.as_ref().and_then(|m| self.mac(m, &path("mac")));
        let address = entry
            .address
            .as_ref()
            .and_then(|a| self.lan_address(a, sides.lan(), &path("address")));
        Some(Reservation {
            mac: mac?,
            address: address?,
            name: entry.name.clone(),
        })
    }

    /// No device has two addresses.
    fn one_for_each_device(&mut self, reservations: &[(usize, Reservation)], known: &[Known]) {
        let machines = known.iter().filter_map(|k| {
            let whose = format!("that of {}", Self::called(k));
            Some((k.mac.clone()?, k.path("mac"), whose))
        });
        let mut seen: Vec<(String, Vec<Seg>, String)> = machines.collect();
        for (index, reservation) in reservations {
            let here = below!["dhcp", "reservations", *index, "mac"];
            let mac = &reservation.mac;
            match seen.iter().find(|(m, ..)| m == mac) {
                Some((_, first, whose)) => {
                    let problem = Problem::new(
                        "reserved-twice",
                        self.place(&here),
                        format!("the hardware address `{mac}` is {whose} already"),
                    )
                    .hint("remove this reservation: a device gets one address, and a machine of this file its own")
                    .related(self.place(first), "given here");
                    self.push(problem);
                }
                None => {
                    let whose = format!("that of the reservation of {}", reservation.address);
                    seen.push((mac.clone(), here, whose));
                }
            }
        }
    }
}
