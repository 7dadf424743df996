//! `bramble check`.

use crate::args::Global;
use crate::context::Context;
use crate::error::CliError;
use crate::outside;
use crate::printer::{Printer, Style};
use bramble_spec::Cluster;
use bramble_spec::cluster::{Addon, Endpoint, Jump, Machine, PodNetwork, Router};
use ipnet::Ipv4Net;
use serde_json::{Value, json};

/// Reads the file and everything that it names, and sums up what it says.
pub async fn run(global: &Global, printer: &Printer) -> Result<(), CliError> {
    let context = Context::load(global, printer).await?;
    let cluster = &context.cluster;
    if printer.json() {
        printer.value(&summary(&context));
        return Ok(());
    }
    let count = cluster.machines.len();
    let s = if count == 1 { "" } else { "s" };
    printer.out(format!(
        "{} is fine: cluster {}, Kubernetes {}, {count} machine{s}",
        context.path.display(),
        printer.paint(Style::Bold, &cluster.name),
        cluster.kubernetes.version
    ));
    for (what, value) in ranges(cluster) {
        printer.out(format!("  {what:<12} {value}"));
    }
    let width = cluster
        .machines
        .iter()
        .map(|m| m.name.len())
        .max()
        .unwrap_or(0);
    for machine in &cluster.machines {
        let name = printer.paint(Style::Bold, format!("{:width$}", machine.name));
        let address = machine.address.to_string();
        let pods = machine
            .pod_range
            .map_or(String::new(), |r| format!("  pods {r}"));
        let line = format!(
            "  {name}  {address:<15}  {:<22}{pods}{}",
            roles(machine).join(", "),
            way(machine)
        );
        printer.out(line.trim_end());
    }
    for note in notes(cluster) {
        printer.note(format!("note: {note}"));
    }
    if context.bundle.is_none() && cluster.machines.iter().any(Machine::is_node) {
        let version = cluster.kubernetes.version;
        printer.note(format!(
            "note: there is no bundle of Kubernetes {version} on this computer yet: bramble bundle build --from upstream --version {version}"
        ));
    }
    Ok(())
}

/// What is allowed, and still not what most people want.
fn notes(cluster: &Cluster) -> Vec<String> {
    let vpn = cluster.router.as_ref().and_then(|r| r.vpn.as_ref());
    let even = cluster.even_control_planes().map(|count| {
        format!(
            "{count} control planes are an even number: a cluster that is up goes on with it, none begins with it; use 1, 3 or 5"
        )
    });
    let hidden = vpn.and_then(outside::hidden_vpn);
    hidden.into_iter().chain(even).collect()
}

/// How SSH gets to a machine, if not directly at its address.
fn way(machine: &Machine) -> String {
    let at = machine.management.as_ref();
    let at = at.map_or(String::new(), |at| format!("  at {at}"));
    let through = jump(machine).map_or(String::new(), |j| format!("  through {j}"));
    at + &through
}

fn jump(machine: &Machine) -> Option<&str> {
    machine.ssh.jump.as_ref().map(|jump| match jump {
        Jump::Machine(name) => name.as_str(),
        Jump::Host { host, .. } => host.as_str(),
    })
}

fn roles(machine: &Machine) -> Vec<&'static str> {
    machine.roles.iter().map(|r| r.as_str()).collect()
}

/// Ranges and addresses that belong to the whole, by name.
fn ranges(cluster: &Cluster) -> Vec<(&'static str, String)> {
    let kubernetes = &cluster.kubernetes;
    let mut out = Vec::new();
    out.extend(cluster.network.lan.map(|lan| ("machines", lan.to_string())));
    if let Some(router) = &cluster.router {
        out.extend(lent(router).map(|pool| ("guests", pool)));
        out.extend(router.address6.map(|own| ("IPv6", own.trunc().to_string())));
        out.extend(tunnels(router).map(|(name, range)| (name, range.to_string())));
    }
    out.push(("pods", kubernetes.pod_range.to_string()));
    out.push(("services", kubernetes.service_range.to_string()));
    out.push(("pod network", plugin(&cluster.pod_network)));
    out.extend(endpoint(&kubernetes.endpoint).map(|e| ("API", e)));
    let addons: Vec<&str> = cluster.addons.iter().map(Addon::name).collect();
    if !addons.is_empty() {
        out.push(("add-ons", addons.join(", ")));
    }
    out
}

/// Addresses for unknown devices.
fn lent(router: &Router) -> Option<String> {
    let (first, last) = router.dhcp.pool?;
    Some(format!("{first}-{last}"))
}

/// Ranges of VPN clients.
fn tunnels(router: &Router) -> impl Iterator<Item = (&'static str, Ipv4Net)> {
    let vpn = router.vpn.iter();
    let all = vpn.flat_map(|v| [("WireGuard", &v.wireguard), ("OpenVPN", &v.openvpn)]);
    all.filter_map(|(name, tunnel)| Some((name, tunnel.as_ref()?.range)))
}

fn plugin(network: &PodNetwork) -> String {
    match network {
        PodNetwork::Routed { .. } => "routed".into(),
        PodNetwork::Custom { dir } => format!("custom ({dir})"),
        PodNetwork::None => "none".into(),
    }
}

fn endpoint(endpoint: &Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::None => None,
        Endpoint::External { host, port } => Some(format!("{host}:{port}")),
        Endpoint::Vip { address, port, .. } | Endpoint::KubeVip { address, port } => {
            Some(std::net::SocketAddr::new(*address, *port).to_string())
        }
    }
}

fn summary(context: &Context) -> Value {
    let cluster = &context.cluster;
    let machines: Vec<Value> = cluster
        .machines
        .iter()
        .map(|m| {
            json!({
                "name": m.name,
                "roles": roles(m),
                "address": m.address,
                "podRange": m.pod_range,
                "ssh": {
                    "user": m.ssh.user,
                    "port": m.ssh.port,
                    "host": m.management.clone().unwrap_or_else(|| m.address.to_string()),
                    "jump": jump(m),
                },
            })
        })
        .collect();
    json!({
        "file": context.path,
        "cluster": cluster.name,
        "kubernetes": cluster.kubernetes.version.to_string(),
        "network": {
            "machines": cluster.network.lan,
            "guests": cluster.router.as_ref().and_then(lent),
            "domain": cluster.network.domain,
            "pods": cluster.kubernetes.pod_range,
            "services": cluster.kubernetes.service_range,
            "podNetwork": plugin(&cluster.pod_network),
            "endpoint": endpoint(&cluster.kubernetes.endpoint),
        },
        "machines": machines,
        "addons": cluster.addons.iter().map(Addon::name).collect::<Vec<_>>(),
        "notes": notes(cluster),
        "demoPages": outside::demo_pages(cluster),
        "bundle": context.bundle.as_ref().map(|b| b.dir()),
    })
}
