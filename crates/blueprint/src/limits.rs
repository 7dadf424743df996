//! What the file may say and this release can't make yet: refused before any connection, rather than
//! made half.

use bramble_spec::Cluster;
use bramble_spec::cluster::{Endpoint, Machine};

/// Where API servers listen.
const API_PORT: u16 = 6443;

/// Each thing that can't be made, with what to do instead.
pub fn limits(cluster: &Cluster) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Endpoint::KubeVip { port, .. } = cluster.kubernetes.endpoint
        && port != API_PORT
    {
        out.push((
            format!("kubernetes.endpoint.kubeVip: its address leads to the API servers themselves, whose port is {API_PORT}, and not {port}"),
            format!("leave the port out; or write `vip`, where HAProxy listens on any (8443 by default), and not on {API_PORT}"),
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
