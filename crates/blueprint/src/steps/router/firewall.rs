//! What may come in from outside: NAT, default deny, port forwards.
//!
//! Whatever is not known to be inside is outside: a network card that is plugged in later opens nothing.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{NftTable, Sysctl};
use bramble_spec::cluster::{Forward, PodNetwork, Ports, Router, Transport};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// The table.
const TABLE: &str = "bramble-router";
const ADVICE: &str = "Open the way that you come by: name `ssh` in router.firewall.open, or your own network in router.firewall.trusted";

pub(crate) fn step(on: &On) -> Option<Step> {
    let router = on.router()?;
    let view = View {
        on,
        router,
        inner: super::inner_interfaces(on)?,
        uplink: on.uplink_interface().ok()?,
    };
    let table = NftTable {
        name: TABLE.into(),
        title: "what the router lets in".into(),
        rules: view.rules(),
        advice: ADVICE.into(),
    };
    let mut out = vec![r(table)];
    // Once nothing can come in by it, and undone before the rules go.
    let forwarding = super::network::forwarding(on, router);
    if !forwarding.is_empty() {
        out.push(r(Sysctl::new("router", forwarding)));
    }
    Some(on.step("router/firewall", out))
}

/// Everything that the rules are made from.
struct View<'a> {
    on: &'a On<'a>,
    router: &'a Router,
    inner: Vec<String>,
    uplink: String,
}

