//! Rules for machines: names, roles, hardware addresses, labels, taints.

use super::network::PODS;
use super::{Resolver, route};
use crate::cluster::{Machine, Role, Ssh, Swap, Taint};
use crate::file;
use crate::problem::Problem;
use crate::shape::{Seg, nearest};
use crate::syntax;
use crate::tree::shorten;
use ipnet::Ipv4Net;
use std::net::IpAddr;

/// What is known of a machine while the rules are checked.
pub(crate) struct Known {
    pub index: usize,
    pub name: Option<String>,
    pub roles: Vec<Role>,
    /// From the file, or the plan.
    pub address: Option<IpAddr>,
    /// A router's address outside the LAN, where the file gives that.
    pub outside: Option<IpAddr>,
    /// Whether the file gives an address, right or wrong.
    pub address_written: bool,
    /// Where the address comes from: `address` of the machine, or what gives a router its own.
    pub address_path: Vec<Seg>,
    pub mac: Option<String>,
    /// From the file.
    pub pod_range: Option<Ipv4Net>,
}

impl Known {
    pub fn is_node(&self) -> bool {
        self.roles.iter().any(|r| *r != Role::Router)
    }

    pub fn path(&self, key: &str) -> Vec<Seg> {
        route!["spec", "machines", self.index, key]
    }
}

/// Labels that the kubelet or kubeadm sets, and what sets them.
const RESERVED_LABELS: &[(&str, &str)] = &[
    ("kubernetes.io/hostname", "the machine's `name`"),
    ("kubernetes.io/arch", "the machine's processor"),
    ("kubernetes.io/os", "the operating system"),
    ("beta.kubernetes.io/arch", "the machine's processor"),
    ("beta.kubernetes.io/os", "the operating system"),
    (
        "node-role.kubernetes.io/control-plane",
        "the machine's `roles`",
    ),
    ("node-role.kubernetes.io/master", "the machine's `roles`"),
];

