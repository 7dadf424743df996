//! What to set on the home router. A pure function of the file and what was observed.

use super::observed::Observed;
use super::{Outside, outside};
use crate::outside::hidden_vpn;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Forward, Machine, PodNetwork, Router, Transport, UplinkAddress, Vpn};
use ipnet::Ipv4Net;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};

/// Everything to set on the home router.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Guide {
    /// Name of the router's machine.
    pub router: String,
    /// Its address in the home network, or the name that leads to it.
    pub address: Option<String>,
    /// Address of the home router, where its settings are.
    pub home_router: Option<Ipv4Addr>,
    /// The router's address that never changes.
    pub reservation: Reservation,
    /// Ways to what is behind the router.
    pub routes: Vec<Route>,
    /// Ports that lead from the internet to the router.
    pub port_forwards: Vec<PortForward>,
    /// Names behind the router.
    pub dns: Dns,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// An address that never changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Whether the home router gives the address; otherwise it must not give it to others.
    pub by_dhcp: bool,
    /// Interface of the router, if known.
    pub interface: Option<String>,
    /// Its hardware address, if known.
    pub mac: Option<String>,
}

/// A static route.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Where it leads.
    pub to: Ipv4Net,
    /// The same in two numbers.
    pub destination: Ipv4Addr,
    /// The same in two numbers.
    pub mask: Ipv4Addr,
    /// What is there.
    pub what: String,
}

/// A port of the home router.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortForward {
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// First port, the same on both sides.
    pub port: u16,
    /// Last port.
    pub last_port: u16,
    /// What listens there.
    pub what: String,
    /// What the file has it for needs the internet; otherwise it is open to the home network alone as
    /// long as it is not forwarded.
    pub needed: bool,
}

/// Names behind the router.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dns {
    /// The domain of the machines.
    pub domain: String,
    /// The name server that knows it.
    pub server: Ipv4Addr,
}

/// Makes the guide.
pub fn guide(
    cluster: &Cluster,
    router: &Router,
    machine: &Machine,
    observed: Option<&Observed>,
) -> Guide {
    let seen = observed.and_then(|o| o.address);
    let address = match outside(router, machine) {
        Outside::Address(address) => Some(address.to_string()),
        Outside::Name(name) => Some(seen.map_or(name, |a| a.to_string())),
        Outside::Unknown => seen.map(|a| a.to_string()),
    };
    let (home_router, by_dhcp) = match &router.uplink.address {
        UplinkAddress::Static { gateway, .. } => (*gateway, false),
        UplinkAddress::Dhcp | UplinkAddress::Kept => (None, true),
    };
    let interface = observed.map(|o| o.interface.clone());
    Guide {
        router: machine.name.clone(),
        notes: notes(router, address.as_deref(), seen),
        address,
        home_router: home_router.or(observed.and_then(|o| o.gateway)),
        reservation: Reservation {
            by_dhcp,
            interface: interface.or_else(|| router.uplink.interface.clone()),
            mac: observed.and_then(|o| o.mac.clone()),
        },
        routes: routes(cluster, router),
        port_forwards: port_forwards(cluster, router),
        dns: Dns {
            domain: cluster.network.domain.clone(),
            server: router.address.addr(),
        },
    }
}

/// What is behind the router and can be reached by a route: the machines, and their pods where these have
/// routes of their own.
pub fn behind(cluster: &Cluster, router: &Router) -> Vec<(Ipv4Net, &'static str)> {
    let mut out = vec![(router.lan(), "the machines")];
    if matches!(cluster.pod_network, PodNetwork::Routed { .. }) {
        out.push((cluster.kubernetes.pod_range, "their pods"));
    }
    out
}

fn routes(cluster: &Cluster, router: &Router) -> Vec<Route> {
    behind(cluster, router)
        .into_iter()
        .map(|(to, what)| Route {
            to,
            destination: to.network(),
            mask: to.netmask(),
            what: what.to_owned(),
        })
        .collect()
}

fn port_forwards(cluster: &Cluster, router: &Router) -> Vec<PortForward> {
    let one = |transport: Transport, port, what: String, needed| PortForward {
        protocol: transport.as_str(),
        port,
        last_port: port,
        what,
        needed,
    };
    let mut out = Vec::new();
    if let Some(vpn) = &router.vpn {
        for (tunnel, name) in [(&vpn.wireguard, "WireGuard"), (&vpn.openvpn, "OpenVPN")] {
            let tunnel = tunnel.iter();
            out.extend(tunnel.map(|t| one(t.transport, t.port, name.into(), true)));
        }
    }
    if let Some(ingress) = &router.ingress {
        for (to, port, name) in [(ingress.http, 80, "HTTP"), (ingress.https, 443, "HTTPS")] {
            let what = format!("{name} to the cluster");
            out.extend(to.map(|_| one(Transport::Tcp, port, what, true)));
        }
    }
    for forward in &router.firewall.forwards {
        let what = format!("leads to {}", target(cluster, forward));
        out.push(one(forward.transport, forward.port, what, false));
    }
    for ports in &router.firewall.open {
        let known = |f: &PortForward| {
            f.protocol == ports.transport.as_str()
                && (f.port, f.last_port) == (ports.first, ports.last)
        };
        if out.iter().any(known) {
            continue;
        }
        let what = format!("open on {}", router.machine);
        out.push(PortForward {
            last_port: ports.last,
            ..one(ports.transport, ports.first, what, false)
        });
    }
    out
}

fn target(cluster: &Cluster, forward: &Forward) -> String {
    let to = IpAddr::V4(forward.to);
    let named = cluster.machines.iter().find(|m| m.address == to);
    let name = named.map_or_else(|| to.to_string(), |m| m.name.clone());
    format!("{name}, port {}", forward.to_port)
}

fn notes(router: &Router, address: Option<&str>, seen: Option<Ipv4Addr>) -> Vec<String> {
    let mut out = Vec::new();
    if address.is_none() {
        out.push(format!(
            "the file doesn't say {}'s address outside: give it as the machine's `address`, or set `router.uplink.address`",
            router.machine
        ));
    }
    if let (Some(written), Some(seen)) = (address, seen)
        && written.parse::<Ipv4Addr>().is_ok_and(|w| w != seen)
    {
        out.push(format!(
            "{} has the address {seen} at the moment; the file says {written}",
            router.machine
        ));
    }
    if router.firewall.trusted.is_empty() {
        out.push(
            "no computer of your home network may use the routes yet: name the network in `router.firewall.trusted`, then bramble up".into(),
        );
    }
    out.extend(router.vpn.as_ref().and_then(|vpn| host_note(router, vpn)));
    out
}

/// Whether whoever is elsewhere finds the router.
fn host_note(router: &Router, vpn: &Vpn) -> Option<String> {
    let host = &vpn.host;
    if router.ddns.as_ref().is_some_and(|d| d.name == *host) {
        return None;
    }
    let named = host.parse::<IpAddr>().is_err();
    hidden_vpn(vpn).or(named.then(|| {
        format!(
            "VPN profiles name {host}: it must lead to the public address of your home router (`router.ddns` keeps such a name up to date)"
        )
    }))
}
