//! What this computer needs for a cluster behind a router, and what is in the way of it. Pure.

use super::platform::{LocalRoute, Names, Way, reverse_domains};
use super::record::Route;
use crate::commands::router::guide::behind;
use crate::error::CliError;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Machine, Router};
use ipnet::Ipv4Net;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// What should be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Routes, and what is there.
    pub routes: Vec<(Route, &'static str)>,
    /// Lines for the file of names.
    pub hosts: String,
    /// Domains to ask the router for.
    pub names: Names,
    /// What can't be set, and why.
    pub notes: Vec<String>,
}

/// This computer, as far as it matters.
pub struct Computer<'a> {
    /// How it reaches the router's address outside.
    pub way: &'a Way,
    /// Its routes.
    pub routes: &'a [LocalRoute],
    /// Routes that an earlier `connect` has set.
    pub own: &'a [Route],
}

/// What should be set on a computer.
///
/// # Errors
/// Why nothing can be set.
pub fn wanted(
    cluster: &Cluster,
    router: &Router,
    machine: &Machine,
    outside: Ipv4Addr,
    computer: &Computer,
) -> Result<Wanted, CliError> {
    elsewhere(machine, outside, computer.way)?;
    let inside = is_inside(router, computer);
    if !inside {
        near(machine, outside, computer.way)?;
        trusted(router, machine, computer.way)?;
    }
    let via = if inside {
        router.address.addr()
    } else {
        outside
    };
    let (mut routes, mut notes) = (Vec::new(), Vec::new());
    for (to, what) in behind(cluster, router) {
        if inside && to == router.lan() {
            continue;
        }
        let route = Route { to, via };
        match in_the_way(&route, computer) {
            None => routes.push((route, what)),
            Some(met) if to == router.lan() => return Err(overlap(machine, to, met)),
            // The machines are reached all the same.
            Some(met) => notes.push(format!(
                "no route to {what} ({to}): this computer has one to {} by {} already",
                met.to, met.device
            )),
        }
    }
    Ok(Wanted {
        routes,
        hosts: hosts(cluster, router),
        names: names(cluster, router, computer.way),
        notes,
    })
}

/// Whether the computer is in the machines' own network.
fn is_inside(router: &Router, computer: &Computer) -> bool {
    let lan = router.lan();
    computer
        .routes
        .iter()
        .any(|r| r.to == lan && r.via.is_none())
}

/// The router has everything already.
fn elsewhere(machine: &Machine, outside: Ipv4Addr, way: &Way) -> Result<(), CliError> {
    if !way.local {
        return Ok(());
    }
    let name = &machine.name;
    Err(CliError::usage(format!(
        "{outside} is an address of this computer: it is {name} itself"
    ))
    .hint("the machines' names and routes are on the router already"))
}

/// A route's next router must be in a network of the computer itself.
fn near(machine: &Machine, outside: Ipv4Addr, way: &Way) -> Result<(), CliError> {
    let name = &machine.name;
    match way.gateway {
        None => Ok(()),
        Some(gateway) => Err(CliError::failed(format!(
            "{name} ({outside}) is in another network than this computer ({}): it is reached through {gateway}, and a route can't lead to it",
            way.own
        ))
        .hint("connect to the network that the router is in, or come in by VPN: bramble vpn profile USER")
        .hint(format!("or let {gateway} have the route: bramble router guide shows it"))),
    }
}

/// The router lets only those in that the file trusts.
fn trusted(router: &Router, machine: &Machine, way: &Way) -> Result<(), CliError> {
    let own = way.own.addr();
    if router.firewall.trusted.iter().any(|net| net.contains(&own)) {
        return Ok(());
    }
    let mut all: Vec<String> = router
        .firewall
        .trusted
        .iter()
        .map(Ipv4Net::to_string)
        .collect();
    all.push(way.own.trunc().to_string());
    Err(CliError::usage(format!(
        "{} doesn't trust this computer ({own}): its firewall would drop what comes from it",
        machine.name
    ))
    .hint(format!(
        "write into the cluster file, below spec: `router: {{ firewall: {{ trusted: [{}] }} }}`",
        all.join(", ")
    ))
    .hint("then: bramble up --step router/firewall, and connect again"))
}