impl Resolver<'_> {
    /// First look at every machine.
    pub(super) fn known_machines(&mut self) -> Vec<Known> {
        let spec = self.spec;
        let mut all = Vec::with_capacity(spec.machines.len());
        for (index, machine) in spec.machines.iter().enumerate() {
            let at = |key: &str| route!["spec", "machines", index, key];
            if let Some(name) = &machine.name {
                self.label(name, &at("name"), "machine name", "machine-name");
                if name == "localhost" {
                    self.report(
                        "reserved-name",
                        &at("name"),
                        "no machine can be called `localhost`: each machine calls itself that",
                        "choose a name that means this machine everywhere",
                    );
                }
            }
            let roles = match &machine.roles {
                Some(roles) if !roles.is_empty() => roles.clone(),
                _ => vec![Role::Worker],
            };
            let address = machine
                .address
                .as_ref()
                .and_then(|text| self.address(text, &at("address")));
            let mac = machine
                .mac
                .as_ref()
                .and_then(|text| self.mac(text, &at("mac")));
            let pod_range = machine
                .pod_range
                .as_ref()
                .and_then(|text| self.ipv4_net(text, &at("podRange"), PODS));
            all.push(Known {
                index,
                name: machine.name.clone(),
                roles,
                address,
                outside: None,
                address_written: machine.address.is_some() || self.lost(&at("address")),
                address_path: at("address"),
                mac,
                pod_range,
            });
        }
        self.duplicates(
            "duplicate-name",
            "machine name",
            "each machine needs a name of its own: it becomes the host name and the node's name",
            all.iter()
                .filter_map(|k| k.name.as_deref().map(|n| (n, k.path("name")))),
        );
        let addresses: Vec<_> = all
            .iter()
            .filter_map(|k| k.address.map(|a| (a.to_string(), k.path("address"))))
            .collect();
        self.duplicates(
            "duplicate-address",
            "address",
            "each machine needs an address of its own",
            addresses.iter().map(|(a, p)| (a.as_str(), p.clone())),
        );
        self.duplicates(
            "duplicate-mac",
            "hardware address",
            "hardware addresses tell machines apart: read the right one with `ip link`",
            all.iter()
                .filter_map(|k| k.mac.as_deref().map(|m| (m, k.path("mac")))),
        );
        all
    }

    /// How many control planes there are.
    pub(super) fn roles(&mut self, known: &[Known]) {
        let unsure = known.is_empty()
            || self.lost(&route!["spec", "machines"])
            || known.iter().any(|k| self.lost(&k.path("roles")));
        if unsure {
            return;
        }
        let planes: Vec<&Known> = known
            .iter()
            .filter(|k| k.roles.contains(&Role::ControlPlane))
            .collect();
        if planes.is_empty() {
            return self.report(
                "no-control-plane",
                &route!["spec", "machines"],
                "no machine is a control plane",
                "give one machine `roles: [control-plane]`",
            );
        }
        let endpoint = route!["spec", "kubernetes", "endpoint"];
        if planes.len() > 1 && !self.written(&endpoint) && !self.lost(&endpoint) {
            self.report(
                "no-endpoint",
                &endpoint,
                format!(
                    "{} control planes need one address at which the API is reached, and none is given",
                    planes.len()
                ),
                "add `kubernetes.endpoint` with `external: host:port` (your load balancer), `vip: address` or `kubeVip: address`",
            );
        }
    }

    pub(super) fn address(&mut self, text: &str, path: &[Seg]) -> Option<IpAddr> {
        let address = match text.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => {
                let hint = if let Some((bare, _)) = text.split_once('/')
                    && bare.parse::<IpAddr>().is_ok()
                {
                    format!("write `{bare}` alone; the size of the network goes to `network.lan`")
                } else if text.contains(|c: char| c.is_ascii_alphabetic()) && syntax::host(text) {
                    "give the IP address here; a DNS name for SSH can stand in `management`"
                        .to_owned()
                } else {
                    "an address looks like 10.77.0.11 or fd00:77::11".to_owned()
                };
                self.report(
                    "bad-address",
                    path,
                    format!("`{}` is not an IP address", shorten(text)),
                    hint,
                );
                return None;
            }
        };
        if let Some(why) = syntax::unusable(address) {
            self.report(
                "unusable-address",
                path,
                format!("no machine can have the address {address}: it {why}"),
                "give the address at which the other machines reach this one",
            );
            return None;
        }
        Some(address)
    }

    /// An address of something else than a machine: `noun` says of what, `hint` how to write it.
    pub(super) fn ip(
        &mut self,
        text: &str,
        path: &[Seg],
        noun: &str,
        hint: &str,
    ) -> Option<IpAddr> {
        let Ok(address) = text.parse::<IpAddr>() else {
            self.report(
                "bad-address",
                path,
                format!("`{}` is not an IP address", shorten(text)),
                hint,
            );
            return None;
        };
        if let Some(why) = syntax::unusable(address) {
            self.report(
                "unusable-address",
                path,
                format!("{noun} can't have the address {address}: it {why}"),
                hint,
            );
            return None;
        }
        Some(address)
    }

    pub(super) fn mac(&mut self, text: &str, path: &[Seg]) -> Option<String> {
        let Some(mac) = syntax::mac(text) else {
            self.report(
                "bad-mac",
                path,
                format!("`{}` is not a hardware address", shorten(text)),
                "it has six pairs of hexadecimal digits, such as b8:27:eb:00:00:01",
            );
            return None;
        };
        if !syntax::mac_is_unicast(&mac) {
            self.report(
                "multicast-mac",
                path,
                format!("`{mac}` is not the hardware address of one interface"),
                "the second digit of one interface's address is even; read it with `ip link`",
            );
            return None;
        }
        Some(mac)
    }

    /// Everything else about machines, and the machines.
    pub(super) fn machines(
        &mut self,
        known: Vec<Known>,
        pod_ranges: Vec<Option<Ipv4Net>>,
        sshs: Vec<Ssh>,
    ) -> Vec<Machine> {
        let spec = self.spec;
        let usual = self.usual_care();
        let parts = known.into_iter().zip(pod_ranges).zip(sshs);
        spec.machines
            .iter()
            .zip(parts)
            .map(|(machine, ((known, pod_range), ssh))| {
                let at = |key: &str| route!["spec", "machines", known.index, key];
                if let Some(management) = &machine.management
                    && !syntax::host(management)
                {
                    self.report(
                        "bad-management",
                        &at("management"),
                        format!(
                            "`{}` is neither an address nor a DNS name",
                            shorten(management)
                        ),
                        "write the host alone; user and port go to `ssh`",
                    );
                }
                self.labels(machine, known.index);
                let care = self.machine_care(machine, &known, &usual);
                let usual_swap = match known.is_node() {
                    true => Swap::Off,
                    false => Swap::Keep,
                };
                let taints = machine
                    .taints
                    .as_ref()
                    .map(|taints| self.taints(taints, known.index));
                Machine {
                    name: known.name.unwrap_or_default(),
                    roles: known.roles,
                    address: known
                        .address
                        .unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()),
                    management: machine
                        .management
                        .clone()
                        .or_else(|| known.outside.map(|a| a.to_string())),
                    mac: known.mac,
                    arch: machine.arch,
                    ssh,
                    labels: machine.labels.clone(),
                    annotations: machine.annotations.clone(),
                    taints,
                    quirks: machine.quirks.clone(),
                    disks: self.disks(&machine.disks, known.index),
                    pod_range,
                    journal: care.journal,
                    swap: care.swap.unwrap_or(usual_swap),
                    hugepages: care.hugepages.unwrap_or_default(),
                }
            })
            .collect()
    }

    fn labels(&mut self, machine: &file::Machine, index: usize) {
        for (section, keys) in [
            ("labels", machine.labels.keys()),
            ("annotations", machine.annotations.keys()),
        ] {
            for key in keys {
                if syntax::label_key(key) {
                    continue;
                }
                let place = self.key_place(&route!["spec", "machines", index, section, key]);
                let code = if section == "labels" {
                    "label-key"
                } else {
                    "annotation-key"
                };
                let noun = if section == "labels" {
                    "a label"
                } else {
                    "an annotation"
                };
                self.push(
                    Problem::new(code, place, format!("`{}` can't be the key of {noun}", shorten(key)))
                        .hint("use letters, digits, `-`, `_` and `.`, at most 63, with a letter or digit at both ends; a DNS name and `/` may stand before it"),
                );
            }
        }
        for (key, value) in &machine.labels {
            let path = route!["spec", "machines", index, "labels", key];
            if let Some((_, by)) = RESERVED_LABELS.iter().find(|(label, _)| label == key) {
                let place = self.key_place(&path);
                self.push(
                    Problem::new(
                        "reserved-label",
                        place,
                        format!("the label `{key}` is not yours to set: it comes from {by}"),
                    )
                    .hint("remove it, or choose a key of your own"),
                );
            }
            if !syntax::label_value(value) {
                self.report(
                    "label-value",
                    &path,
                    format!("`{}` can't be the value of a label", shorten(value)),
                    "use letters, digits, `-`, `_` and `.`, at most 63, with a letter or digit at both ends; longer text can be an annotation",
                );
            }
        }
    }

    fn taints(&mut self, taints: &[file::Taint], index: usize) -> Vec<Taint> {
        let mut out: Vec<Taint> = Vec::new();
        for (number, taint) in taints.iter().enumerate() {
            let path = route!["spec", "machines", index, "taints", number];
            let taint = match taint {
                file::Taint::Text(text) => self.taint_text(text, &path),
                file::Taint::Parts(parts) => match (&parts.key, parts.effect) {
                    (Some(key), Some(effect)) => Some(Taint {
                        key: key.clone(),
                        value: parts.value.clone().unwrap_or_default(),
                        effect: effect.as_str().to_owned(),
                    }),
                    // The shape check has reported it.
                    _ => None,
                },
            };
            let Some(taint) = taint else { continue };
            if !syntax::label_key(&taint.key) {
                self.report(
                    "taint-key",
                    &path,
                    format!("`{}` can't be the key of a taint", shorten(&taint.key)),
                    "use letters, digits, `-`, `_` and `.`, such as `dedicated` or `example.com/dedicated`",
                );
            } else if !syntax::label_value(&taint.value) {
                self.report(
                    "taint-value",
                    &path,
                    format!("`{}` can't be the value of a taint", shorten(&taint.value)),
                    "use letters, digits, `-`, `_` and `.`, at most 63, or nothing",
                );
            } else if out
                .iter()
                .any(|t| t.key == taint.key && t.effect == taint.effect)
            {
                self.report(
                    "duplicate-taint",
                    &path,
                    format!(
                        "the taint `{}` with the effect {} is given twice for one machine",
                        shorten(&taint.key),
                        taint.effect
                    ),
                    "a node has one value for each key and effect: remove one",
                );
            } else {
                out.push(taint);
            }
        }
        out
    }

    fn taint_text(&mut self, text: &str, path: &[Seg]) -> Option<Taint> {
        let Some((front, effect)) = text.rsplit_once(':') else {
            self.report(
                "taint-form",
                path,
                format!("`{}` is not a taint", shorten(text)),
                "write `key=value:NoSchedule` or `key:NoSchedule`",
            );
            return None;
        };
        if !file::Effect::NAMES.contains(&effect) {
            let known = file::Effect::NAMES;
            let hint = match nearest(effect, known.into_iter()) {
                Some(near) => format!("did you mean `{near}`? Known are: {}", known.join(", ")),
                None => format!("known are: {}", known.join(", ")),
            };
            self.report(
                "unknown-effect",
                path,
                format!("`{}` is no effect of a taint", shorten(effect)),
                hint,
            );
            return None;
        }
        let (key, value) = front.split_once('=').unwrap_or((front, ""));
        Some(Taint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        })
    }
}
