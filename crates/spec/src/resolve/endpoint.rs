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
                    .related(self.place(&other.address_path), "the machine's address");
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
}
