//! The machines of a cluster file as a lab.

use crate::error::{CliError, Explain};
use bramble_lab::{AddressMode, Boot, LabMachine, Link, Net, Topology};
use bramble_spec::Cluster;
use bramble_spec::cluster::{Machine, Role, Router, UplinkAddress};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// The network that the machines share.
const LAN: &str = "lan";
/// The network outside a router.
const WAN: &str = "wan";

/// One network with this computer as the way outside; behind a router, two: the router alone has a way
/// outside, and this computer is not in the machines' network at all.
pub(super) fn topology(cluster: &Cluster) -> Result<Topology, CliError> {
    let (networks, machines) = match (&cluster.router, cluster.router_machine()) {
        (Some(router), Some(gate)) => behind_router(cluster, router, gate)?,
        _ => one_network(cluster)?,
    };
    Ok(Topology {
        name: cluster.name.clone(),
        networks,
        machines,
    })
}

fn one_network(cluster: &Cluster) -> Result<(Vec<Net>, Vec<LabMachine>), CliError> {
    let Some(IpNet::V4(range)) = cluster.network.lan else {
        return Err(
            CliError::usage("a lab needs one IPv4 network for all its machines")
                .hint("set network.lan, such as 10.77.0.0/24"),
        );
    };
    let taken: Vec<IpAddr> = cluster.machines.iter().map(|m| m.address).collect();
    let gateway = own_address(range, &taken)?;
    let machines = cluster.machines.iter().map(|machine| {
        let address = fixed(machine, range, gateway, Vec::new())?;
        Ok(lab_machine(
            machine,
            vec![link(LAN, None, machine, address)],
        ))
    });
    let machines = machines.collect::<Result<_, CliError>>()?;
    Ok((vec![outside(LAN, range, gateway)], machines))
}

fn behind_router(
    cluster: &Cluster,
    router: &Router,
    gate: &Machine,
) -> Result<(Vec<Net>, Vec<LabMachine>), CliError> {
    let (own, gateway, dns) = uplink(router, gate)?;
    let lan = Net {
        name: LAN.into(),
        range: router.lan(),
        gateway: None,
        nat: false,
    };
    let machines = cluster.machines.iter().map(|machine| {
        if machine.is(Role::Router) {
            return Ok(lab_machine(machine, sides(router, own, gateway, &dns)));
        }
        let address = match &machine.mac {
            Some(_) => AddressMode::Reserved(ipv4(machine)?),
            // Nobody would give it its address: somebody has written it on its disk.
            None => {
                let router = router.address.addr();
                fixed(machine, lan.range, router, vec![router])?
            }
        };
        Ok(lab_machine(
            machine,
            vec![link(LAN, None, machine, address)],
        ))
    });
    let machines = machines.collect::<Result<_, CliError>>()?;
    Ok((vec![outside(WAN, own.trunc(), gateway), lan], machines))
}

/// The router's address outside, the next router, which is this computer, and the name servers.
fn uplink(router: &Router, gate: &Machine) -> Result<(Ipv4Net, Ipv4Addr, Vec<Ipv4Addr>), CliError> {
    let v4 = |address: &IpAddr| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    };
    if let UplinkAddress::Static {
        address,
        gateway,
        dns,
    } = &router.uplink.address
    {
        let next = match gateway {
            Some(gateway) => *gateway,
            None => own_address(address.trunc(), &[address.addr().into()])?,
        };
        return Ok((*address, next, dns.iter().filter_map(v4).collect()));
    }
    let outside = gate.management.as_deref().and_then(|a| a.parse().ok());
    let Some(outside) = outside else {
        return Err(CliError::usage(format!(
            "a lab needs an IPv4 address at which {} is reached from outside",
            gate.name
        ))
        .hint(format!(
            "give {} an `address` outside the LAN {}",
            gate.name,
            router.lan()
        )));
    };
    let own = Ipv4Net::new_assert(outside, 24);
    let gateway = own_address(own.trunc(), &[outside.into()])?;
    Ok((own, gateway, Vec::new()))
}

/// The router's two interfaces: one as somebody has set it up, one still bare.
fn sides(router: &Router, own: Ipv4Net, gateway: Ipv4Addr, dns: &[Ipv4Addr]) -> Vec<Link> {
    let named = |name: &Option<String>, usual: &str| {
        let name = name.clone().unwrap_or_else(|| usual.to_owned());
        Some(name)
    };
    vec![
        Link {
            net: WAN.into(),
            interface: named(&router.uplink.interface, "wan0"),
            mac: None,
            address: AddressMode::Static {
                address: own,
                gateway: Some(gateway),
                dns: dns.to_vec(),
            },
        },
        Link {
            net: LAN.into(),
            interface: named(&router.interface, "lan0"),
            mac: None,
            address: AddressMode::None,
        },
    ]
}

/// A network by which this computer reaches machines, and they the outside.
fn outside(name: &str, range: Ipv4Net, gateway: Ipv4Addr) -> Net {
    Net {
        name: name.into(),
        range,
        gateway: Some(gateway),
        nat: true,
    }
}

fn lab_machine(machine: &Machine, links: Vec<Link>) -> LabMachine {
    LabMachine {
        name: machine.name.clone(),
        boot: Boot::On,
        links,
    }
}

