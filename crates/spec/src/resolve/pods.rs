//! Rules for the pods' addresses: the plan, ranges given by hand, how many pods fit.

use super::machines::Known;
use super::network::DEFAULT_MAX_PODS;
use super::{Resolver, route};
use crate::cluster::{Kubernetes, Network, PodNetwork};
use crate::plan::{self, PlanError};
use crate::problem::Problem;
use crate::shape::Seg;
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

impl Resolver<'_> {
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
                None => known[n].address_path.clone(),
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
        let unsure = !self.range_is_real("podRange", whole)
            || self.lost(&lan_path)
            || (self.written(&lan_path) && network.lan.is_none());
        let mut reported = false;
        let mut out = Vec::with_capacity(known.len());
        for k in known {
            if let Some(range) = k.pod_range {
                if unsure {
                    // What it must be inside of isn't known.
                } else if !whole.contains(&range) {
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
