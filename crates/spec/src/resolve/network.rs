//! Rules for addresses and ranges: LAN, pods, services, endpoint, and the address plan.

use super::machines::Known;
use super::{Resolver, route};
use crate::DEFAULT_VERSION;
use crate::cluster::{Endpoint, HostNames, Kubernetes, Network, PodNetwork, Role, Version};
use crate::plan::{self, PlanError};
use crate::problem::Problem;
use crate::shape::Seg;
use crate::syntax::{self, VersionFault};
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

const API_PORT: u16 = 6443;
const DEFAULT_MAX_PODS: u16 = 110;

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
            .and_then(|text| self.ipv4_net(text, &at("podRange")))
            .unwrap_or(default_net(10, 244, 16));
        let service_range = written
            .service_range
            .as_ref()
            .and_then(|text| self.ipv4_net(text, &at("serviceRange")))
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
            domain: written
                .domain
                .unwrap_or_else(|| format!("{cluster}.internal")),
            hosts: written.hosts.unwrap_or(HostNames::ControlPlane),
            prefer_ipv4: written.prefer_ipv4.unwrap_or(false),
        }
    }

    /// Reads `network/prefix`.
    fn net(&mut self, text: &str, path: &[Seg]) -> Option<IpNet> {
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

    pub(super) fn ipv4_net(&mut self, text: &str, path: &[Seg]) -> Option<Ipv4Net> {
        match self.net(text, path)? {
            IpNet::V4(net) => Some(net),
            IpNet::V6(net) => {
                self.report(
                    "range-not-ipv4",
                    path,
                    format!("{net} is an IPv6 range, but pods and services have IPv4 addresses"),
                    "write an IPv4 range, such as 10.244.0.0/16",
                );
                None
            }
        }
    }

    /// Reads the endpoint. Returns the virtual address, if there is one.
    pub(super) fn endpoint(
        &mut self,
        kubernetes: &mut Kubernetes,
        known: &[Known],
    ) -> Option<IpAddr> {
        let written = self
            .spec
            .kubernetes
            .as_ref()
            .and_then(|k| k.endpoint.clone())?;
        let at = |key: &str| route!["spec", "kubernetes", "endpoint", key];
        match (&written.external, &written.vip) {
            (Some(_), Some(_)) => {
                let other = self.key_place(&at("external"));
                let problem = Problem::new(
                    "two-endpoints",
                    self.key_place(&at("vip")),
                    "the API has one endpoint, and both `external` and `vip` are given",
                )
                .hint("keep `external` for your own load balancer, or `vip` for an address that the control planes share")
                .related(other, "the other one");
                self.push(problem);
                None
            }
            (None, None) => {
                let path = route!["spec", "kubernetes", "endpoint"];
                let asked = self.lost(&at("external")) || self.lost(&at("vip"));
                if !asked && !self.damaged_below(&path) {
                    self.report(
                        "empty-endpoint",
                        &path,
                        "`endpoint` says neither `external` nor `vip`",
                        "add one of them, or remove `endpoint`",
                    );
                }
                None
            }
            (Some(external), None) => {
                match syntax::host_port(external) {
                    Ok((host, Some(port))) if syntax::host(host) => {
                        kubernetes.endpoint = Endpoint::External {
                            host: host.to_owned(),
                            port,
                        };
                    }
                    Ok((host, None)) if syntax::host(host) => self.report(
                        "endpoint-port",
                        &at("external"),
                        format!("the endpoint `{}` has no port", shorten(external)),
                        match host.contains(':') {
                            true => format!("write `[{host}]:{API_PORT}`"),
                            false => format!("write `{host}:{API_PORT}`"),
                        },
                    ),
                    _ => self.report(
                        "bad-endpoint",
                        &at("external"),
                        format!("`{}` is not `host:port`", shorten(external)),
                        "write a DNS name or address, a colon and a port from 1 to 65535, without `https://`",
                    ),
                }
                None
            }
            (None, Some(vip)) => {
                let parsed = syntax::host_port(vip)
                    .ok()
                    .and_then(|(host, port)| Some((host.parse::<IpAddr>().ok()?, port)));
                let Some((address, port)) = parsed else {
                    self.report(
                        "bad-vip",
                        &at("vip"),
                        format!("`{}` is not an address with or without port", shorten(vip)),
                        "write a free address of the LAN, such as 10.77.0.10 or 10.77.0.10:6443",
                    );
                    return None;
                };
                if let Some(why) = syntax::unusable(address) {
                    self.report(
                        "unusable-vip",
                        &at("vip"),
                        format!("the virtual address can't be {address}: it {why}"),
                        "write a free address of the LAN",
                    );
                    return None;
                }
                if let Some(other) = known.iter().find(|k| k.address == Some(address)) {
                    let problem = Problem::new(
                        "vip-taken",
                        self.place(&at("vip")),
                        format!("the virtual address {address} is that of {}", Self::called(other)),
                    )
                    .hint("choose an address that no machine has: it moves between the control planes")
                    .related(self.place(&other.path("address")), "the machine's address");
                    self.push(problem);
                }
                kubernetes.endpoint = Endpoint::Vip {
                    address,
                    port: port.unwrap_or(API_PORT),
                };
                Some(address)
            }
        }
    }

    /// Whether the shape check took out something inside a section.
    fn damaged_below(&self, path: &[Seg]) -> bool {
        self.damaged.iter().any(|d| d.starts_with(path))
    }

    /// Gives addresses to the machines without one, and a LAN to the network without one.
    pub(super) fn plan_addresses(
        &mut self,
        network: &mut Network,
        known: &mut [Known],
        vip: Option<IpAddr>,
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
                    .hint("enlarge `network.lan`, or give machines an `address` in its lower part, where none is taken by itself")
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
            let Some(address) = k.address else { continue };
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
                } else if lan_written && k.is_node() {
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

    fn inside(
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
            if IpNet::V4(range).contains(&address) {
                self.report(
                    code,
                    path,
                    format!("{noun} {address} lies inside `kubernetes.{key}` ({range})"),
                    format!("set `kubernetes.{key}` to a range that nothing else uses"),
                );
            }
        }
    }

    pub(super) fn check_vip(
        &mut self,
        network: &Network,
        kubernetes: &Kubernetes,
        known: &[Known],
        vip: Option<IpAddr>,
    ) {
        let Some(vip) = vip else { return };
        let path = route!["spec", "kubernetes", "endpoint", "vip"];
        match network.lan {
            Some(lan) if !lan.contains(&vip) => {
                let example = known
                    .iter()
                    .filter(|k| k.roles.contains(&Role::ControlPlane))
                    .find_map(|k| k.address);
                let example = example.map_or(String::new(), |a| format!(", next to {a}"));
                self.report(
                    "vip-outside-lan",
                    &path,
                    format!("the virtual address {vip} is outside the LAN {lan}"),
                    format!("choose a free address of {lan}{example}: the control planes must be able to hold it"),
                );
            }
            Some(lan) => {
                if let Some(what) = edge(lan, vip) {
                    self.report(
                        "vip-edge",
                        &path,
                        format!("the virtual address {vip} is the {what} address of {lan}"),
                        "choose one between the first and the last",
                    );
                }
            }
            None => self.inside(
                kubernetes,
                vip,
                &path,
                "vip-in-range",
                "the virtual address",
            ),
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

    /// The pod range of each machine; also fits `max_pods` to the smallest of them.
    pub(super) fn pod_ranges(
        &mut self,
        network: &Network,
        kubernetes: &mut Kubernetes,
        known: &[Known],
        pod_network: &PodNetwork,
    ) -> Vec<Option<Ipv4Net>> {
        let ranges: Vec<Option<Ipv4Net>> =
            self.plan_ranges(network, kubernetes, known, pod_network);
        for (i, range) in ranges.iter().enumerate() {
            let Some(range) = range else { continue };
            let Some((j, other)) = ranges[..i].iter().enumerate().find_map(|(j, o)| {
                o.filter(|o| o.contains(range) || range.contains(o))
                    .map(|o| (j, o))
            }) else {
                continue;
            };
            // Equal addresses give equal ranges, and are reported as such.
            if known[i].pod_range.is_none() && known[j].pod_range.is_none() {
                continue;
            }
            let (main, rest) = if known[i].pod_range.is_some() {
                (i, j)
            } else {
                (j, i)
            };
            let at = |n: usize| match known[n].pod_range {
                Some(_) => known[n].path("podRange"),
                None => known[n].path("address"),
            };
            let problem = Problem::new(
                "pod-range-overlap",
                self.place(&at(main)),
                format!(
                    "the pod ranges of {} ({other}) and {} ({range}) overlap",
                    Self::called(&known[j]),
                    Self::called(&known[i])
                ),
            )
            .hint("give each machine a range of its own; without `podRange` the plan takes the one with the number of the machine's address")
            .related(self.place(&at(rest)), "the other machine");
            self.push(problem);
        }
        let smallest = ranges
            .iter()
            .flatten()
            .map(|r| plan::capacity(*r))
            .min()
            .unwrap_or(u32::MAX);
        let written = self.spec.kubernetes.as_ref().and_then(|k| k.max_pods);
        match written {
            Some(wanted) if u32::from(wanted) > smallest => self.report(
                "max-pods",
                &route!["spec", "kubernetes", "maxPods"],
                format!(
                    "{wanted} pods don't fit into the smallest pod range, which holds {smallest}"
                ),
                "lower `maxPods`, or give the machines larger pod ranges",
            ),
            Some(_) => {}
            None => {
                let fits = u16::try_from(smallest).unwrap_or(u16::MAX);
                kubernetes.max_pods = DEFAULT_MAX_PODS.min(fits);
            }
        }
        ranges
    }

    fn plan_ranges(
        &mut self,
        network: &Network,
        kubernetes: &Kubernetes,
        known: &[Known],
        pod_network: &PodNetwork,
    ) -> Vec<Option<Ipv4Net>> {
        let whole = kubernetes.pod_range;
        let pod_path = route!["spec", "kubernetes", "podRange"];
        let lan_path = route!["spec", "network", "lan"];
        // A plug-in that the operator installs may bring its own way of sharing out addresses.
        let optional = *pod_network == PodNetwork::None;
        let unsure = self.lost(&pod_path)
            || self.lost(&lan_path)
            || (self.written(&lan_path) && network.lan.is_none());
        let mut reported = false;
        let mut out = Vec::with_capacity(known.len());
        for k in known {
            if let Some(range) = k.pod_range {
                if !whole.contains(&range) {
                    let problem = Problem::new(
                        "pod-range-outside",
                        self.place(&k.path("podRange")),
                        format!(
                            "the pod range {range} of {} is not inside {whole}",
                            Self::called(k)
                        ),
                    )
                    .hint("choose a part of `kubernetes.podRange`, or enlarge that")
                    .related(self.place(&pod_path), "`kubernetes.podRange` belongs here");
                    self.push(problem);
                } else if range.prefix_len() > 28 {
                    self.report(
                        "pod-range-small",
                        &k.path("podRange"),
                        format!("the pod range {range} of {} is too small", Self::called(k)),
                        "use /28 or larger: /24 holds 253 pods, /28 holds 13",
                    );
                }
                out.push(Some(range));
                continue;
            }
            let explicit_lost = self.written(&k.path("podRange")) || self.lost(&k.path("podRange"));
            if !k.is_node() || explicit_lost || unsure {
                out.push(None);
                continue;
            }
            let Some(address) = k.address else {
                out.push(None);
                continue;
            };
            let planned = match (network.lan, address) {
                (Some(IpNet::V4(lan)), IpAddr::V4(v4)) => match plan::pod_range(whole, lan, v4) {
                    Ok(range) => Some(range),
                    // Reported with the address.
                    Err(PlanError::Outside) => None,
                    Err(PlanError::TooSmall { needed }) => {
                        if !reported && !optional {
                            reported = true;
                            self.too_small(whole, lan, needed, &pod_path);
                        }
                        None
                    }
                },
                (None, _) if !optional && !self.some_address_missing(known) => {
                    if !reported {
                        reported = true;
                        self.push(
                            Problem::new(
                                "pod-range-needed",
                                self.place(&k.path("address")),
                                format!("{} needs a `podRange`: the machines' addresses share no /24 from which the plan could number them", Self::called(k)),
                            )
                            .hint("give every machine a `podRange` inside `kubernetes.podRange`, or set `network.lan` if they are in one network"),
                        );
                    }
                    None
                }
                (Some(_), IpAddr::V6(_)) if !optional => {
                    self.push(
                        Problem::new(
                            "pod-range-needed",
                            self.place(&k.path("address")),
                            format!("{} has an IPv6 address and needs a `podRange`: pods have IPv4 addresses", Self::called(k)),
                        )
                        .hint("add `podRange:` to the machine, such as 10.244.1.0/24"),
                    );
                    None
                }
                _ => None,
            };
            out.push(planned);
        }
        out
    }

    fn some_address_missing(&self, known: &[Known]) -> bool {
        known.iter().any(|k| k.is_node() && k.address.is_none())
    }

    fn too_small(&mut self, whole: Ipv4Net, lan: Ipv4Net, needed: Option<u8>, pod_path: &[Seg]) {
        let hint = match needed {
            Some(prefix) => format!(
                "use a pod range of /{prefix} or larger, a smaller `network.lan`, or give every machine a `podRange`"
            ),
            None => "use a smaller `network.lan`, or give every machine a `podRange`".to_owned(),
        };
        let path = if self.written(pod_path) {
            pod_path.to_vec()
        } else {
            route!["spec", "network", "lan"]
        };
        self.report(
            "pod-range-too-small",
            &path,
            format!(
                "the pod range {whole} is too small for a LAN of /{}: each address needs a /{} at least",
                lan.prefix_len(),
                plan::SMALLEST_NODE_PREFIX
            ),
            hint,
        );
    }
}

/// Whether an address is the first or last of an IPv4 network, and what that is called.
fn edge(lan: IpNet, address: IpAddr) -> Option<&'static str> {
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
