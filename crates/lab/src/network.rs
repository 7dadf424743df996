//! Bridges, the way outside, and whether a range is free.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use ipnet::Ipv4Net;
use serde::Deserialize;

use crate::command::{Run, run};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::topology::{Net, Topology, bridge_name, overlap};

/// Name servers that machines can reach through this computer: those of its resolver that are not
/// on its loopback.
pub fn host_nameservers() -> Vec<Ipv4Addr> {
    // systemd-resolved keeps the real ones in a file of its own.
    for path in ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"] {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let servers: Vec<Ipv4Addr> = text
            .lines()
            .filter_map(|l| l.strip_prefix("nameserver"))
            .filter_map(|l| l.trim().parse().ok())
            .filter(|a: &Ipv4Addr| !a.is_loopback())
            .collect();
        if !servers.is_empty() {
            return servers;
        }
    }
    Vec::new()
}

#[derive(Deserialize)]
struct Route {
    dst: String,
    #[serde(default)]
    dev: String,
}

#[derive(Deserialize)]
struct Interface {
    ifname: String,
    #[serde(default)]
    ifalias: Option<String>,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    local: Option<Ipv4Addr>,
    #[serde(default)]
    prefixlen: u8,
}

fn ip_json<T: for<'a> Deserialize<'a>>(args: &[&str]) -> Result<T> {
    let mut all = vec!["-j"];
    all.extend(args);
    let text = run("look at this computer's network", "ip", &all)?;
    let text = if text.trim().is_empty() { "[]" } else { &text };
    serde_json::from_str(text).map_err(|source| Error::Damaged {
        path: format!("output of ip {}", all.join(" ")).into(),
        source,
    })
}

/// Refuses ranges that another lab, a route, an address or a name server of this computer has.
pub(crate) fn check_free(topology: &Topology, others: &[Topology]) -> Result<()> {
    let mut taken: Vec<(Ipv4Net, String)> = Vec::new();
    for other in others {
        for net in &other.networks {
            let with = format!("network {} ({}) of lab {}", net.name, net.range, other.name);
            taken.push((net.range, with));
        }
    }
    taken.extend(in_use()?);
    for net in &topology.networks {
        if let Some((_, with)) = taken.iter().find(|(range, _)| overlap(*range, net.range)) {
            return Err(Error::Overlap {
                lab: topology.name.clone(),
                net: net.name.clone(),
                range: net.range,
                with: with.clone(),
            });
        }
    }
    Ok(())
}

/// Ranges that a lab can't have since this computer has them by a route, an address or a name server, with what has
/// them.
///
/// # Errors
/// When this computer's network can't be looked at.
pub fn in_use() -> Result<Vec<(Ipv4Net, String)>> {
    let mut taken = Vec::new();
    for route in ip_json::<Vec<Route>>(&["-4", "route", "show"])? {
        // A default route, which has no range, takes none.
        if let Some(range) = parse_range(&route.dst)
            && range.prefix_len() > 0
        {
            let with = format!("this computer's route to {} by {}", route.dst, route.dev);
            taken.push((range, with));
        }
    }
    for interface in ip_json::<Vec<Interface>>(&["-4", "address", "show"])? {
        for address in interface.addr_info {
            if let Some(local) = address.local
                && let Ok(range) = Ipv4Net::new(local, address.prefixlen)
            {
                let with = format!("this computer's address {range} on {}", interface.ifname);
                taken.push((range.trunc(), with));
            }
        }
    }
    for server in host_nameservers() {
        taken.push((
            server.into(),
            format!("this computer's name server {server}"),
        ));
    }
    Ok(taken)
}

fn parse_range(text: &str) -> Option<Ipv4Net> {
    match text.parse() {
        Ok(range) => Some(range),
        Err(_) => text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from),
    }
}

fn alias(lab: &str, net: &str) -> String {
    format!("bramble-lab:{lab}:{net}")
}

fn exists(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
}

/// Makes what is missing of the lab's bridges and its table; does nothing where all is there.
pub(crate) fn ensure(topology: &Topology, events: &dyn Fn(Event)) -> Result<()> {
    let mut made = false;
    for net in &topology.networks {
        let bridge = bridge_name(&topology.name, &net.name);
        if !exists(&bridge) {
            let what = format!("make the bridge of network {}", net.name);
            // Bit 14: neighbors see each other's LLDP, which a bridge alone would keep back.
            let args = [
                "link",
                "add",
                &bridge,
                "type",
                "bridge",
                "group_fwd_mask",
                "0x4000",
            ];
            run(&what, "ip", args)?;
            made = true;
            events(Event::NetworkReady {
                net: net.name.clone(),
                bridge: bridge.clone(),
            });
        }
        configure(&topology.name, net, &bridge)?;
    }
    if made || !has_table(&topology.name) {
        Run::new("set up the lab's packet rules", "nft", ["-f", "-"])
            .input(rules(topology))
            .output()?;
    }
    Ok(())
}

