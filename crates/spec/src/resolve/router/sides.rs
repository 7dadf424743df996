//! Which machine is the router, and its address in the LAN: known before other machines get addresses.

use super::claims::Claim;
use crate::cluster::{Network, Role};
use crate::problem::Problem;
use crate::resolve::machines::Known;
use crate::resolve::network::edge;
use crate::resolve::{Resolver, route};
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// Stands in where the router's address can't be known, so that the rest is checked all the same.
const NOBODYS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 32);

/// The router's side of the LAN.
#[derive(Debug, Clone)]
pub(in crate::resolve) struct Sides {
    /// Index of the machine.
    pub index: usize,
    /// Its address in the LAN; nobody's where there is no LAN that it could serve.
    pub address: Ipv4Net,
    /// First and last address for unknown devices.
    pub pool: Option<(Ipv4Addr, Ipv4Addr)>,
    /// First and last address that no machine is given by plan, because they are for unknown devices now
    /// or would be if the file named fewer addresses.
    pub kept: Option<(Ipv4Addr, Ipv4Addr)>,
    /// Every address of the LAN that the file names.
    pub(super) claims: Vec<Claim>,
}

impl Sides {
    /// Every address that no machine may be given by plan.
    pub fn taken(&self) -> impl Iterator<Item = IpAddr> {
        let (first, last) = self.kept.map_or((1, 0), |(a, b)| (a.into(), b.into()));
        let kept = (first..=last).map(|n: u32| Ipv4Addr::from(n));
        let given = self.claims.iter().filter(|c| c.is_given());
        kept.chain(given.map(|c| c.address)).map(IpAddr::V4)
    }

    /// The LAN, if that is known.
    pub fn lan(&self) -> Option<Ipv4Net> {
        (self.address != NOBODYS).then(|| self.address.trunc())
    }
}