/// A route that is not ours and leads to addresses of this one.
fn in_the_way<'a>(route: &Route, computer: &'a Computer) -> Option<&'a LocalRoute> {
    let same = |r: &LocalRoute| r.to == route.to && r.via == Some(route.via);
    let ours = |r: &LocalRoute| {
        computer
            .own
            .iter()
            .any(|own| own.to == r.to && r.via == Some(own.via))
    };
    computer.routes.iter().find(|r| {
        // Halves of everything are how a VPN takes all traffic: any other route is stronger.
        let overlaps = r.to.contains(&route.to) || route.to.contains(&r.to);
        overlaps && r.to.prefix_len() > 1 && !same(r) && !ours(r)
    })
}

fn overlap(machine: &Machine, to: Ipv4Net, met: &LocalRoute) -> CliError {
    let by = match met.via {
        Some(via) => format!("{via} ({})", met.device),
        None => met.device.clone(),
    };
    CliError::failed(format!(
        "this computer has a route to {} by {by} already; one to the machines ({to}) by {} would take part of it away",
        met.to, machine.name
    ))
    .hint(format!(
        "if {} is the VPN of this cluster, all is there; else end what made that route, or give the machines another network.lan",
        met.device
    ))
}

/// Names of the machines, of devices with a reservation, and of further records.
fn hosts(cluster: &Cluster, router: &Router) -> String {
    let domain = &cluster.network.domain;
    let machines = cluster.machines.iter().filter_map(|m| match m.address {
        IpAddr::V4(address) if router.lan().contains(&address) => Some((address, m.name.as_str())),
        _ => None,
    });
    let devices = router.dhcp.reservations.iter();
    let devices = devices.filter_map(|r| Some((r.address, r.name.as_deref()?)));
    let records = router.records.iter().filter(|r| !r.wildcard);
    let records = records.filter_map(|r| match r.address {
        IpAddr::V4(address) => Some((address, r.name.as_str())),
        IpAddr::V6(_) => None,
    });
    let mut out = String::new();
    for (address, name) in machines.chain(devices).chain(records) {
        let _ = writeln!(out, "{address}\t{name}.{domain} {name}");
    }
    out
}

