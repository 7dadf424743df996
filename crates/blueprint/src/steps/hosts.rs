//! The names of the machines in `/etc/hosts`.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::Block;
use bramble_spec::cluster::{HostNames, Machine, Role};

pub(super) fn step(on: &On) -> Option<Step> {
    let cluster = on.cluster();
    let all = cluster.network.hosts == HostNames::All
        || !on.is(Role::Worker)
        || on.is(Role::ControlPlane);
    let named = cluster.machines.iter().filter(|m| {
        all || m.name == on.machine.name || m.is(Role::ControlPlane) || m.is(Role::Router)
    });
    let text: String = named.map(|m| line(m, &cluster.network.domain)).collect();
    Some(on.step(
        "base/hosts",
        vec![r(Block::new("/etc/hosts", "hosts", text))],
    ))
}

fn line(machine: &Machine, domain: &str) -> String {
    format!(
        "{}\t{name}.{domain} {name}\n",
        machine.address,
        name = machine.name
    )
}
