//! Rules for what may come in from outside: open ports, trusted ranges.

use super::Sides;
use crate::cluster::{Firewall, Ports, Router, Transport};
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::shape::Seg;
use crate::tree::shorten;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The shortest prefix of a range that one can trust: more is no range of somebody one knows.
const LARGEST_TRUSTED: u8 = 8;

impl Resolver<'_> {
    pub(super) fn firewall(
        &mut self,
        section: &written::Router,
        known: &[Known],
        sides: &Sides,
    ) -> Firewall {
        let firewall = section.firewall.clone().unwrap_or_default();
        let (ssh, _) = self.ssh_port(&known[sides.index]);
        Firewall {
            open: self.open(firewall.open.as_deref(), ssh),
            trusted: self.trusted(&firewall.trusted),
            forwards: self.forwards(&firewall.forwards, known, sides),
        }
    }

    fn open(&mut self, written: Option<&[String]>, ssh: u16) -> Vec<Ports> {
        let ssh = Ports {
            transport: Transport::Tcp,
            first: ssh,
            last: ssh,
        };
        let Some(written) = written else {
            return vec![ssh];
        };
        let mut open: Vec<(usize, Ports)> = Vec::new();
        for (i, text) in written.iter().enumerate() {
            let path = below!["firewall", "open", i];
            let ports = match text.as_str() {
                "ssh" => Some(ssh),
                text => self.ports(text, &path, "`tcp/8080`, `udp/5000-5010` or `ssh`"),
            };
            let Some(ports) = ports else { continue };
            if let Some((first, other)) = open.iter().find(|(_, o)| overlap(o, &ports)) {
                let other = show(other);
                let problem = Problem::new(
                    "open-twice",
                    self.place(&path),
                    format!("`{}` is open twice, here and by {other}", shorten(text)),
                )
                .hint("remove one, or let the ranges end before each other")
                .related(
                    self.place(&below!["firewall", "open", *first]),
                    "first here",
                );
                self.push(problem);
                continue;
            }
            open.push((i, ports));
        }
        open.into_iter().map(|(_, ports)| ports).collect()
    }

    /// Reads `tcp/8080` or `udp/5000-5010`; `form` is how it could look here.
    pub(super) fn ports(&mut self, text: &str, path: &[Seg], form: &str) -> Option<Ports> {
        let ports = parse(text);
        if ports.is_none() {
            let hint = match text.parse::<u16>() {
                Ok(port) if port > 0 => format!("write `tcp/{port}` or `udp/{port}`"),
                _ => format!("write {form}; ports go from 1 to 65535"),
            };
            self.report(
                "bad-port",
                path,
                format!("`{}` is no port that could be open", shorten(text)),
                hint,
            );
        }
        ports
    }

    fn trusted(&mut self, written: &[String]) -> Vec<Ipv4Net> {
        let mut out = Vec::new();
        for (i, text) in written.iter().enumerate() {
            let path = below!["firewall", "trusted", i];
            let one = text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
            let Some(net) = one.or_else(|| self.ipv4_net(text, &path, "trusted machines")) else {
                continue;
            };
            if net.prefix_len() < LARGEST_TRUSTED {
                self.report(
                    "trusted-too-large",
                    &path,
                    format!("{net} is a large part of the internet, and all of it would be let in"),
                    "name the network in which your workstation is, such as 192.168.1.0/24",
                );
                continue;
            }
            out.push(net);
        }
        out
    }

    /// The operator's own way in is left open.
    pub(super) fn ssh_stays_open(&mut self, router: &Router, machine: &Known) {
        let (ssh, _) = self.ssh_port(machine);
        let open = router.firewall.open.iter();
        let open = open
            .filter(|p| p.transport == Transport::Tcp)
            .any(|p| (p.first..=p.last).contains(&ssh));
        let path = below!["firewall", "open"];
        let trusted = below!["firewall", "trusted"];
        if open
            || self.written(&trusted)
            || self.lost(&path)
            || !self.operator_is_outside(machine, &router.inside())
        {
            return;
        }
        let place = self.key_place(&path);
        self.push(
            Problem::new(
                "ssh-closed",
                place,
                format!("the firewall would shut out SSH at tcp/{ssh}, by which the router itself is reached"),
            )
            .hint("add `ssh`, or name the network in which your workstation is as `trusted`"),
        );
    }
}

fn parse(text: &str) -> Option<Ports> {
    let (transport, ports) = text.split_once('/')?;
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return None,
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(Ports {
        transport,
        first,
        last,
    })
}

/// Whether two have a port in common.
pub(super) fn overlap(a: &Ports, b: &Ports) -> bool {
    a.transport == b.transport && a.first <= b.last && b.first <= a.last
}

/// As the file writes it.
pub(super) fn show(ports: &Ports) -> String {
    let transport = ports.transport.as_str();
    match ports.first == ports.last {
        true => format!("{transport}/{}", ports.first),
        false => format!("{transport}/{}-{}", ports.first, ports.last),
    }
}
