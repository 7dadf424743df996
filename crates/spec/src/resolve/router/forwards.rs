//! Rules for ports of the router that lead to machines behind it.

use super::Sides;
use crate::cluster::Forward;
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::machines::Known;
use crate::resolve::{Resolver, route};
use crate::shape::Seg;
use crate::tree::shorten;
use std::net::{IpAddr, Ipv4Addr};

impl Resolver<'_> {
    pub(super) fn forwards(
        &mut self,
        written: &[written::Forward],
        known: &[Known],
        sides: &Sides,
    ) -> Vec<Forward> {
        let mut out: Vec<(usize, Forward)> = Vec::new();
        for (i, forward) in written.iter().enumerate() {
            let Some(forward) = self.forward(forward, i, known, sides) else {
                continue;
            };
            let same = out
                .iter()
                .find(|(_, f)| f.transport == forward.transport && f.port == forward.port);
            if let Some((first, _)) = same {
                let problem = Problem::new(
                    "forwarded-twice",
                    self.place(&below!["firewall", "forwards", i, "port"]),
                    format!(
                        "the port {}/{} is forwarded twice",
                        forward.transport.as_str(),
                        forward.port
                    ),
                )
                .hint("a port leads to one place: remove one, or choose another port")
                .related(
                    self.place(&below!["firewall", "forwards", *first, "port"]),
                    "first here",
                );
                self.push(problem);
                continue;
            }
            out.push((i, forward));
        }
        out.into_iter().map(|(_, f)| f).collect()
    }

    fn forward(
        &mut self,
        forward: &written::Forward,
        index: usize,
        known: &[Known],
        sides: &Sides,
    ) -> Option<Forward> {
        let path = |key: &str| below!["firewall", "forwards", index, key];
        let port = forward.port.as_ref();
        let port = port.and_then(|text| self.forwarded_port(text, &path("port")));
        let to = forward.to.as_ref();
        let to = to.and_then(|text| self.behind(text, known, sides, &path("to")));
        let ((transport, port), to) = (port?, to?);
        Some(Forward {
            transport,
            port,
            to,
            to_port: forward.to_port.unwrap_or(port),
        })
    }

    fn forwarded_port(
        &mut self,
        text: &str,
        path: &[Seg],
    ) -> Option<(crate::cluster::Transport, u16)> {
        if text == "ssh" {
            self.report(
                "bad-port",
                path,
                "`ssh` is the router's own port, and that can't be forwarded",
                "write another port, such as `tcp/8022`, with `toPort: 22`",
            );
            return None;
        }
        let ports = self.ports(text, path, "`tcp/8443` or `udp/5000`")?;
        if ports.first != ports.last {
            self.report(
                "forward-range",
                path,
                format!("`{}` is more than one port", shorten(text)),
                "forward each port by itself",
            );
            return None;
        }
        Some((ports.transport, ports.first))
    }

    /// A machine of the file, or an address in the LAN; not the router, and nobody unknown.
    fn behind(
        &mut self,
        text: &str,
        known: &[Known],
        sides: &Sides,
        path: &[Seg],
    ) -> Option<Ipv4Addr> {
        let named = known.iter().find(|k| k.name.as_deref() == Some(text));
        let to = if let Some(machine) = named {
            match machine.address? {
                IpAddr::V4(address) => address,
                IpAddr::V6(_) => return None,
            }
        } else if text.parse::<IpAddr>().is_ok() {
            self.lan_address(text, sides.lan(), path)?
        } else {
            self.nobody(text, known, path);
            return None;
        };
        if to == sides.address.addr() {
            self.report(
                "forward-to-router",
                path,
                format!("`{}` is the router itself", shorten(text)),
                "open the port with `firewall.open`, or name a machine behind the router",
            );
            return None;
        }
        Some(to)
    }

    fn nobody(&mut self, text: &str, known: &[Known], path: &[Seg]) {
        if known.iter().any(|k| self.lost(&k.path("name")))
            || self.lost(&route!["spec", "machines"])
        {
            return;
        }
        let names = known
            .iter()
            .filter(|k| k.is_node())
            .filter_map(|k| k.name.as_deref());
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
    }
}
