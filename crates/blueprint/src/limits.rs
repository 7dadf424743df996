//! What the file may say and this release can't make yet: refused before any connection, rather than
//! made half.

use bramble_spec::Cluster;
use bramble_spec::cluster::{Endpoint, Machine};

/// Each thing that can't be made, with what to do instead.
pub fn limits(cluster: &Cluster) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if matches!(cluster.kubernetes.endpoint, Endpoint::KubeVip { .. }) {
        out.push((
            "kubernetes.endpoint.kubeVip: this release doesn't make kube-vip's pod".into(),
            "write `vip` instead: keepalived holds the address, HAProxy leads on from there".into(),
        ));
    }
    // Ranges of pods and services are IPv4, and a node needs an address of the same family.
    let six = |m: &&Machine| m.is_node() && m.address.is_ipv6();
    if let Some(machine) = cluster.machines.iter().find(six) {
        out.push((
            format!(
                "{} has the address {}; this release makes nodes with IPv4 addresses",
                machine.name, machine.address
            ),
            "give it an IPv4 address; SSH may still go to an IPv6 one (management)".into(),
        ));
    }
    out
}
