//! Who has which address of the LAN, as far as the file says so.

use super::Sides;
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::resolve::network::edge;
use crate::resolve::route;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// An address of the LAN that the file names.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// The address.
    pub address: Ipv4Addr,
    /// Why it is named.
    pub kind: Kind,
    /// Whose it is, in words that go on from "the address is".
    pub whose: String,
    /// Where the file says so.
    pub path: Vec<Seg>,
}

/// Why an address is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The router's own.
    Router,
    /// A machine's.
    Machine,
    /// The API's.
    Vip,
    /// Reserved for a device.
    Reservation,
    /// The ingress controller's.
    Ingress,
    /// A record or a forward leads there: a device that the file says nothing else about, or one above.
    Mention,
}

impl Claim {
    /// Whether the file gives the address to somebody, so that nobody else may have it.
    pub fn is_given(&self) -> bool {
        self.kind != Kind::Mention
    }
}

impl Resolver<'_> {
    /// Every address of the LAN that the file names. Values that are none are left to the checks that
    /// report them.
    pub(super) fn claimed(&self, known: &[Known], router: usize, lan: Ipv4Net) -> Vec<Claim> {
        let mut claims = Vec::new();
        let mut claim = |kind, address: Option<IpAddr>, whose: String, path| {
            let Some(IpAddr::V4(address)) = address else {
                return;
            };
            if lan.contains(&address) && edge(IpNet::V4(lan), IpAddr::V4(address)).is_none() {
                claims.push(Claim {
                    address,
                    kind,
                    whose,
                    path,
                });
            }
        };
        for (i, k) in known.iter().enumerate().filter(|(_, k)| k.address_written) {
            let (kind, whose) = match i == router {
                true => (Kind::Router, "the router's own".to_owned()),
                false => (Kind::Machine, format!("that of {}", Self::called(k))),
            };
            claim(kind, k.address, whose, k.address_path.clone());
        }
        let endpoint = self.spec.kubernetes.as_ref();
        let vip = endpoint.and_then(|k| k.endpoint.as_ref()?.vip.as_deref());
        let vip = vip.and_then(|text| syntax::host_port(text).ok()?.0.parse().ok());
        let path = route!["spec", "kubernetes", "endpoint", "vip"];
        claim(Kind::Vip, vip, "the API's".to_owned(), path);

        let section = self.router_section();
        let dhcp = section.dhcp.unwrap_or_default();
        for (i, entry) in dhcp.reservations.iter().enumerate() {
            let device = entry.name.as_ref().or(entry.mac.as_ref());
            let whose = format!("reserved for `{}`", shorten(device.map_or("", |d| d)));
            let path = below!["dhcp", "reservations", i, "address"];
            claim(Kind::Reservation, parsed(&entry.address), whose, path);
        }
        let ingress = section.ingress.unwrap_or_default();
        let path = below!["ingress", "address"];
        let whose = "that of the ingress".to_owned();
        claim(Kind::Ingress, parsed(&ingress.address), whose, path);
        for (i, record) in section.dns.unwrap_or_default().records.iter().enumerate() {
            let name = shorten(record.name.as_deref().unwrap_or_default());
            let path = below!["dns", "records", i, "address"];
            let whose = format!("that of the name `{name}`");
            claim(Kind::Mention, parsed(&record.address), whose, path);
        }
        let forwards = section.firewall.unwrap_or_default().forwards;
        for (i, forward) in forwards.iter().enumerate() {
            let port = shorten(forward.port.as_deref().unwrap_or_default());
            let path = below!["firewall", "forwards", i, "to"];
            let whose = format!("where the port `{port}` leads");
            claim(Kind::Mention, parsed(&forward.to), whose, path);
        }
        claims
    }

    /// No address is given twice, or lent to strangers.
    pub(super) fn claims(&mut self, sides: &Sides) {
        for (i, claim) in sides.claims.iter().enumerate() {
            let earlier = sides.claims[..i].iter();
            let same = earlier
                .filter(|c| c.is_given())
                .find(|c| c.address == claim.address);
            match (same, claim.kind) {
                (Some(first), Kind::Reservation | Kind::Ingress) => self.given_twice(claim, first),
                // Two machines are reported with the machines; what points to an address may do so.
                (Some(_), _) => {}
                (None, _) => self.lent(claim, sides),
            }
        }
    }

    fn given_twice(&mut self, claim: &Claim, first: &Claim) {
        let (code, what, hint) = match claim.kind {
            Kind::Ingress => (
                "ingress-address-taken",
                "be the ingress's",
                "the ingress needs an address of its own; for nodes that listen themselves, set `http` and `https` without `address`",
            ),
            _ => (
                "reserved-twice",
                "be reserved here",
                "choose an address that nobody has: machines of this file have theirs without a reservation",
            ),
        };
        let problem = Problem::new(
            code,
            self.place(&claim.path),
            format!("{} can't {what}: it is {}", claim.address, first.whose),
        )
        .hint(hint)
        .related(self.place(&first.path), "given here");
        self.push(problem);
    }

    /// An address that somebody has may not be in the pool. A pool of the plan keeps clear of all.
    fn lent(&mut self, claim: &Claim, sides: &Sides) {
        let Some((first, last)) = sides.pool else {
            return;
        };
        if claim.kind == Kind::Router || !(first..=last).contains(&claim.address) {
            return;
        }
        let problem = Problem::new(
            "address-in-pool",
            self.place(&claim.path),
            format!(
                "{} is {}, and the pool {first}-{last} lends it to unknown devices",
                claim.address, claim.whose
            ),
        )
        .hint("use an address outside the pool, or make the pool smaller")
        .related(self.place(&below!["dhcp", "pool"]), "the pool");
        self.push(problem);
    }
}

fn parsed(text: &Option<String>) -> Option<IpAddr> {
    text.as_ref()?.parse().ok()
}