fn names(cluster: &Cluster, router: &Router, way: &Way) -> Names {
    let mut domains = vec![cluster.network.domain.clone()];
    domains.extend(reverse_domains(router.lan()));
    Names {
        cluster: cluster.name.clone(),
        domains,
        server: router.address.addr(),
        device: way.device.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::platform::tests::net;
    use super::*;

    fn cluster(more: &str) -> Cluster {
        let text = format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: ceil }}\nspec:\n  network: {{ lan: 10.77.0.0/24 }}\n  router:\n    firewall: {{ trusted: [192.168.1.0/24] }}\n    dhcp: {{ reservations: [{{ mac: \"b8:27:eb:00:00:99\", address: 10.77.0.30, name: printer }}, {{ mac: \"b8:27:eb:00:00:98\", address: 10.77.0.31 }}] }}\n    dns: {{ records: [{{ name: grafana, address: 10.77.0.40 }}, {{ name: '*.apps', address: 10.77.0.40 }}] }}\n  machines:\n    - {{ name: gate, roles: [router], address: 192.168.1.100 }}\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n{more}"
        );
        bramble_spec::load("c.yaml", &text).unwrap_or_else(|p| panic!("{}", p.render(false)))
    }

    fn route(to: &str, via: Option<&str>, device: &str) -> LocalRoute {
        LocalRoute {
            to: net(to),
            via: via.map(|v| v.parse().expect("an address")),
            device: device.into(),
        }
    }

    fn near_way() -> Way {
        Way {
            device: "wlan0".into(),
            own: net("192.168.1.7/24"),
            gateway: None,
            local: false,
        }
    }

    fn ask(
        cluster: &Cluster,
        way: &Way,
        routes: &[LocalRoute],
        own: &[Route],
    ) -> Result<Wanted, String> {
        let router = cluster.router.as_ref().expect("a router");
        let machine = cluster.router_machine().expect("a router");
        let outside = "192.168.1.100".parse().expect("an address");
        let computer = Computer { way, routes, own };
        wanted(cluster, router, machine, outside, &computer)
            .map_err(|e| format!("{} | {}", e.message, e.hints.join(" | ")))
    }

    fn shown(wanted: &Wanted) -> Vec<String> {
        let line = |(r, _): &(Route, &str)| format!("{} via {}", r.to, r.via);
        wanted.routes.iter().map(line).collect()
    }

    const BOTH: [&str; 2] = [
        "10.77.0.0/24 via 192.168.1.100",
        "10.244.0.0/16 via 192.168.1.100",
    ];

    #[test]
    fn machines_pods_and_names_are_reached() {
        let home = [
            route("192.168.1.0/24", None, "wlan0"),
            route("0.0.0.0/1", None, "tun0"),
        ];
        let all = ask(&cluster(""), &near_way(), &home, &[]).expect("all of it");
        assert_eq!(shown(&all), BOTH);
        assert_eq!(
            all.hosts,
            "10.77.0.1\tgate.ceil.internal gate\n10.77.0.11\tone.ceil.internal one\n10.77.0.30\tprinter.ceil.internal printer\n10.77.0.40\tgrafana.ceil.internal grafana\n"
        );
        assert_eq!(all.names.domains, ["ceil.internal", "0.77.10.in-addr.arpa"]);
        assert_eq!(all.names.server.to_string(), "10.77.0.1");
        assert_eq!(all.names.device, "wlan0");
        // Pods that have no routes of their own are out of reach.
        let none = cluster("  podNetwork: { plugin: none }\n");
        assert_eq!(
            shown(&ask(&none, &near_way(), &home, &[]).expect("it")),
            BOTH[..1]
        );
    }

    #[test]
    fn what_is_set_already_is_not_in_the_way() {
        let there = [
            route("10.77.0.0/24", Some("192.168.1.100"), "wlan0"),
            // Of an older file, with another address of the router.
            route("10.244.0.0/16", Some("192.168.1.99"), "wlan0"),
        ];
        let own = [Route {
            to: net("10.244.0.0/16"),
            via: "192.168.1.99".parse().expect("an address"),
        }];
        assert_eq!(
            shown(&ask(&cluster(""), &near_way(), &there, &own).expect("all")),
            BOTH
        );
    }

    #[test]
    fn an_overlapping_route_is_named() {
        for (to, via, device) in [
            ("10.0.0.0/8", Some("10.9.0.1"), "tun0"),
            ("10.77.0.0/24", Some("192.168.1.50"), "wlan0"),
            ("10.77.0.128/25", None, "br0"),
            ("10.77.0.11/32", None, "tun1"),
        ] {
            let said = ask(&cluster(""), &near_way(), &[route(to, via, device)], &[])
                .expect_err("refused");
            assert!(said.contains(to) && said.contains(device), "{said}");
        }
        // Pods are not worth a refusal.
        let flannel = [route("10.244.3.0/24", None, "cni0")];
        let some = ask(&cluster(""), &near_way(), &flannel, &[]).expect("the machines");
        assert_eq!(shown(&some), BOTH[..1]);
        assert!(
            some.notes[0].contains("10.244.3.0/24 by cni0"),
            "{:?}",
            some.notes
        );
    }

    #[test]
    fn a_router_that_is_far_or_does_not_trust_is_refused() {
        let far = Way {
            gateway: "192.168.178.1".parse().ok(),
            own: net("192.168.178.20/24"),
            ..near_way()
        };
        let said = ask(&cluster(""), &far, &[], &[]).expect_err("refused");
        assert!(
            said.contains("another network") && said.contains("192.168.178.1"),
            "{said}"
        );
        let stranger = Way {
            own: net("192.168.2.9/23"),
            ..near_way()
        };
        let said = ask(&cluster(""), &stranger, &[], &[]).expect_err("refused");
        assert!(
            said.contains("doesn't trust this computer (192.168.2.9)"),
            "{said}"
        );
        assert!(
            said.contains("trusted: [192.168.1.0/24, 192.168.2.0/23]"),
            "{said}"
        );
        let own = Way {
            local: true,
            ..near_way()
        };
        let said = ask(&cluster(""), &own, &[], &[]).expect_err("refused");
        assert!(said.contains("it is gate itself"), "{said}");
    }

    #[test]
    fn inside_the_machines_network_only_pods_need_a_route() {
        let plugged = [route("10.77.0.0/24", None, "eth0")];
        let way = Way {
            gateway: "10.77.0.1".parse().ok(),
            own: net("10.77.0.222/24"),
            ..near_way()
        };
        let all = ask(&cluster(""), &way, &plugged, &[]).expect("it");
        assert_eq!(shown(&all), ["10.244.0.0/16 via 10.77.0.1"]);
    }
}
