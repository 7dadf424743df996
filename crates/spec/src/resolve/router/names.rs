//! Rules for names: who is asked for those outside, and that none in the domain stands for two.

use super::Sides;
use crate::cluster::{DnsRecord, Network, Router};
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::machines::Known;
use crate::resolve::{Resolver, route};
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use std::net::IpAddr;

/// The name of the router's registries in the domain.
const REGISTRY: &str = "registry";

/// A name in the domain, and whose it is.
struct Named {
    name: String,
    /// `None` for the address that the router gives its own service.
    address: Option<IpAddr>,
    whose: String,
    path: Vec<Seg>,
}

impl Resolver<'_> {
    /// A domain that its members really ask the router for.
    pub(super) fn domain_is_served(&mut self, network: &Network) {
        let path = route!["spec", "network", "domain"];
        if network.domain == "local" {
            self.report(
                "domain-local",
                &path,
                "most systems never ask a name server for names in `local`: they belong to multicast DNS",
                "use another one, such as home.internal or home.arpa",
            );
            return;
        }
        let written = self.spec.kubernetes.as_ref();
        let services = written.and_then(|k| k.dns_domain.as_deref());
        let services = services.unwrap_or("cluster.local");
        let below = |a: &str, b: &str| a == b || a.ends_with(&format!(".{b}"));
        if below(&network.domain, services) || below(services, &network.domain) {
            let other = route!["spec", "kubernetes", "dnsDomain"];
            let (main, rest) = match self.written(&path) {
                true => (path, other),
                false => (other, path),
            };
            let mut problem = Problem::new(
                "domain-of-services",
                self.place(&main),
                format!(
                    "the machines' domain `{}` and that of Kubernetes' services, `{}`, are not apart",
                    shorten(&network.domain),
                    shorten(services)
                ),
            )
            .hint("two name servers can't answer for one domain: use one such as home.internal for the machines");
            if self.written(&rest) {
                problem = problem.related(self.place(&rest), "the other one");
            }
            self.push(problem);
        }
    }

    pub(super) fn forwarders(&mut self, section: &written::Router, sides: &Sides) -> Vec<IpAddr> {
        let dns = section.dns.clone().unwrap_or_default();
        let mut out = Vec::new();
        for (i, text) in dns.forwarders.iter().enumerate() {
            let path = below!["dns", "forwarders", i];
            let Some(address) = self.router_ip(text, &path, "a name server") else {
                continue;
            };
            if address == IpAddr::V4(sides.address.addr()) {
                self.report(
                    "forwarder-is-router",
                    &path,
                    format!("{address} is the router itself, which would ask itself"),
                    "name a server outside, such as 9.9.9.9, or remove it: then those that the router itself uses are asked",
                );
                continue;
            }
            out.push(address);
        }
        out
    }

    pub(super) fn records(
        &mut self,
        section: &written::Router,
        network: &Network,
    ) -> Vec<DnsRecord> {
        let dns = section.dns.clone().unwrap_or_default();
        let mut out: Vec<DnsRecord> = Vec::new();
        for (i, record) in dns.records.iter().enumerate() {
            let path = |key: &str| below!["dns", "records", i, key];
            let name = record.name.as_ref();
            let name = name.and_then(|text| self.record_name(text, network, &path("name")));
            let address = record.address.as_ref();
            let address =
                address.and_then(|text| self.router_ip(text, &path("address"), "a device"));
            let (Some((name, wildcard)), Some(address)) = (name, address) else {
                continue;
            };
            let record = DnsRecord {
                name,
                wildcard,
                address,
            };
            if out.contains(&record) {
                self.report(
                    "record-twice",
                    &path("name"),
                    format!(
                        "the name `{}` with the address {address} is given twice",
                        shorten(&record.name)
                    ),
                    "remove one",
                );
                continue;
            }
            out.push(record);
        }
        out
    }

    /// The name without `*.`, and whether that was there.
    fn record_name(
        &mut self,
        text: &str,
        network: &Network,
        path: &[Seg],
    ) -> Option<(String, bool)> {
        let bare = text.strip_prefix("*.").unwrap_or(text);
        if !syntax::dns_name(bare) {
            self.report(
                "bad-record",
                path,
                format!("`{}` can't be a name in the domain", shorten(text)),
                "write lower-case labels with dots between them, without the domain; `*.` may stand in front",
            );
            return None;
        }
        let domain = format!(".{}", network.domain);
        if let Some(short) = text.strip_suffix(&domain) {
            self.report(
                "record-with-domain",
                path,
                format!("`{}` names the domain too", shorten(text)),
                format!(
                    "write `{}`: names stand in `{}` anyway",
                    shorten(short),
                    shorten(&network.domain)
                ),
            );
            return None;
        }
        Some((bare.to_owned(), bare != text))
    }

    /// No name stands for two devices. A name may have addresses of both families, and a name of records
    /// alone several of one: then clients take any.
    pub(super) fn names(&mut self, section: &written::Router, known: &[Known], router: &Router) {
        let mut named = Vec::new();
        if router.registry.is_some() {
            named.push(Named {
                name: REGISTRY.to_owned(),
                address: None,
                whose: "the name of the router's registries".to_owned(),
                path: below!["registry"],
            });
        }
        for k in known {
            let Some(name) = &k.name else { continue };
            // Two machines of one name are reported with the machines.
            if router.registry.is_some() && name == REGISTRY {
                self.name_is_free("a machine", name, &k.path("name"), &named);
            }
            named.push(Named {
                name: name.clone(),
                address: k.address,
                whose: format!("the name of the machine `{}`", shorten(name)),
                path: k.path("name"),
            });
        }
        let dhcp = section.dhcp.clone().unwrap_or_default();
        for (i, entry) in dhcp.reservations.iter().enumerate() {
            let Some(name) = &entry.name else { continue };
            let path = below!["dhcp", "reservations", i, "name"];
            self.name_is_free("a device", name, &path, &named);
            named.push(Named {
                name: name.clone(),
                address: entry.address.as_ref().and_then(|a| a.parse().ok()),
                whose: "the name of another device with a reservation".to_owned(),
                path,
            });
        }
        let dns = section.dns.clone().unwrap_or_default();
        for (i, entry) in dns.records.iter().enumerate() {
            let (Some(name), Some(address)) = (&entry.name, &entry.address) else {
                continue;
            };
            let name = name.strip_prefix("*.").unwrap_or(name);
            let address: Option<IpAddr> = address.parse().ok();
            let clash = named.iter().find(|n| {
                let other = n.address.or(Some(router.address.addr().into()));
                let family = other
                    .zip(address)
                    .is_some_and(|(a, b)| a.is_ipv4() == b.is_ipv4());
                n.name == name && family && other != address
            });
            if let Some(first) = clash {
                let path = below!["dns", "records", i, "name"];
                let problem = self.name_taken("a record", name, &path, first);
                self.push(problem);
            }
        }
    }

    fn name_is_free(&mut self, what: &str, name: &str, path: &[Seg], named: &[Named]) {
        if let Some(first) = named.iter().find(|n| n.name == name) {
            let problem = self.name_taken(what, name, path, first);
            self.push(problem);
        }
    }

    fn name_taken(&self, what: &str, name: &str, path: &[Seg], first: &Named) -> Problem {
        Problem::new(
            "name-taken",
            self.place(path),
            format!(
                "{what} can't be called `{}`: it is {}",
                shorten(name),
                first.whose
            ),
        )
        .hint("choose another name: this one would stand for two devices")
        .related(self.place(&first.path), "the other one")
    }
}
