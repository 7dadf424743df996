//! Who may come in: firewall, port forwards, VPN.

use super::{Sides, at};
use crate::cluster::{Firewall, Forward, Network, Ports, Role, Router, Transport, Tunnel, Vpn};
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// A path to an item of a list below `spec.router`.
fn item(keys: &[&str], index: usize) -> Vec<Seg> {
    let mut path = at(keys);
    path.push(index.into());
    path
}

impl Resolver<'_> {
    pub(super) fn firewall(
        &mut self,
        section: &written::Router,
        known: &[Known],
        sides: &Sides,
    ) -> Firewall {
        let firewall = section.firewall.clone().unwrap_or_default();
        let ssh = self.ssh_port(known, sides);
        let mut open = Vec::new();
        let asked = firewall.open.unwrap_or_else(|| vec!["ssh".to_owned()]);
        for (i, text) in asked.iter().enumerate() {
            let ports = if text == "ssh" {
                Some(one(Transport::Tcp, ssh))
            } else {
                self.ports(text, &item(&["firewall", "open"], i))
            };
            open.extend(ports);
        }
        let mut trusted = Vec::new();
        for (i, text) in firewall.trusted.iter().enumerate() {
            let path = item(&["firewall", "trusted"], i);
            let address = text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
            trusted.extend(address.or_else(|| self.ipv4_net(text, &path)));
        }
        Firewall {
            open,
            trusted,
            forwards: self.forwards(&firewall.forwards, known, sides),
        }
    }

    /// The port of the router's SSH server.
    fn ssh_port(&self, known: &[Known], sides: &Sides) -> u16 {
        let own = self.spec.machines[known[sides.index].index].ssh.as_ref();
        let usual = self.spec.defaults.as_ref().and_then(|d| d.ssh.as_ref());
        own.and_then(|s| s.port)
            .or_else(|| usual.and_then(|s| s.port))
            .unwrap_or(22)
    }

    fn ports(&mut self, text: &str, path: &[Seg]) -> Option<Ports> {
        let read = || {
            let (transport, ports) = text.split_once('/')?;
            let transport = match transport {
                "tcp" => Transport::Tcp,
                "udp" => Transport::Udp,
                _ => return None,
            };
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first > 0 && first <= last).then_some(Ports {
                transport,
                first,
                last,
            })
        };
        let ports = read();
        if ports.is_none() {
            self.report(
                "bad-port",
                path,
                format!("`{}` is no port that could be open", shorten(text)),
                "write `tcp/8080`, `udp/5000-5010` or `ssh`; ports go from 1 to 65535",
            );
        }
        ports
    }

    fn forwards(
        &mut self,
        written: &[written::Forward],
        known: &[Known],
        sides: &Sides,
    ) -> Vec<Forward> {
        let lan = sides.address.trunc();
        let mut out: Vec<(usize, Forward)> = Vec::new();
        for (i, forward) in written.iter().enumerate() {
            let path = |key: &str| {
                let mut path = item(&["firewall", "forwards"], i);
                path.push(key.into());
                path
            };
            let (Some(port), Some(to)) = (&forward.port, &forward.to) else {
                continue;
            };
            let Some(ports) = self.ports(port, &path("port")) else {
                continue;
            };
            if ports.first != ports.last {
                self.report(
                    "forward-range",
                    &path("port"),
                    format!("`{}` is more than one port", shorten(port)),
                    "forward each port by itself",
                );
                continue;
            }
            let Some(to) = self.behind(to, known, lan, &path("to")) else {
                continue;
            };
            let same = out
                .iter()
                .find(|(_, f)| f.transport == ports.transport && f.port == ports.first);
            if let Some((first, _)) = same {
                let mut other = item(&["firewall", "forwards"], *first);
                other.push("port".into());
                let problem = Problem::new(
                    "forwarded-twice",
                    self.place(&path("port")),
                    format!("the port `{}` is forwarded twice", shorten(port)),
                )
                .hint("a port leads to one place: remove one, or choose another port")
                .related(self.place(&other), "first here");
                self.push(problem);
                continue;
            }
            out.push((
                i,
                Forward {
                    transport: ports.transport,
                    port: ports.first,
                    to,
                    to_port: forward.to_port.unwrap_or(ports.first),
                },
            ));
        }
        out.into_iter().map(|(_, f)| f).collect()
    }

    /// A machine of the file, or an address in the LAN.
    fn behind(
        &mut self,
        text: &str,
        known: &[Known],
        lan: Ipv4Net,
        path: &[Seg],
    ) -> Option<Ipv4Addr> {
        let named = known.iter().find(|k| k.name.as_deref() == Some(text));
        if let Some(machine) = named {
            return match machine.address {
                Some(IpAddr::V4(address)) => Some(address),
                _ => None,
            };
        }
        if text.parse::<IpAddr>().is_ok() {
            return self.lan_address(text, lan, path);
        }
        let names = known.iter().filter_map(|k| k.name.as_deref());
        let hint = Self::suggest(text, names);
        self.report(
            "forward-to-nobody",
            path,
            format!(
                "`{}` is neither a machine of this file nor an address",
                shorten(text)
            ),
            hint,
        );
        None
    }

    pub(super) fn vpn(
        &mut self,
        section: &written::Router,
        network: &Network,
        known: &[Known],
        router: &Router,
    ) -> Option<Vpn> {
        let vpn = section.vpn.clone()?;
        let mut users: Vec<String> = Vec::new();
        for (i, user) in vpn.users.iter().enumerate() {
            let path = item(&["vpn", "users"], i);
            if !syntax::user_name(user) {
                self.report(
                    "vpn-user",
                    &path,
                    format!("`{}` can't be the name of a VPN user", shorten(user)),
                    "use lower-case letters, digits, `-` and `_`, at most 32, beginning with a letter",
                );
            } else if users.contains(user) {
                self.report(
                    "vpn-user-twice",
                    &path,
                    format!("the VPN user `{user}` is named twice"),
                    "remove one: each user has keys of their own",
                );
            } else {
                users.push(user.clone());
            }
        }
        let neither = vpn.wireguard.is_none() && vpn.open_vpn.is_none();
        let wireguard = match (&vpn.wireguard, neither) {
            (None, false) => None,
            (settings, _) => {
                let settings = settings.clone().unwrap_or_default();
                Some(Tunnel {
                    port: settings.port.unwrap_or(51820),
                    transport: Transport::Udp,
                    range: self.tunnel_range(
                        settings.range.as_deref(),
                        "wireguard",
                        [10, 8],
                        users.len(),
                    )?,
                })
            }
        };
        let openvpn = match &vpn.open_vpn {
            None => None,
            Some(settings) => Some(Tunnel {
                port: settings.port.unwrap_or(1194),
                transport: settings.protocol.unwrap_or(Transport::Udp),
                range: self.tunnel_range(
                    settings.range.as_deref(),
                    "openvpn",
                    [10, 9],
                    users.len(),
                )?,
            }),
        };
        self.tunnel_overlaps(network, wireguard.as_ref(), openvpn.as_ref());
        let outside = || {
            let machine = known
                .iter()
                .find(|k| k.name.as_deref() == Some(&router.machine))?;
            let written = self.spec.machines[machine.index].management.clone();
            machine.outside.map(|a| a.to_string()).or(written)
        };
        let ddns = router.ddns.as_ref().map(|d| d.name.clone());
        let host = vpn.host.clone().or(ddns).or_else(outside);
        if let Some(host) = &vpn.host
            && !syntax::host(host)
        {
            self.report(
                "bad-vpn-host",
                &at(&["vpn", "host"]),
                format!("`{}` is neither an address nor a DNS name", shorten(host)),
                "write the host alone; ports go to `wireguard` and `openvpn`",
            );
        }
        if host.is_none() {
            let place = self.key_place(&at(&["vpn"]));
            self.push(
                Problem::new(
                    "vpn-without-host",
                    place,
                    "VPN clients can't know where the router is",
                )
                .hint("add `vpn.host` with a name or address that leads to the router from outside, or `ddns`"),
            );
        }
        Some(Vpn {
            host: host.unwrap_or_default(),
            users,
            wireguard,
            openvpn,
        })
    }

    fn tunnel_range(
        &mut self,
        text: Option<&str>,
        key: &str,
        usual: [u8; 2],
        users: usize,
    ) -> Option<Ipv4Net> {
        let path = at(&["vpn", key, "range"]);
        let range = match text {
            Some(text) => self.ipv4_net(text, &path)?,
            None => Ipv4Net::new_assert(Ipv4Addr::new(usual[0], usual[1], 0, 0), 24),
        };
        let room = (1u64 << (32 - range.prefix_len())).saturating_sub(3);
        if range.prefix_len() < 16 || room < users.max(1) as u64 {
            self.report(
                "vpn-range-size",
                &path,
                format!("{range} has the wrong size for {users} VPN users"),
                "use a /16 to /29 with an address for each user and three more",
            );
            return None;
        }
        Some(range)
    }

    /// Ranges of VPN clients against everything else.
    fn tunnel_overlaps(
        &mut self,
        network: &Network,
        wireguard: Option<&Tunnel>,
        openvpn: Option<&Tunnel>,
    ) {
        let kubernetes = self.spec.kubernetes.clone().unwrap_or_default();
        let read = |text: Option<&String>, usual: &str| {
            let text = text.map_or(usual, String::as_str);
            text.parse::<Ipv4Net>().ok()
        };
        let mut others: Vec<(&str, Vec<Seg>, Ipv4Net)> = Vec::new();
        if let Some(IpNet::V4(lan)) = network.lan {
            others.push(("network.lan", route_of(&["network", "lan"]), lan));
        }
        for (name, key, range) in [
            (
                "kubernetes.podRange",
                "podRange",
                read(kubernetes.pod_range.as_ref(), "10.244.0.0/16"),
            ),
            (
                "kubernetes.serviceRange",
                "serviceRange",
                read(kubernetes.service_range.as_ref(), "10.96.0.0/16"),
            ),
        ] {
            if let Some(range) = range {
                others.push((name, route_of(&["kubernetes", key]), range));
            }
        }
        for (name, tunnel) in [("wireguard", wireguard), ("openvpn", openvpn)] {
            let Some(tunnel) = tunnel else { continue };
            let path = at(&["vpn", name, "range"]);
            let range = tunnel.range;
            let met = others
                .iter()
                .find(|(_, _, o)| o.contains(&range) || range.contains(o));
            if let Some((other, other_path, with)) = met {
                let place = if self.written(&path) {
                    self.place(&path)
                } else {
                    self.key_place(&at(&["vpn"]))
                };
                let mut problem = Problem::new(
                    "vpn-overlap",
                    place,
                    format!("the VPN range {range} and `{other}` ({with}) overlap"),
                )
                .hint(format!(
                    "set `router.vpn.{name}.range` to a range that nothing else uses"
                ));
                if self.written(other_path) {
                    problem = problem.related(self.place(other_path), "overlaps this one");
                }
                self.push(problem);
            }
            others.push(("the other VPN range", path, range));
        }
    }

    /// No two services of the router want one port.
    pub(super) fn ports_are_free(&mut self, router: &Router) {
        let mut used: Vec<(Transport, u16, String)> = vec![];
        for tunnel in router
            .vpn
            .iter()
            .flat_map(|v| [(&v.wireguard, "WireGuard"), (&v.openvpn, "OpenVPN")])
        {
            if let (Some(tunnel), name) = tunnel {
                used.push((tunnel.transport, tunnel.port, name.to_owned()));
            }
        }
        if let Some(ingress) = &router.ingress {
            used.extend(
                ingress
                    .http
                    .map(|_| (Transport::Tcp, 80, "the ingress".to_owned())),
            );
            used.extend(
                ingress
                    .https
                    .map(|_| (Transport::Tcp, 443, "the ingress".to_owned())),
            );
        }
        for (transport, port, name) in router
            .firewall
            .open
            .iter()
            .filter(|p| p.first == p.last && p.transport == Transport::Tcp)
            .map(|p| (p.transport, p.first, "the router itself".to_owned()))
        {
            used.push((transport, port, name));
        }
        for (i, forward) in router.firewall.forwards.iter().enumerate() {
            let met = used
                .iter()
                .find(|(t, p, _)| *t == forward.transport && *p == forward.port);
            if let Some((_, port, name)) = met {
                let mut path = item(&["firewall", "forwards"], i);
                path.push("port".into());
                let message = format!(
                    "the port {}/{port} can't be forwarded: {name} listens there",
                    forward.transport.as_str()
                );
                self.report(
                    "forward-of-own-port",
                    &path,
                    message,
                    "choose another port of the router",
                );
            }
        }
    }

    /// Whether a machine runs pods; the router does where it has another role too.
    pub(super) fn nodes(known: &[Known]) -> impl Iterator<Item = &Known> {
        known
            .iter()
            .filter(|k| k.roles.iter().any(|r| *r != Role::Router))
    }
}

fn one(transport: Transport, port: u16) -> Ports {
    Ports {
        transport,
        first: port,
        last: port,
    }
}

fn route_of(keys: &[&str]) -> Vec<Seg> {
    let mut path = vec![Seg::from("spec")];
    path.extend(keys.iter().map(|k| Seg::from(*k)));
    path
}