fn configure(lab: &str, net: &Net, bridge: &str) -> Result<()> {
    let what = format!("set up the bridge of network {}", net.name);
    let alias = alias(lab, &net.name);
    // Without a fixed address the bridge takes its ports' lowest, which changes as machines come.
    let mac = crate::topology::digest(&["bridge", lab, &net.name], 10);
    let pairs: Vec<&str> = (0..5).map(|i| &mac[i * 2..i * 2 + 2]).collect();
    let mac = format!("02:{}", pairs.join(":"));
    run(
        &what,
        "ip",
        [
            "link", "set", bridge, "address", &mac, "alias", &alias, "up",
        ],
    )?;
    if let Some(gateway) = net.gateway {
        let address = format!("{gateway}/{}", net.range.prefix_len());
        run(&what, "ip", ["address", "replace", &address, "dev", bridge])?;
    }
    Ok(())
}

fn table(lab: &str) -> String {
    format!("bramble-lab-{lab}")
}

fn has_table(lab: &str) -> bool {
    run(
        "look for the lab's packet rules",
        "nft",
        ["list", "table", "inet", &table(lab)],
    )
    .is_ok()
}

/// The table of a lab: machines of one network talk freely, those with `nat` reach the outside but
/// no other lab, nothing from outside or from another network reaches a lab by way of this computer.
fn rules(topology: &Topology) -> String {
    let table = table(&topology.name);
    let mut forward = String::new();
    let mut masquerade = String::new();
    let mut all = Vec::new();
    for net in &topology.networks {
        let bridge = bridge_name(&topology.name, &net.name);
        // Bridged packets pass here too where br_netfilter is on.
        let _ = writeln!(
            forward,
            "    iifname \"{bridge}\" oifname \"{bridge}\" accept"
        );
        if net.nat {
            // The way outside may have a smaller MTU than the bridge, and ICMP may not come back.
            let clamp = "tcp flags & (syn|rst) == syn tcp option maxseg size set rt mtu";
            let _ = write!(
                forward,
                "    iifname \"{bridge}\" oifname != \"brl-*\" {clamp}\n\
                 \x20   oifname \"{bridge}\" iifname != \"brl-*\" {clamp}\n\
                 \x20   iifname \"{bridge}\" oifname != \"brl-*\" accept\n\
                 \x20   oifname \"{bridge}\" iifname != \"brl-*\" ct state established,related accept\n"
            );
            let _ = writeln!(
                masquerade,
                "    ip saddr {} oifname != \"brl-*\" masquerade",
                net.range
            );
        }
        all.push(format!("\"{bridge}\""));
    }
    if !all.is_empty() {
        let all = all.join(", ");
        let _ = write!(
            forward,
            "    iifname {{ {all} }} drop\n    oifname {{ {all} }} drop\n"
        );
    }
    format!(
        "table inet {table} {{}}\ndelete table inet {table}\ntable inet {table} {{\n\
         \x20 chain forward {{\n    type filter hook forward priority filter - 5; policy accept;\n{forward}  }}\n\
         \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat; policy accept;\n{masquerade}  }}\n}}\n"
    )
}

/// Removes a lab's bridges and its table, known by names and, where records are lost, by aliases.
pub(crate) fn remove(lab: &str, topology: Option<&Topology>) -> Result<()> {
    let mut bridges: BTreeSet<String> = topology
        .iter()
        .flat_map(|t| &t.networks)
        .map(|net| bridge_name(lab, &net.name))
        .collect();
    let marked = alias(lab, "");
    for interface in ip_json::<Vec<Interface>>(&["link", "show"])? {
        if interface.ifalias.is_some_and(|a| a.starts_with(&marked)) {
            bridges.insert(interface.ifname);
        }
    }
    for bridge in bridges {
        delete("remove a bridge of the lab", &bridge)?;
    }
    if has_table(lab) {
        run(
            "remove the lab's packet rules",
            "nft",
            ["delete", "table", "inet", &table(lab)],
        )?;
    }
    Ok(())
}

/// Whether a bridge or the table of a lab is there.
pub(crate) fn left_of(lab: &str) -> Result<bool> {
    let marked = alias(lab, "");
    let interfaces: Vec<Interface> = ip_json(&["link", "show"])?;
    let bridge = |i: &Interface| i.ifalias.as_ref().is_some_and(|a| a.starts_with(&marked));
    Ok(interfaces.iter().any(bridge) || has_table(lab))
}

/// Removes this computer's ends of machines' interfaces.
pub(crate) fn unplug(veths: &[String]) -> Result<()> {
    veths
        .iter()
        .try_for_each(|veth| delete("remove an interface of the lab", veth))
}

fn delete(what: &str, interface: &str) -> Result<()> {
    if exists(interface) {
        let removed = run(what, "ip", ["link", "delete", interface]);
        // It may have gone by itself meanwhile, with the machine's network namespace.
        if exists(interface) {
            removed?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_networks_with_nat_get_a_way_outside() {
        let net = |name: &str, range: &str, nat| Net {
            name: name.into(),
            range: range.parse().unwrap(),
            gateway: None,
            nat,
        };
        let text = rules(&Topology {
            name: "ceil".into(),
            networks: vec![
                net("wan", "10.1.0.0/24", true),
                net("lan", "10.2.0.0/24", false),
            ],
            machines: vec![],
        });
        assert_eq!(text.matches("masquerade").count(), 1);
        assert!(text.contains("ip saddr 10.1.0.0/24 oifname != \"brl-*\" masquerade"));
        let lan = bridge_name("ceil", "lan");
        assert!(!text.contains(&format!("iifname \"{lan}\" oifname != ")));
    }
}
