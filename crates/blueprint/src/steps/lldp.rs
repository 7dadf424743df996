//! The link-layer neighbor daemon, on machines that are no containers (U062).

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{File, Packages, Service};

const CONF: &str = "/etc/lldpd.d/bramble.conf";

pub(super) fn step(on: &On) -> Option<Step> {
    // A container has its host's wires.
    if !on.cluster().network.lldp || on.facts.container {
        return None;
    }
    let packages = Packages::new("neighbors", ["lldpd"])
        .leaving(["/etc/lldpd.d", "/var/lib/lldpd", "/run/lldpd"])
        .quietly();
    let service = Service::on("lldpd.service").watching([format!("file:{CONF}")]);
    Some(on.step(
        "base/neighbors",
        vec![r(packages), r(File::text(CONF, conf(on))), r(service)],
    ))
}

/// What switches and neighbors are told, by the network cards alone: the far ends of pods' interfaces are
/// no neighbors.
fn conf(on: &On) -> String {
    let roles: Vec<&str> = on.machine.roles.iter().map(|r| r.as_str()).collect();
    format!(
        "# Made by Bramble.\n\
         configure system hostname {}\n\
         configure system description \"{} of the cluster {}\"\n\
         configure system interface pattern \"*,!veth*,!cni*,!cali*,!lxc*,!docker*,!br-*,!virbr*,!tun*,!tap*,!wg*\"\n\
         configure lldp portidsubtype ifname\n",
        on.machine.name,
        roles.join(", "),
        on.cluster().name
    )
}
