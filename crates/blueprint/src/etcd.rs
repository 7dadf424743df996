//! Shell around a control plane's member of etcd.

use bramble_machine::Script;
use bramble_machine::shell::word;
use bramble_spec::cluster::Machine;

/// Functions: `etcd CTL-ARGUMENTS` runs etcdctl in the member's own container.
const FUNCTIONS: &str = include_str!("etcd.sh");

/// Takes the member of a machine's earlier life out of the cluster; it is dead, or its machine would not
/// join. `kubeadm join` adds the new one.
pub(crate) fn forget(machine: &Machine) -> String {
    removal(machine, "dead=1")
}

/// Makes room for a machine's member that learns before it votes; prints what [`join`] needs to know.
pub(crate) fn learner(machine: &Machine) -> String {
    format!(
        "{FUNCTIONS}\netcd_learner {} {}",
        word(&machine.name),
        word(machine.address.to_string())
    )
}

/// What runs around `kubeadm join` on a machine whose member learns first. kubeadm before 1.29 adds it as one
/// that votes at once: a single member waits for the second then, without a leader, and API servers of some
/// releases never show their first clients what comes after that (kubernetes/kubernetes issue 97294).
///
/// `learner` is the shell variable with what [`learner`] printed, `voter` the address of another member,
/// `/run/bramble/init.yaml` the configuration. Between the two parts kubeadm runs.
pub(crate) fn join(learner: &str, voter: &str) -> (String, String) {
    let before = format!(
        "{FUNCTIONS}\nlearner=\"${learner}\" voter={}\n{}",
        word(voter),
        include_str!("etcd_join.sh")
    );
    let after = "wait \"$promotion\" || { c=$?; cat /run/bramble/promotion; exit $c; }\nrm -f /run/bramble/promotion";
    (before, after.to_owned())
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
