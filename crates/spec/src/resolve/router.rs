//! Rules for the router. One file for each thing that it does; they share who has which address of
//! the LAN (`claims`) and who listens on which port (`ports`).

/// A path below `spec.router`.
macro_rules! below {
    ($($seg:expr),* $(,)?) => { $crate::resolve::route!["spec", "router", $($seg),*] };
}

mod backup;
mod claims;
mod ddns;
mod dhcp;
mod firewall;
mod forwards;
mod ingress;
mod names;
mod ports;
mod ranges;
mod registry;
mod sides;
mod uplink;
mod vpn;

pub(super) use sides::Sides;

use super::machines::Known;
use super::{Resolver, route};
use crate::cluster::{Kubernetes, Network, Role, Router};
use crate::file::router as written;
use crate::shape::Seg;
use ipnet::{IpNet, Ipv6Net};
use std::net::IpAddr;

impl Resolver<'_> {
    /// Everything about the router, once all machines have addresses.
    pub(super) fn router(
        &mut self,
        network: &Network,
        kubernetes: &Kubernetes,
        known: &[Known],
        sides: &Sides,
    ) -> Router {
        let section = self.router_section();
        let machine = &known[sides.index];
        self.claims(sides);
        self.domain_is_served(network);
        let interface = section.lan.as_ref().and_then(|l| l.interface.clone());
        if let Some(name) = &interface {
            self.interface(name, &below!["lan", "interface"]);
        }
        let ddns = self.ddns(&section);
        let router = Router {
            machine: machine.name.clone().unwrap_or_default(),
            uplink: self.uplink(&section, machine, sides),
            interface,
            address: sides.address,
            address6: network.lan6.map(first_host),
            dhcp: self.dhcp(&section, network, known, sides),
            forwarders: self.forwarders(&section, sides),
            records: self.records(&section, network),
            firewall: self.firewall(&section, known, sides),
            vpn: self.vpn(&section, machine, ddns.as_ref()),
            ddns,
            registry: self.registry(&section, network, machine),
            ingress: self.ingress(&section, known, sides),
            backup: self.backup(&section),
        };
        self.names(&section, known, &router);
        self.ranges_are_apart(network, kubernetes, machine, &router);
        self.ports_are_free(&router, machine);
        self.ssh_stays_open(&router, machine);
        self.folders_are_apart(&router);
        router
    }

    fn router_section(&self) -> written::Router {
        self.spec.router.clone().unwrap_or_default()
    }

    /// An address that is given in the section, with what it is of in words.
    fn router_ip(&mut self, text: &str, path: &[Seg], noun: &str) -> Option<IpAddr> {
        self.ip(text, path, noun, "write it as digits, such as 192.168.1.1")
    }

    /// The port of the router's SSH server, and where the file says so, if it does.
    fn ssh_port(&self, router: &Known) -> (u16, Option<Vec<Seg>>) {
        let own = self.spec.machines[router.index].ssh.as_ref();
        let usual = self.spec.defaults.as_ref().and_then(|d| d.ssh.as_ref());
        let mut path = router.path("ssh");
        path.push("port".into());
        match (own.and_then(|s| s.port), usual.and_then(|s| s.port)) {
            (Some(port), _) => (port, Some(path)),
            (None, Some(port)) => (port, Some(route!["spec", "defaults", "ssh", "port"])),
            (None, None) => (22, None),
        }
    }

    /// Whether the operator comes to the router from outside the LAN.
    pub(super) fn operator_is_outside(&self, router: &Known, inside: &[IpNet]) -> bool {
        let management = self.spec.machines[router.index].management.as_deref();
        match management.map(str::parse::<IpAddr>) {
            Some(Ok(address)) => !inside.iter().any(|net| net.contains(&address)),
            Some(Err(_)) => true,
            None => router.outside.is_some(),
        }
    }
}

/// Machines that run pods, the router among them where it has another role too.
fn nodes(known: &[Known]) -> impl Iterator<Item = &Known> {
    known.iter().filter(|k| k.is_node())
}

/// Whether the router runs the API server.
fn is_control_plane(router: &Known) -> bool {
    router.roles.contains(&Role::ControlPlane)
}

fn first_host(net: Ipv6Net) -> Ipv6Net {
    let first = u128::from(net.network()) | 1;
    Ipv6Net::new_assert(first.into(), net.prefix_len())
}
