//! How this computer reaches what the cluster serves: directly, or by ports of the router.

use bramble_spec::Cluster;
use bramble_spec::cluster::{Addon, Endpoint, Machine, Vpn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where kubeadm's API server listens.
const API_PORT: u16 = 6443;
/// Where the router takes web traffic for the ingress.
const WEB_PORT: u16 = 80;

/// Host and port at which the API answers: the endpoint of the cluster, or a control plane itself; by
/// the router's port for it, if there is one.
pub fn api(cluster: &Cluster, machine: &Machine) -> (String, u16) {
    let (host, port) = match &cluster.kubernetes.endpoint {
        Endpoint::External { host, port } => (host.clone(), *port),
        Endpoint::Vip { address, port, .. } | Endpoint::KubeVip { address, port } => {
            (address.to_string(), *port)
        }
        Endpoint::None => (machine.address.to_string(), API_PORT),
    };
    if let Some(through) = by_router(cluster, &host, port) {
        return through;
    }
    match (&cluster.kubernetes.endpoint, &machine.management) {
        (Endpoint::None, Some(management)) => (management.clone(), port),
        _ => (host, port),
    }
}

/// Whether an address can be used from outside the router only by a VPN or a route.
pub fn is_inside(cluster: &Cluster, host: &str) -> bool {
    let router = cluster
        .router
        .as_ref()
        .filter(|_| cluster.outside().is_some());
    let address: Option<IpAddr> = host.parse().ok();
    router
        .zip(address)
        .is_some_and(|(router, address)| router.inside().iter().any(|n| n.contains(&address)))
}

/// What is to be said of a VPN whose profiles name an address that nobody finds from elsewhere.
pub fn hidden_vpn(vpn: &Vpn) -> Option<String> {
    let host = &vpn.host;
    let own: Ipv4Addr = host.parse().ok()?;
    own.is_private().then(|| {
        format!(
            "VPN profiles name {host}, which nobody finds from elsewhere: set `router.ddns`, or `router.vpn.host` to a name of your public address"
        )
    })
}

/// Where the demo page answers: at the router, if it leads there, else on every node.
pub fn demo_pages(cluster: &Cluster) -> Vec<String> {
    let port = cluster.addons.iter().find_map(|addon| match addon {
        Addon::Demo { node_port } => Some(*node_port),
        Addon::Manifests { .. } => None,
    });
    let Some(port) = port else { return Vec::new() };
    let ingress = cluster.router.as_ref().and_then(|r| r.ingress.as_ref());
    if let (Some(outside), Some(ingress)) = (cluster.outside(), ingress)
        && ingress.http == Some(port)
    {
        return vec![page(outside, WEB_PORT)];
    }
    let nodes = cluster.machines.iter().filter(|m| m.is_node());
    let pages = nodes.map(|node| {
        let own = node.address.to_string();
        let (host, port) = by_router(cluster, &own, port).unwrap_or((own, port));
        page(&host, port)
    });
    pages.collect()
}

/// The router's outer side of a port behind it.
fn by_router(cluster: &Cluster, host: &str, port: u16) -> Option<(String, u16)> {
    let to = host.parse().ok()?;
    let port = cluster.router.as_ref()?.leading_to(to, port)?;
    Some((cluster.outside()?.to_owned(), port))
}

fn page(host: &str, port: u16) -> String {
    let host = match host.parse::<IpAddr>() {
        Ok(address) if port != WEB_PORT => SocketAddr::new(address, port).to_string(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ if port == WEB_PORT => host.to_owned(),
        _ => format!("{host}:{port}"),
    };
    format!("http://{host}/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn cluster(spec: &str) -> Cluster {
        let text = format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: home }}\nspec:\n{spec}"
        );
        bramble_spec::load("test", &text).unwrap()
    }

    fn behind(router: &str) -> Cluster {
        cluster(&format!(
            "  network: {{ lan: 10.77.0.0/24 }}\n  router: {{ {router} }}\n  addons: [demo]\n  machines:\n    \
             - {{ name: gate, roles: [router], address: 10.76.0.2 }}\n    \
             - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n    \
             - {{ name: two, address: 10.77.0.12 }}\n"
        ))
    }

    fn api_of(cluster: &Cluster) -> (String, u16) {
        api(cluster, cluster.machine("one").unwrap())
    }

    #[test]
    fn without_a_router_machines_are_reached_themselves() {
        let cluster = cluster(
            "  addons: [demo]\n  machines:\n    \
             - { name: one, roles: [control-plane], address: 10.77.0.11, management: one.example }\n    \
             - { name: two, address: 10.77.0.12 }\n",
        );
        assert_eq!(api_of(&cluster), ("one.example".into(), 6443));
        let pages = ["http://10.77.0.11:30080/", "http://10.77.0.12:30080/"];
        assert_eq!(demo_pages(&cluster), pages);
        assert!(!is_inside(&cluster, "10.77.0.11"));
    }

    #[test]
    fn a_port_of_the_router_is_the_way_in() {
        let cluster = behind(
            "firewall: { forwards: [{ port: tcp/8443, to: one, toPort: 6443 }, { port: tcp/8080, to: two, toPort: 30080 }] }",
        );
        assert_eq!(api_of(&cluster), ("10.76.0.2".into(), 8443));
        let pages = ["http://10.77.0.11:30080/", "http://10.76.0.2:8080/"];
        assert_eq!(demo_pages(&cluster), pages);
    }

    #[test]
    fn web_traffic_comes_in_by_the_ingress_if_it_leads_to_the_page() {
        let open = behind("ingress: { http: 30080 }");
        assert_eq!(demo_pages(&open), ["http://10.76.0.2/"]);
        let other = behind("ingress: { http: 31080 }");
        assert_eq!(demo_pages(&other).len(), 2);
    }

    #[test]
    fn who_has_no_port_is_inside() {
        let cluster = behind("");
        assert_eq!(api_of(&cluster), ("10.77.0.11".into(), 6443));
        assert!(is_inside(&cluster, "10.77.0.11"));
        assert!(!is_inside(&cluster, "10.76.0.2"));
        assert!(!is_inside(&cluster, "api.example"));
    }

    #[test]
    fn a_vpn_behind_a_private_address_is_hidden() {
        let note = |vpn: &str| {
            let cluster = behind(&format!("vpn: {{ users: [anna]{vpn} }}"));
            hidden_vpn(cluster.router.unwrap().vpn.as_ref().unwrap())
        };
        let text = note("").unwrap();
        assert!(
            text.contains("10.76.0.2") && text.contains("router.vpn.host"),
            "{text}"
        );
        assert_eq!(note(", host: vpn.example.org"), None);
        assert_eq!(note(", host: 9.9.9.9"), None);
    }

    #[test]
    fn addresses_and_names_become_urls() {
        assert_eq!(page("fd00::1", 80), "http://[fd00::1]/");
        assert_eq!(page("fd00::1", 8080), "http://[fd00::1]:8080/");
        assert_eq!(page("gate.example", 80), "http://gate.example/");
    }
}
