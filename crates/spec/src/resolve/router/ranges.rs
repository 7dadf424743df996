//! Ranges of addresses that the router deals with, against each other: a packet must have one way to go.

use crate::cluster::{Kubernetes, Network, Router, UplinkAddress};
use crate::problem::Problem;
use crate::resolve::machines::Known;
use crate::resolve::{Resolver, route};
use crate::shape::Seg;
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

/// A range that is used for something.
struct Used {
    range: Ipv4Net,
    /// What it is, in words.
    what: &'static str,
    path: Vec<Seg>,
}

impl Used {
    fn meets(&self, range: &Ipv4Net) -> bool {
        self.range.contains(range) || range.contains(&self.range)
    }
}

impl Resolver<'_> {
    pub(super) fn ranges_are_apart(
        &mut self,
        network: &Network,
        kubernetes: &Kubernetes,
        machine: &Known,
        router: &Router,
    ) {
        let mut inside = self.ranges_of_the_cluster(network, kubernetes);
        self.trusted_is_outside(&inside, router);
        let outside = self.ranges_outside(machine, router);
        for (key, tunnel) in router
            .vpn
            .iter()
            .flat_map(|v| [("wireguard", &v.wireguard), ("openvpn", &v.openvpn)])
        {
            let Some(tunnel) = tunnel else { continue };
            let range = tunnel.range;
            let path = below!["vpn", key, "range"];
            let met = inside.iter().chain(&outside).find(|u| u.meets(&range));
            if let Some(used) = met {
                let problem = self.vpn_overlap(key, range, used);
                self.push(problem);
            }
            inside.push(Used {
                range,
                what: "the range of the other VPN",
                path,
            });
        }
    }

    fn trusted_is_outside(&mut self, inside: &[Used], router: &Router) {
        for (i, trusted) in router.firewall.trusted.iter().enumerate() {
            let Some(used) = inside.iter().find(|u| u.meets(trusted)) else {
                continue;
            };
            let mut problem = Problem::new(
                "trusted-inside",
                self.place(&below!["firewall", "trusted", i]),
                format!(
                    "the trusted range {trusted} and {} ({}) overlap",
                    used.what, used.range
                ),
            )
            .hint("name networks outside alone: whoever is inside is let in anyway, and nobody outside may look so");
            if self.written(&used.path) {
                problem = problem.related(self.place(&used.path), "overlaps this one");
            }
            self.push(problem);
        }
    }

    fn ranges_of_the_cluster(&self, network: &Network, kubernetes: &Kubernetes) -> Vec<Used> {
        let mut out = Vec::new();
        if let Some(IpNet::V4(range)) = network.lan {
            out.push(Used {
                range,
                what: "`network.lan`",
                path: route!["spec", "network", "lan"],
            });
        }
        for (key, what, range) in [
            ("podRange", "`kubernetes.podRange`", kubernetes.pod_range),
            (
                "serviceRange",
                "`kubernetes.serviceRange`",
                kubernetes.service_range,
            ),
        ] {
            if self.range_is_real(key, range) {
                out.push(Used {
                    range,
                    what,
                    path: route!["spec", "kubernetes", key],
                });
            }
        }
        out
    }

    fn ranges_outside(&self, machine: &Known, router: &Router) -> Vec<Used> {
        let mut out = Vec::new();
        if let UplinkAddress::Static { address, .. } = router.uplink.address {
            out.push(Used {
                range: address.trunc(),
                what: "the uplink's network",
                path: below!["uplink", "address"],
            });
        }
        if let Some(IpAddr::V4(address)) = machine.outside {
            out.push(Used {
                range: address.into(),
                what: "the router's address outside",
                path: machine.path("address"),
            });
        }
        let trusted = router.firewall.trusted.iter().enumerate();
        out.extend(trusted.map(|(i, range)| Used {
            range: *range,
            what: "a trusted range",
            path: below!["firewall", "trusted", i],
        }));
        out
    }

    fn vpn_overlap(&self, key: &str, range: Ipv4Net, used: &Used) -> Problem {
        let path = below!["vpn", key, "range"];
        let place = match self.written(&path) {
            true => self.place(&path),
            false => self.key_place(&below!["vpn"]),
        };
        let problem = Problem::new(
            "vpn-overlap",
            place,
            format!(
                "the VPN range {range} and {} ({}) overlap",
                used.what, used.range
            ),
        )
        .hint(format!(
            "set `router.vpn.{key}.range` to a range that nothing else uses"
        ));
        match self.written(&used.path) {
            true => problem.related(self.place(&used.path), "overlaps this one"),
            false => problem,
        }
    }
}
