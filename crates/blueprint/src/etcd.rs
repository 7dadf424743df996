//! Shell around a control plane's member of etcd.

use bramble_machine::Script;
use bramble_machine::shell::word;
use bramble_spec::cluster::Machine;

/// Functions: `etcd CTL-ARGUMENTS` runs etcdctl in the member's own container.
pub(crate) const FUNCTIONS: &str = include_str!("etcd.sh");

/// Takes the member of a machine's earlier life out of the cluster; it is dead, or its machine would not
/// join. `kubeadm join` adds the new one.
pub(crate) fn forget(machine: &Machine) -> String {
    removal(machine, "dead=1")
}

/// The program that takes a control plane's member out of etcd, run on another one. Refuses where those that
/// remain would have no quorum.
pub fn remove_member(machine: &Machine) -> Script {
    Script::of(removal(machine, "dead=''"))
}

fn removal(machine: &Machine, how: &str) -> String {
    format!(
        "{FUNCTIONS}\n{how}\netcd_remove {} {}",
        word(&machine.name),
        word(machine.address.to_string())
    )
}

/// Writes a snapshot of the cluster's data to a file on the machine, unless it is there.
pub(crate) fn snapshot(file: &str) -> String {
    format!("{FUNCTIONS}\netcd_snapshot {file}")
}