fn link(net: &str, interface: Option<String>, machine: &Machine, address: AddressMode) -> Link {
    Link {
        net: net.into(),
        interface,
        mac: machine.mac.clone(),
        address,
    }
}

fn fixed(
    machine: &Machine,
    range: Ipv4Net,
    gateway: Ipv4Addr,
    dns: Vec<Ipv4Addr>,
) -> Result<AddressMode, CliError> {
    Ok(AddressMode::Static {
        address: Ipv4Net::new(ipv4(machine)?, range.prefix_len())
            .explain(format!("the address of {}", machine.name))?,
        gateway: Some(gateway),
        dns,
    })
}

/// The first address of a range that nobody has.
fn own_address(range: Ipv4Net, taken: &[IpAddr]) -> Result<Ipv4Addr, CliError> {
    let free = range.hosts().find(|a| !taken.contains(&IpAddr::V4(*a)));
    free.ok_or_else(|| CliError::usage(format!("{range} has no address left for this computer")))
}

fn ipv4(machine: &Machine) -> Result<Ipv4Addr, CliError> {
    match machine.address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err(CliError::usage(format!(
            "{} has an IPv6 address; lab machines have IPv4 ones",
            machine.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn lab(spec: &str) -> Result<Topology, CliError> {
        let text = format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: home }}\nspec:\n{spec}"
        );
        topology(&bramble_spec::load("test", &text).unwrap())
    }

    fn addresses(topology: &Topology) -> Vec<String> {
        let machines = topology.machines.iter();
        let links = machines.flat_map(|m| {
            let name = &m.name;
            let links = m.links.iter().enumerate();
            links.map(move |(at, link)| (name, link.interface_name(at), link))
        });
        links
            .map(|(name, interface, link)| {
                let how = match &link.address {
                    AddressMode::Static {
                        address, gateway, ..
                    } => format!("{address} by {}", gateway.unwrap()),
                    AddressMode::Reserved(address) => format!("asks for {address}"),
                    other => format!("{other:?}"),
                };
                format!("{name} {interface} in {}: {how}", link.net)
            })
            .collect()
    }

    #[test]
    fn without_a_router_this_computer_is_in_the_machines_network() {
        let lab = lab(
            "  machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.1 }\n    \
             - { name: two, address: 10.77.0.3, mac: \"02:00:00:00:00:02\" }\n",
        )
        .unwrap();
        assert_eq!(lab.networks.len(), 1);
        assert_eq!(lab.networks[0].gateway, Some([10, 77, 0, 2].into()));
        assert!(lab.networks[0].nat);
        assert_eq!(
            addresses(&lab),
            [
                "one host0 in lan: 10.77.0.1/24 by 10.77.0.2",
                "two host0 in lan: 10.77.0.3/24 by 10.77.0.2"
            ]
        );
    }

    #[test]
    fn only_the_router_reaches_the_outside() {
        let machines = "  machines:\n    - { name: gate, roles: [router], address: 10.76.0.2 }\n    \
             - { name: one, roles: [control-plane], mac: \"02:00:00:00:00:01\" }\n    \
             - { name: two, address: 10.77.0.12 }\n";
        let lab = lab(&format!("  network: {{ lan: 10.77.0.0/24 }}\n{machines}")).unwrap();
        lab.validate().unwrap();
        let [wan, lan] = lab.networks.as_slice() else {
            panic!("{:?}", lab.networks)
        };
        assert_eq!(wan.range.to_string(), "10.76.0.0/24");
        assert_eq!(wan.gateway, Some([10, 76, 0, 1].into()));
        assert!(wan.nat && !lan.nat && lan.gateway.is_none());
        assert_eq!(
            addresses(&lab),
            [
                "gate wan0 in wan: 10.76.0.2/24 by 10.76.0.1",
                "gate lan0 in lan: None",
                "one host0 in lan: asks for 10.77.0.101",
                "two host0 in lan: 10.77.0.12/24 by 10.77.0.1"
            ]
        );
    }

    #[test]
    fn a_fixed_uplink_is_as_the_file_says() {
        let lab = lab("  network: { lan: 10.77.0.0/24 }\n  router:\n    \
             uplink: { interface: up0, address: 10.76.1.5/16, gateway: 10.76.9.9, dns: [10.76.9.8] }\n    \
             lan: { interface: down0 }\n  machines:\n    \
             - { name: gate, roles: [router, control-plane], address: 10.76.1.5 }\n")
        .unwrap();
        assert_eq!(lab.networks[0].range.to_string(), "10.76.0.0/16");
        assert_eq!(lab.networks[0].gateway, Some([10, 76, 9, 9].into()));
        assert_eq!(
            addresses(&lab),
            [
                "gate up0 in wan: 10.76.1.5/16 by 10.76.9.9",
                "gate down0 in lan: None"
            ]
        );
        let AddressMode::Static { dns, .. } = &lab.machines[0].links[0].address else {
            panic!("{lab:?}")
        };
        assert_eq!(dns, &[Ipv4Addr::new(10, 76, 9, 8)]);
    }

    #[test]
    fn a_router_that_is_reached_in_the_lan_is_no_lab() {
        let why = lab("  network: { lan: 10.77.0.0/24 }\n  machines:\n    \
             - { name: gate, roles: [router, control-plane], address: 10.77.0.1 }\n")
        .unwrap_err();
        assert!(
            why.message.contains("gate is reached from outside"),
            "{}",
            why.message
        );
    }
}
