//! Ports of the router: no two of its services want one, and none that somebody listens on is forwarded.

use super::firewall::{overlap, show};
use super::is_control_plane;
use crate::cluster::{Ports, Registry, Router, Transport};
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::shape::Seg;

/// Somebody who listens.
struct Listener {
    ports: Ports,
    /// Who, in words.
    who: &'static str,
    /// What decides the port, where the file can say so.
    path: Option<Vec<Seg>>,
    /// Whether it is there for people outside.
    outside: bool,
}

const fn ports(transport: Transport, first: u16, last: u16) -> Ports {
    Ports {
        transport,
        first,
        last,
    }
}

const fn tcp(port: u16) -> Ports {
    ports(Transport::Tcp, port, port)
}

const fn udp(port: u16) -> Ports {
    ports(Transport::Udp, port, port)
}

/// What every router listens on, at the side of the LAN.
const ROUTER: [(Ports, &str); 5] = [
    (tcp(53), "DNS"),
    (udp(53), "DNS"),
    (udp(67), "DHCP"),
    (udp(123), "the time service"),
    (udp(547), "DHCP for IPv6"),
];
/// What a node listens on.
const NODE: [(Ports, &str); 5] = [
    (tcp(10250), "the kubelet"),
    (tcp(10256), "kube-proxy"),
    (tcp(10257), "the controller manager"),
    (ports(Transport::Tcp, 30000, 32767), "node ports"),
    (ports(Transport::Udp, 30000, 32767), "node ports"),
];
/// What a control plane listens on besides.
const CONTROL_PLANE: [(Ports, &str); 3] = [
    (tcp(6443), "the API server"),
    (ports(Transport::Tcp, 2379, 2380), "etcd"),
    (tcp(10259), "the scheduler"),
];

impl Resolver<'_> {
    pub(super) fn ports_are_free(&mut self, router: &Router, machine: &Known) {
        let listeners = self.listeners(router, machine);
        for (i, listener) in listeners.iter().enumerate() {
            let earlier = listeners[..i].iter();
            let met = earlier
                .filter(|e| e.who != listener.who)
                .find(|e| overlap(&e.ports, &listener.ports));
            if let Some(first) = met {
                let problem = self.port_taken(listener, first);
                self.push(problem);
            }
        }
        for (i, forward) in router.firewall.forwards.iter().enumerate() {
            let own = ports(forward.transport, forward.port, forward.port);
            let listening = listeners.iter().filter(|l| l.outside);
            let listening = listening.map(|l| (&l.ports, l.who));
            let open = router
                .firewall
                .open
                .iter()
                .map(|p| (p, "the router itself"));
            let Some((_, who)) = listening.chain(open).find(|(p, _)| overlap(p, &own)) else {
                continue;
            };
            self.report(
                "forward-of-own-port",
                &below!["firewall", "forwards", i, "port"],
                format!(
                    "the port {} can't be forwarded: {who} listens there",
                    show(&own)
                ),
                "choose another port of the router; `toPort` is the one at the machine",
            );
        }
    }

    fn listeners(&self, router: &Router, machine: &Known) -> Vec<Listener> {
        let (ssh, ssh_path) = self.ssh_port(machine);
        let mut out = vec![Listener {
            ports: tcp(ssh),
            who: "SSH",
            path: ssh_path,
            outside: true,
        }];
        let mut fixed = |list: &[(Ports, &'static str)]| {
            out.extend(list.iter().map(|(ports, who)| Listener {
                ports: *ports,
                who,
                path: None,
                outside: false,
            }));
        };
        fixed(&ROUTER);
        if machine.is_node() {
            fixed(&NODE);
        }
        if is_control_plane(machine) {
            fixed(&CONTROL_PLANE);
        }
        out.extend(router.registry.iter().flat_map(registries));
        let vpn = router.vpn.iter();
        for (key, who, tunnel) in vpn.flat_map(|v| {
            [
                ("wireguard", "WireGuard", &v.wireguard),
                ("openvpn", "OpenVPN", &v.openvpn),
            ]
        }) {
            out.extend(tunnel.as_ref().map(|tunnel| Listener {
                ports: ports(tunnel.transport, tunnel.port, tunnel.port),
                who,
                path: Some(below!["vpn", key, "port"]),
                outside: true,
            }));
        }
        let ingress = router.ingress.iter();
        for (port, key) in ingress.flat_map(|i| {
            let http = i.http.map(|_| (80, "http"));
            let https = i.https.map(|_| (443, "https"));
            http.into_iter().chain(https)
        }) {
            out.push(Listener {
                ports: tcp(port),
                who: "the ingress",
                path: Some(below!["ingress", key]),
                outside: true,
            });
        }
        out
    }

    /// A problem at whichever of the two the file can change.
    fn port_taken(&self, listener: &Listener, first: &Listener) -> Problem {
        let written = |l: &Listener| l.path.clone().filter(|path| self.written(path));
        let (main, other) = match written(listener).is_none() && written(first).is_some() {
            true => (first, listener),
            false => (listener, first),
        };
        let place = match (written(main), &main.path) {
            (Some(path), _) => self.place(&path),
            // The section that has the service with its usual port.
            (None, Some(path)) => self.key_place(&path[..path.len() - 1]),
            (None, None) => self.key_place(&below![]),
        };
        let problem = Problem::new(
            "port-taken",
            place,
            format!(
                "{} and {} can't both listen at the router's port {}",
                main.who,
                other.who,
                show(&listener.ports)
            ),
        )
        .hint("give one of them another port");
        match written(other) {
            Some(path) => problem.related(self.place(&path), format!("{} is set here", other.who)),
            None => problem,
        }
    }
}

fn registries(registry: &Registry) -> impl Iterator<Item = Listener> {
    let private = registry.private.iter().map(|_| Registry::PRIVATE_PORT);
    let mirrors = registry.mirrors.iter().map(|m| m.port);
    private
        .chain([Registry::BUNDLE_PORT])
        .chain(mirrors)
        .map(|port| Listener {
            ports: tcp(port),
            who: "a registry",
            path: Some(below!["registry"]),
            outside: false,
        })
}