impl View<'_> {
    fn rules(&self) -> String {
        let mut out = String::new();
        for (name, hook, rules) in [
            (
                "prerouting",
                "nat hook prerouting priority dstnat - 10",
                self.leading_in(),
            ),
            (
                "postrouting",
                "nat hook postrouting priority srcnat",
                self.hiding(),
            ),
            ("clamp", "filter hook forward priority mangle", CLAMP.into()),
            ("input", "filter hook input priority filter", self.input()),
            (
                "forward",
                "filter hook forward priority filter",
                self.forward(),
            ),
        ] {
            let policy = match name {
                "input" | "forward" => "drop",
                _ => "accept",
            };
            let _ = writeln!(out, "\tchain {name} {{\n\t\ttype {hook}; policy {policy};");
            for line in rules.lines() {
                let _ = writeln!(out, "\t\t{line}");
            }
            out.push_str("\t}\n");
        }
        out
    }

    /// Port forwards, before kube-proxy sees a packet. On the inner addresses the router's own services
    /// have these ports.
    fn leading_in(&self) -> String {
        let mut out = String::from("fib daddr type != local accept\n");
        let near = self
            .near()
            .chain([self.on.cluster().kubernetes.service_range]);
        let _ = writeln!(out, "ip daddr {} accept", set(near));
        for forward in &self.router.firewall.forwards {
            let _ = writeln!(
                out,
                "{} dport {} dnat ip to {}:{}",
                forward.transport.as_str(),
                forward.port,
                forward.to,
                forward.to_port
            );
        }
        out
    }

    /// What comes from inside wears the router's address outside.
    fn hiding(&self) -> String {
        let lan = self.router.lan();
        let mut out = String::new();
        if !self.router.firewall.forwards.is_empty() {
            out.push_str("# Answers to machines of the LAN must come back this way.\n");
        }
        for forward in &self.router.firewall.forwards {
            let _ = writeln!(out, "ip saddr {lan} {} masquerade", led(forward));
        }
        let inner = set(self.quoted_inner());
        let hidden = self
            .inside()
            .chain(self.pods().filter(|_| self.hides_pods()));
        let _ = writeln!(
            out,
            "oifname != {inner} ip saddr {} ip daddr != {} masquerade",
            set(hidden),
            set(self.near())
        );
        if let Some(lan6) = self.router.address6.map(|a| a.trunc())
            && lan6.network().segments()[0] & 0xfe00 == 0xfc00
        {
            out.push_str("# Addresses that mean nothing elsewhere.\n");
            let _ = writeln!(
                out,
                "oifname != {inner} ip6 saddr {lan6} ip6 daddr != {lan6} masquerade"
            );
        }
        out
    }

    fn input(&self) -> String {
        let mut inner = self.quoted_inner();
        inner.insert(0, "\"lo\"".into());
        let mut out = format!("iifname {} accept\n", set(inner));
        out.push_str("ct state established,related accept\nct state invalid drop\n");
        self.own_pods(&mut out);
        if !self.router.firewall.trusted.is_empty() {
            let _ = writeln!(
                out,
                "ip saddr {} accept",
                set(&self.router.firewall.trusted)
            );
        }
        out.push_str(ESSENTIAL);
        out.push_str("# A node port that leads to the machine itself is none of the open ones.\n");
        out.push_str("ct status dnat drop\n");
        for (transport, ports) in self.open() {
            let ports = ports.iter().map(|(first, last)| {
                if first == last {
                    first.to_string()
                } else {
                    format!("{first}-{last}")
                }
            });
            let _ = writeln!(out, "{} dport {} accept", transport.as_str(), set(ports));
        }
        out
    }

    fn forward(&self) -> String {
        let mut out = String::from("ct state established,related accept\n");
        let _ = writeln!(out, "iifname {} accept", set(self.quoted_inner()));
        out.push_str("ct state invalid drop\n");
        self.own_pods(&mut out);
        if !self.router.firewall.trusted.is_empty() {
            let _ = writeln!(
                out,
                "ip saddr {} ip daddr {} accept",
                set(&self.router.firewall.trusted),
                set(self.near())
            );
        }
        for forward in &self.router.firewall.forwards {
            let _ = writeln!(out, "{} accept", led(forward));
        }
        out
    }

    /// Pods of this machine: whichever plug-in made their interfaces.
    fn own_pods(&self, out: &mut String) {
        if self.on.machine.is_node() {
            let cluster = self.on.cluster();
            let from = match cluster.pod_network {
                PodNetwork::Routed { .. } => "\"cni0\"".to_owned(),
                _ => format!("!= \"{}\"", self.uplink),
            };
            let pods = cluster.kubernetes.pod_range;
            let _ = writeln!(out, "iifname {from} ip saddr {pods} accept");
        }
    }

    fn quoted_inner(&self) -> Vec<String> {
        self.inner
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect()
    }

    /// The LAN and VPN clients.
    fn inside(&self) -> impl Iterator<Item = Ipv4Net> {
        let nets = self.router.inside().into_iter();
        nets.filter_map(|net| match net {
            ipnet::IpNet::V4(net) => Some(net),
            ipnet::IpNet::V6(_) => None,
        })
    }

    /// The range of all pods, where there are any.
    fn pods(&self) -> impl Iterator<Item = Ipv4Net> {
        let cluster = self.on.cluster();
        let nodes = cluster.machines.iter().any(|m| m.is_node());
        nodes.then_some(cluster.kubernetes.pod_range).into_iter()
    }

    fn hides_pods(&self) -> bool {
        !matches!(
            self.on.cluster().pod_network,
            PodNetwork::Routed {
                masquerade: false,
                ..
            }
        )
    }

    /// What is reached without wearing the router's address.
    fn near(&self) -> impl Iterator<Item = Ipv4Net> {
        self.inside().chain(self.pods())
    }

    /// Ports of the router that are open to everybody, by protocol, merged.
    fn open(&self) -> BTreeMap<Transport, Vec<(u16, u16)>> {
        let router = self.router;
        let mut all: Vec<(Transport, u16, u16)> = router
            .firewall
            .open
            .iter()
            .map(
                |Ports {
                     transport,
                     first,
                     last,
                 }| (*transport, *first, *last),
            )
            .collect();
        let tunnels = router.vpn.iter().flat_map(|v| [&v.wireguard, &v.openvpn]);
        all.extend(tunnels.flatten().map(|t| (t.transport, t.port, t.port)));
        if let Some(ingress) = &router.ingress {
            all.extend(ingress.http.map(|_| (Transport::Tcp, 80, 80)));
            all.extend(ingress.https.map(|_| (Transport::Tcp, 443, 443)));
        }
        all.sort_unstable();
        let mut out: BTreeMap<Transport, Vec<(u16, u16)>> = BTreeMap::new();
        for (transport, first, last) in all {
            let ranges = out.entry(transport).or_default();
            match ranges.last_mut() {
                // nftables takes no ranges that overlap.
                Some((_, end)) if u32::from(first) <= u32::from(*end) + 1 => *end = last.max(*end),
                _ => ranges.push((first, last)),
            }
        }
        out
    }
}

/// Matches what a port forward led somewhere, and nothing that another program did: kube-proxy's node
/// ports stay closed.
fn led(forward: &Forward) -> String {
    let transport = forward.transport.as_str();
    format!(
        "ip daddr {} {transport} dport {} ct status dnat ct original proto-dst {}",
        forward.to, forward.to_port, forward.port
    )
}

/// One or several values as nftables writes them.
fn set<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|v| v.to_string()).collect();
    format!("{{ {} }}", values.join(", "))
}

/// Paths by way of a tunnel or a modem have smaller packets, and ICMP that says so may not come back.
const CLAMP: &str = "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n";

/// What the router's own addresses outside need.
const ESSENTIAL: &str = "\
icmp type echo-request accept
icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, mld-listener-query } accept
# Answers of DHCP servers to the router as their client.
udp sport 67 udp dport 68 accept
ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
";
