//! Rules for the address at which the API is reached.

use super::machines::Known;
use super::network::edge;
use super::{Resolver, route};
use crate::cluster::{Endpoint, Kubernetes, Network, Role};
use crate::problem::Problem;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use std::net::IpAddr;

/// The API server's port.
const API_PORT: u16 = 6443;
/// What else listens on every control plane on all addresses, or on the loopback, which HAProxy's port would take.
const OTHERS: [(u16, &str); 7] = [
    (22, "SSH"),
    (2379, "etcd"),
    (2380, "etcd"),
    (10250, "the kubelet"),
    (10256, "kube-proxy"),
    (10257, "the controller manager"),
    (10259, "the scheduler"),
];
/// HAProxy's, on the same machines.
const BALANCER_PORT: u16 = 8443;

impl Resolver<'_> {
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
        let given: Vec<&str> = [
            ("external", written.external.is_some()),
            ("vip", written.vip.is_some()),
            ("kubeVip", written.kube_vip.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect();
        if let [first, second, ..] = given.as_slice() {
            let other = self.key_place(&at(first));
            let problem = Problem::new(
                "two-endpoints",
                self.key_place(&at(second)),
                format!("the API has one endpoint, and both `{first}` and `{second}` are given"),
            )
            .hint("keep `external` for your own load balancer, `vip` or `kubeVip` for an address that the control planes share")
            .related(other, "the other one");
            self.push(problem);
            return None;
        }
        if written.vrrp_id.is_some() && written.vip.is_none() {
            self.report(
                "vrrp-without-vip",
                &at("vrrpId"),
                "`vrrpId` numbers the address `vip`, and there is none",
                "remove it",
            );
        }
        let (shared, usual_port) = match (&written.vip, &written.kube_vip) {
            (Some(vip), _) => (Some(("vip", vip)), BALANCER_PORT),
            (None, other) => (other.as_ref().map(|vip| ("kubeVip", vip)), API_PORT),
        };
        match (&written.external, shared) {
            (None, None) => {
                let path = route!["spec", "kubernetes", "endpoint"];
                let keys = ["external", "vip", "kubeVip"];
                let asked = keys.into_iter().any(|key| self.lost(&at(key)));
                if !asked && !self.damaged_below(&path) {
                    self.report(
                        "empty-endpoint",
                        &path,
                        "`endpoint` says neither `external` nor `vip` nor `kubeVip`",
                        "add one of them, or remove `endpoint`",
                    );
                }
                None
            }
            (Some(external), _) => {
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
            (None, Some((key, vip))) => {
                let parsed = syntax::host_port(vip)
                    .ok()
                    .and_then(|(host, port)| Some((host.parse::<IpAddr>().ok()?, port)));
                let Some((address, port)) = parsed else {
                    self.report(
                        "bad-vip",
                        &at(key),
                        format!("`{}` is not an address with or without port", shorten(vip)),
                        format!("write a free address of the LAN, such as 10.77.0.10 or 10.77.0.10:{usual_port}"),
                    );
                    return None;
                };
                if let Some(why) = syntax::unusable(address) {
                    self.report(
                        "unusable-vip",
                        &at(key),
                        format!("the virtual address can't be {address}: it {why}"),
                        "write a free address of the LAN",
                    );
                    return None;
                }
                if let Some(other) = known.iter().find(|k| k.address == Some(address)) {
                    let problem = Problem::new(
                        "vip-taken",
                        self.place(&at(key)),
                        format!("the virtual address {address} is that of {}", Self::called(other)),
                    )
                    .hint("choose an address that no machine has: it moves between the control planes")
                    .related(self.place(&other.address_path), "the machine's address");
                    self.push(problem);
                }
                let IpAddr::V4(four) = address else {
                    self.report(
                        "vip-ipv6",
                        &at(key),
                        format!("the virtual address {address} is an IPv6 one"),
                        "write an IPv4 address; nodes have IPv4 addresses too",
                    );
                    return None;
                };
                let port = port.unwrap_or(usual_port);
                if key == "kubeVip" {
                    kubernetes.endpoint = Endpoint::KubeVip { address, port };
                    return Some(address);
                }
                let taken = OTHERS.iter().find(|(taken, _)| *taken == port);
                if let Some((_, what)) = taken {
                    self.report(
                        "vip-port",
                        &at(key),
                        format!("the virtual address {address} can't have the port {port}: {what} has it on every control plane"),
                        format!("leave the port out ({BALANCER_PORT}), or choose another"),
                    );
                }
                if port == API_PORT {
                    self.report(
                        "vip-port",
                        &at(key),
                        format!("the virtual address {address} can't have the port {API_PORT}: the API servers have it on every control plane"),
                        format!("leave the port out ({BALANCER_PORT}), or choose another"),
                    );
                }
                kubernetes.endpoint = Endpoint::Vip {
                    address,
                    port,
                    vrrp_id: written.vrrp_id.unwrap_or(four.octets()[3].max(1)),
                };
                Some(address)
            }
        }
    }

    /// Whether the shape check took out something inside a section.
    pub(super) fn damaged_below(&self, path: &[Seg]) -> bool {
        self.damaged.iter().any(|d| d.starts_with(path))
    }

    pub(super) fn check_vip(
        &mut self,
        network: &Network,
        kubernetes: &Kubernetes,
        known: &[Known],
        vip: Option<IpAddr>,
    ) {
        let Some(vip) = vip else { return };
        let key = match kubernetes.endpoint {
            Endpoint::KubeVip { .. } => "kubeVip",
            _ => "vip",
        };
        let path = route!["spec", "kubernetes", "endpoint", key];
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
}
