//! Rules for addresses and ranges: LAN, pods, services, and the addresses that the plan gives.

use super::machines::Known;
use super::router::Sides;
use super::{Resolver, route};
use crate::DEFAULT_VERSION;
use crate::cluster::{Endpoint, HostNames, Kubernetes, Network, Role, Version};
use crate::plan;
use crate::problem::Problem;
use crate::shape::Seg;
use crate::syntax::{self, VersionFault};
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const DEFAULT_MAX_PODS: u16 = 110;
/// Who has addresses in the ranges of `kubernetes`.
pub(super) const PODS: &str = "pods and services";

impl Resolver<'_> {
    pub(super) fn kubernetes(&mut self) -> Kubernetes {
        let written = self.spec.kubernetes.clone().unwrap_or_default();
        let at = |key: &str| route!["spec", "kubernetes", key];
        let version = match &written.version {
            Some(text) => self.version(text, &at("version")),
            None => DEFAULT_VERSION,
        };
        let default_net = |a, b, prefix| Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), prefix);
        let pod_range = written
            .pod_range
            .as_ref()
            .and_then(|text| self.ipv4_net(text, &at("podRange"), PODS))
            .unwrap_or(default_net(10, 244, 16));
        let service_range = written
            .service_range
            .as_ref()
            .and_then(|text| self.ipv4_net(text, &at("serviceRange"), PODS))
            .unwrap_or(default_net(10, 96, 16));
        if !(12..=28).contains(&service_range.prefix_len()) {
            self.report(
                "service-range-size",
                &at("serviceRange"),
                format!("the service range {service_range} has the wrong size"),
                "Kubernetes takes /12 to /28; 10.96.0.0/16 is the default",
            );
        }
        let dns_domain = written
            .dns_domain
            .unwrap_or_else(|| "cluster.local".to_owned());
        self.domain(&dns_domain, &at("dnsDomain"));
        for (i, san) in written.cert_sans.iter().enumerate() {
            let name = san.strip_prefix("*.").unwrap_or(san);
            if !syntax::host(name) {
                self.report(
                    "bad-cert-name",
                    &route!["spec", "kubernetes", "certSANs", i],
                    format!("a certificate can't be for `{}`", shorten(san)),
                    "write an address or a DNS name, without port",
                );
            }
        }
        Kubernetes {
            version,
            pod_range,
            service_range,
            dns_domain,
            endpoint: Endpoint::None,
            cert_sans: written.cert_sans,
            schedule_on_control_plane: written.schedule_on_control_plane.unwrap_or(false),
            max_pods: written.max_pods.unwrap_or(DEFAULT_MAX_PODS),
            upgrade: self.upgrade(written.upgrade.as_ref()),
            kubelet: self.kubelet(written.kubelet.as_ref()),
        }
    }

    fn version(&mut self, text: &str, path: &[Seg]) -> Version {
        let (code, message, hint) = match syntax::version(text) {
            Ok(version) => return version,
            Err(VersionFault::NoPatch(fuller)) => (
                "bad-version",
                format!("`{}` names a series, not a release", shorten(text)),
                format!("write the release in full, such as `{fuller}`"),
            ),
            Err(VersionFault::Form) => (
                "bad-version",
                format!("`{}` is not a release of Kubernetes", shorten(text)),
                format!("write three numbers, such as `{DEFAULT_VERSION}`"),
            ),
            Err(VersionFault::Unsupported) => (
                "unsupported-version",
                format!("Kubernetes {} is not supported", shorten(text)),
                format!(
                    "this release of Bramble supports 1.{} to 1.{}",
                    syntax::MINORS.start(),
                    syntax::MINORS.end()
                ),
            ),
        };
        self.report(code, path, message, hint);
        DEFAULT_VERSION
    }

    pub(super) fn domain(&mut self, text: &str, path: &[Seg]) {
        if !syntax::dns_name(text) {
            self.report(
                "bad-domain",
                path,
                format!("`{}` is not a DNS domain", shorten(text)),
                "write lower-case labels with dots between them, such as home.internal",
            );
        }
    }

    pub(super) fn network(&mut self, cluster: &str) -> Network {
        let written = self.spec.network.clone().unwrap_or_default();
        let lan = written
            .lan
            .as_ref()
            .and_then(|text| self.net(text, &route!["spec", "network", "lan"]));
        if let Some(domain) = &written.domain {
            self.domain(domain, &route!["spec", "network", "domain"]);
        }
        Network {
            lan,
            lan6: self.lan6(),
            lldp: written.lldp.unwrap_or(false),
            domain: written
                .domain
                .unwrap_or_else(|| format!("{cluster}.internal")),
            hosts: written.hosts.unwrap_or(HostNames::ControlPlane),
            prefer_ipv4: written.prefer_ipv4.unwrap_or(false),
        }
    }

    /// Reads `network.lan6`.
    fn lan6(&mut self) -> Option<Ipv6Net> {
        let path = route!["spec", "network", "lan6"];
        let text = self.spec.network.as_ref()?.lan6.clone()?;
        let net = self.net(&text, &path)?;
        let why = match net {
            IpNet::V6(net) if syntax::unusable(net.network().into()).is_none() => {
                if net.prefix_len() == 64 {
                    return Some(net);
                }
                "it has not the size that machines need to make their addresses in it"
            }
            IpNet::V6(_) => "machines can't have addresses in it",
            IpNet::V4(_) => "it is an IPv4 range, and belongs to `lan`",
        };
        self.report(
            "bad-lan6",
            &path,
            format!("{net} can't be the IPv6 range of the LAN: {why}"),
            "use a /64 that is yours, such as fd00:77::/64",
        );
        None
    }

    /// Only a router tells machines of an IPv6 range.
    pub(super) fn lan6_needs_router(&mut self, known: &[Known]) {
        let path = route!["spec", "network", "lan6"];
        let unsure = self.lost(&route!["spec", "machines"])
            || known.iter().any(|k| self.lost(&k.path("roles")));
        if !self.written(&path) || unsure || known.iter().any(|k| k.roles.contains(&Role::Router)) {
            return;
        }
        let place = self.key_place(&path);
        self.push(
            Problem::new(
                "lan6-without-router",
                place,
                "`lan6` is what a router announces, and no machine has that role",
            )
            .hint("give a machine `roles: [router]`, or remove it: machines with IPv6 addresses alone have them in `lan`"),
        );
    }

    /// Reads `network/prefix`.
    pub(super) fn net(&mut self, text: &str, path: &[Seg]) -> Option<IpNet> {
        let Ok(net) = text.parse::<IpNet>() else {
            let hint = if text.parse::<IpAddr>().is_ok() {
                format!("add the length of the prefix, such as `{text}/24`")
            } else {
                "a range looks like 10.77.0.0/24".to_owned()
            };
            self.report(
                "bad-range",
                path,
                format!("`{}` is not a range of addresses", shorten(text)),
                hint,
            );
            return None;
        };
        if net.trunc() != net {
            self.report(
                "range-host-bits",
                path,
                format!("{net} is an address inside a range, not the range"),
                format!("write the range as `{}`", net.trunc()),
            );
            return None;
        }
        if net.prefix_len() == 0 {
            self.report(
                "range-too-large",
                path,
                format!("{net} is every address there is"),
                "write the range that is yours, such as 10.77.0.0/24",
            );
            return None;
        }
        Some(net)
    }

    /// Reads an IPv4 range; `noun` says whose addresses are in it.
    pub(super) fn ipv4_net(&mut self, text: &str, path: &[Seg], noun: &str) -> Option<Ipv4Net> {
        match self.net(text, path)? {
            IpNet::V4(net) => Some(net),
            IpNet::V6(net) => {
                self.report(
                    "range-not-ipv4",
                    path,
                    format!("{net} is an IPv6 range, but {noun} have IPv4 addresses"),
                    "write an IPv4 range, such as 10.244.0.0/16",
                );
                None
            }
        }
    }

    /// Gives addresses to the machines without one, and a LAN to the network without one.
    pub(super) fn plan_addresses(
        &mut self,
        network: &mut Network,
        known: &mut [Known],
        vip: Option<IpAddr>,
        sides: Option<&Sides>,
    ) {
        let lan_path = route!["spec", "network", "lan"];
        let lan_written = self.written(&lan_path) || self.lost(&lan_path);
        let mut open = Vec::new();
        for (i, k) in known.iter().enumerate() {
            if k.address_written {
                continue;
            }
            let has_mac =
                k.mac.is_some() || self.spec.machines[i].mac.is_some() || self.lost(&k.path("mac"));
            let path = route!["spec", "machines", k.index];
            let place = match &k.name {
                Some(_) => self.place(&k.path("name")),
                None => self.place(&path),
            };
            if !has_mac {
                self.push(
                    Problem::new(
                        "no-address",
                        place,
                        format!("{} has neither `address` nor `mac`", Self::called(k)),
                    )
                    .hint("add `address:`; or add `mac:` and `network.lan`, then it gets a free address of the LAN"),
                );
            } else if !lan_written {
                self.push(
                    Problem::new(
                        "no-lan",
                        place,
                        format!(
                            "{} has no `address`, and there is no `network.lan` to take one from",
                            Self::called(k)
                        ),
                    )
                    .hint(
                        "add `network.lan`, such as 10.77.0.0/24, or give the machine an `address`",
                    ),
                );
            } else {
                open.push(i);
            }
        }
        if let Some(lan) = network.lan {
            let mut taken: BTreeSet<IpAddr> = known.iter().filter_map(|k| k.address).collect();
            taken.extend(vip);
            taken.extend(sides.into_iter().flat_map(Sides::taken));
            let mut free = plan::addresses(lan, &taken, open.len()).into_iter();
            for i in open {
                known[i].address = free.next();
                if known[i].address.is_none() {
                    let place = self.place(&known[i].path("name"));
                    let problem = Problem::new(
                        "lan-full",
                        place,
                        format!("no address of {lan} is left for {}", Self::called(&known[i])),
                    )
                    .hint(match sides {
                        Some(_) => "enlarge `network.lan`, make `router.dhcp.pool` smaller, or give machines an `address` in the LAN's lower part",
                        None => "enlarge `network.lan`, or give machines an `address` in its lower part, where none is taken by itself",
                    })
                    .related(self.place(&lan_path), "the LAN");
                    self.push(problem);
                }
            }
        } else if !lan_written && known.iter().all(|k| !k.is_node() || k.address.is_some()) {
            network.lan = plan::common_lan(
                known
                    .iter()
                    .filter(|k| k.is_node())
                    .filter_map(|k| k.address.as_ref()),
            );
        }
    }

    /// Machines' addresses against the LAN and the ranges.
    pub(super) fn check_addresses(
        &mut self,
        network: &Network,
        kubernetes: &Kubernetes,
        known: &[Known],
    ) {
        let lan_written = self.written(&route!["spec", "network", "lan"]);
        for k in known.iter().filter(|k| k.address_written) {
            // A router's, as it is written.
            let Some(address) = k.outside.or(k.address) else {
                continue;
            };
            let path = k.path("address");
            if let Some(lan) = network.lan {
                if lan.contains(&address) {
                    if let Some(what) = edge(lan, address) {
                        self.report(
                            "edge-address",
                            &path,
                            format!("{address} is the {what} address of {lan}"),
                            "no machine can have it: use an address between the first and the last",
                        );
                    }
                } else if lan_written && k.is_node() && k.outside.is_none() {
                    let problem = Problem::new(
                        "address-outside-lan",
                        self.place(&path),
                        format!("{address} is outside the LAN {lan}"),
                    )
                    .hint("correct the address or `network.lan`; an address for SSH alone goes to `management`")
                    .related(self.place(&route!["spec", "network", "lan"]), "the LAN");
                    self.push(problem);
                }
            }
            let in_lan = network.lan.is_some_and(|lan| lan.contains(&address));
            if !in_lan {
                self.inside(
                    kubernetes,
                    address,
                    &path,
                    "address-in-range",
                    "the address",
                );
            }
        }
    }

    pub(super) fn inside(
        &mut self,
        kubernetes: &Kubernetes,
        address: IpAddr,
        path: &[Seg],
        code: &'static str,
        noun: &str,
    ) {
        let ranges = [
            ("podRange", kubernetes.pod_range),
            ("serviceRange", kubernetes.service_range),
        ];
        for (key, range) in ranges {
            if self.range_is_real(key, range) && IpNet::V4(range).contains(&address) {
                self.report(
                    code,
                    path,
                    format!("{noun} {address} lies inside `kubernetes.{key}` ({range})"),
                    format!("set `kubernetes.{key}` to a range that nothing else uses"),
                );
            }
        }
    }

    /// Whether a range of `kubernetes` is the one of the file, or the default of a file without one,
    /// and not a stand-in for one that was refused.
    pub(super) fn range_is_real(&self, key: &str, used: Ipv4Net) -> bool {
        let written = self.spec.kubernetes.as_ref().and_then(|k| match key {
            "podRange" => k.pod_range.as_deref(),
            _ => k.service_range.as_deref(),
        });
        match written {
            Some(text) => text.parse() == Ok(used),
            None => !self.lost(&route!["spec", "kubernetes", key]),
        }
    }

    /// Overlaps of LAN, pods and services.
    pub(super) fn ranges(&mut self, network: &Network, kubernetes: &Kubernetes, known: &[Known]) {
        let lan_path = match self.written(&route!["spec", "network", "lan"]) {
            true => route!["spec", "network", "lan"],
            false => match known.iter().find(|k| k.is_node()) {
                Some(k) => k.path("address"),
                None => route!["spec", "machines"],
            },
        };
        let pod = (
            "kubernetes.podRange",
            route!["spec", "kubernetes", "podRange"],
            kubernetes.pod_range,
        );
        let service = (
            "kubernetes.serviceRange",
            route!["spec", "kubernetes", "serviceRange"],
            kubernetes.service_range,
        );
        let lan = match network.lan {
            Some(IpNet::V4(net)) => Some(("network.lan", lan_path, net)),
            _ => None,
        };
        let pairs = [
            lan.clone().map(|lan| (lan, pod.clone())),
            lan.map(|lan| (lan, service.clone())),
            Some((pod, service)),
        ];
        for (first, second) in pairs.into_iter().flatten() {
            let (a, b) = (first.2, second.2);
            let stands_in = |range: Ipv4Net, name: &str| {
                name.strip_prefix("kubernetes.")
                    .is_some_and(|key| !self.range_is_real(key, range))
            };
            if stands_in(a, first.0) || stands_in(b, second.0) {
                continue;
            }
            if !a.contains(&b) && !b.contains(&a) {
                continue;
            }
            let (main, other) = if self.written(&second.1) {
                (&second, &first)
            } else {
                (&first, &second)
            };
            let place = self.place(&main.1);
            let mut problem = Problem::new(
                "overlap",
                place,
                format!("`{}` ({a}) and `{}` ({b}) overlap", first.0, second.0),
            )
            .hint(format!(
                "set `{}` to a range that nothing else uses",
                second.0
            ));
            if self.written(&other.1) {
                problem = problem.related(self.place(&other.1), "overlaps this one");
            }
            self.push(problem);
        }
    }
}

/// Whether an address is the first or last of an IPv4 network, and what that is called.
pub(super) fn edge(lan: IpNet, address: IpAddr) -> Option<&'static str> {
    let IpNet::V4(net) = lan else {
        return (lan.prefix_len() < 127 && lan.network() == address).then_some("subnet-router");
    };
    if net.prefix_len() >= 31 {
        return None;
    }
    if address == IpAddr::V4(net.network()) {
        Some("network")
    } else if address == IpAddr::V4(net.broadcast()) {
        Some("broadcast")
    } else {
        None
    }
}