impl Resolver<'_> {
    /// Finds the router, its address in the LAN, and the pool. The machine's address becomes the one in
    /// the LAN; one outside is kept as the way for SSH.
    pub(in crate::resolve) fn sides(
        &mut self,
        network: &Network,
        known: &mut [Known],
    ) -> Option<Sides> {
        let index = self.router_index(known)?;
        self.router_is_reached(&known[index]);
        let lan = self.router_lan(network, &known[index]);
        let router = &mut known[index];
        // Nobody else complains about an address that is missing or lies outside.
        router.address_written = true;
        let own = router.address;
        let inside = own.filter(|own| lan.is_some_and(|lan| IpNet::V4(lan).contains(own)));
        if inside.is_none() {
            router.outside = own;
            router.address = None;
        }
        let Some(lan) = lan else {
            return Some(Sides {
                index,
                address: NOBODYS,
                pool: None,
                kept: None,
                claims: Vec::new(),
            });
        };
        let address = self.router_address(lan, inside, router);
        router.address = Some(IpAddr::V4(address));
        self.taken_by_router(known, index, address);
        let address = Ipv4Net::new_assert(address, lan.prefix_len());
        let claims = self.claimed(known, index, lan);
        let (pool, kept) = self.pool(address, &claims);
        Some(Sides {
            index,
            address,
            pool,
            kept,
            claims,
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
        if first.is_none() && self.written(&below![]) && !unsure {
            let place = self.key_place(&below![]);
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

    /// Until the first run the router has no address in the LAN: how it is reached must be said.
    fn router_is_reached(&mut self, router: &Known) {
        let management = router.path("management");
        if router.address_written || self.written(&management) || self.lost(&management) {
            return;
        }
        let place = self.place(&router.path("name"));
        self.push(
            Problem::new(
                "no-address",
                place,
                format!(
                    "{} has neither `address` nor `management`",
                    Self::called(router)
                ),
            )
            .hint("add `address:`, the one at which the router is reached now; in the LAN it gets one by itself"),
        );
    }

    /// The LAN, if a router can serve it.
    fn router_lan(&mut self, network: &Network, router: &Known) -> Option<Ipv4Net> {
        let path = route!["spec", "network", "lan"];
        let Some(lan) = network.lan else {
            if !self.lost(&path) && !self.written(&path) {
                self.report(
                    "router-without-lan",
                    &router.path("roles"),
                    "a router needs a network to serve, and there is no `network.lan`",
                    "add `network.lan`, such as 10.77.0.0/24",
                );
            }
            return None;
        };
        let why = match lan {
            IpNet::V6(_) => "it is an IPv6 network, and machines need IPv4 addresses",
            IpNet::V4(v4) if v4.prefix_len() > 29 => "it has fewer than eight addresses",
            IpNet::V4(v4) if v4.hosts().next().is_some_and(unusable) => {
                "machines can't have addresses in it"
            }
            IpNet::V4(v4) if syntax::public(v4) => {
                "its addresses belong to somebody on the internet"
            }
            IpNet::V4(v4) => return Some(v4),
        };
        self.report(
            "router-lan",
            &path,
            format!("a router can't serve the LAN {lan}: {why}"),
            "use a private IPv4 network of at least eight addresses, such as 10.77.0.0/24; an IPv6 one beside it goes to `network.lan6`",
        );
        None
    }

    /// The router's address in the LAN: the file's, the machine's own if that is inside, or the first.
    fn router_address(
        &mut self,
        lan: Ipv4Net,
        inside: Option<IpAddr>,
        router: &mut Known,
    ) -> Ipv4Addr {
        let path = below!["lan", "address"];
        let section = self.spec.router.as_ref().and_then(|r| r.lan.as_ref());
        let text = section.and_then(|l| l.address.as_ref());
        let written = text.and_then(|text| self.lan_address(text, Some(lan), &path));
        let Some(address) = written else {
            return match inside {
                Some(IpAddr::V4(own)) => own,
                _ => {
                    router.address_path = router.path("name");
                    lan.hosts().next().unwrap_or(lan.network())
                }
            };
        };
        if let Some(own) = inside.filter(|own| *own != IpAddr::V4(address)) {
            let problem = Problem::new(
                "router-two-addresses",
                self.place(&path),
                format!("the router can't have both {address} and {own} in the LAN"),
            )
            .hint("remove one of the two; an address for SSH alone goes to `management`")
            .related(self.place(&router.path("address")), "the other one");
            self.push(problem);
        }
        router.address_path = path;
        address
    }

    fn taken_by_router(&mut self, known: &[Known], index: usize, address: Ipv4Addr) {
        let same = known
            .iter()
            .enumerate()
            .find(|(i, k)| *i != index && k.address == Some(IpAddr::V4(address)));
        // Where both machines say so, that was reported already.
        if let Some((_, other)) = same
            && known[index].address_path != known[index].path("address")
        {
            let problem = Problem::new(
                "router-address-taken",
                self.place(&other.path("address")),
                format!("{address} is the router's own address in the LAN"),
            )
            .hint("give this machine another address, or set `router.lan.address`")
            .related(self.place(&known[index].address_path), "the router");
            self.push(problem);
        }
    }

    /// An address inside the LAN that a device can have; any, while the LAN isn't known.
    pub(super) fn lan_address(
        &mut self,
        text: &str,
        lan: Option<Ipv4Net>,
        path: &[Seg],
    ) -> Option<Ipv4Addr> {
        let shown = lan.map_or(String::new(), |lan| format!(" {lan}"));
        let hint = format!("use an address of the LAN{shown}");
        let IpAddr::V4(address) = self.ip(text, path, "a device of the LAN", &hint)? else {
            self.report(
                "address-not-ipv4",
                path,
                format!("`{}` is not an IPv4 address", shorten(text)),
                hint,
            );
            return None;
        };
        let Some(lan) = lan else {
            return Some(address);
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
}

fn unusable(address: Ipv4Addr) -> bool {
    syntax::unusable(IpAddr::V4(address)).is_some()
}
