//! Whether a cluster's machines don't answer because they are a lab that isn't up.

use super::topology;
use crate::context::Context;
use crate::error::{CliError, Kind};
use bramble_lab::Lab;
use bramble_spec::Cluster;
use bramble_spec::cluster::Machine;
use std::net::{IpAddr, UdpSocket};

/// An error where the cluster's lab is there and all of its machines are off: nobody has to wait for what can't answer.
///
/// # Errors
/// Unreachable, with how the machines are switched on.
pub fn check_on(context: &Context) -> Result<(), CliError> {
    let cluster = &context.cluster;
    let ours = |machine: &Machine| context.lab.as_ref().is_some_and(|lab| lab.has(machine));
    let off = || Lab::open(&cluster.name).is_ok_and(|lab| lab.is_off());
    refused(cluster, ours, off).map_or(Ok(()), Err)
}

/// `ours`: whether a machine is the lab's; another cluster of the lab's name may be elsewhere.
fn refused(
    cluster: &Cluster,
    ours: impl Fn(&Machine) -> bool,
    off: impl Fn() -> bool,
) -> Option<CliError> {
    (cluster.machines.iter().all(ours) && off()).then(|| {
        let what = format!("the lab {} is not up: its machines are off", cluster.name);
        CliError::new(Kind::Unreachable, what).hint(remedy())
    })
}

/// What to say of a cluster of whose machines so many don't answer, where they may be a lab that is gone: that is all of
/// them, there is no lab of its name, and this computer is not in their network, as it would be in that of a lab without a
/// router.
pub fn perhaps_gone(cluster: &Cluster, unreachable: usize) -> Option<String> {
    let all = unreachable >= cluster.machines.len();
    let could_be = all && cluster.router.is_none() && topology::topology(cluster).is_ok();
    if !could_be || Lab::open(&cluster.name).is_ok() || is_among(cluster) {
        return None;
    }
    let name = &cluster.name;
    Some(format!(
        "this computer is not in their network; if {name} is a lab of this computer, the lab {name} is not up: {}",
        remedy()
    ))
}

/// Whether this computer would send to a machine from the machines' own network.
fn is_among(cluster: &Cluster) -> bool {
    let Some(lan) = cluster.network.lan else {
        return true;
    };
    let mut machines = cluster.machines.iter();
    machines.any(|machine| source(machine.address).is_some_and(|own| lan.contains(&own)))
}

/// What this computer would send from; nothing is sent.
fn source(to: IpAddr) -> Option<IpAddr> {
    let any = match to {
        IpAddr::V4(_) => "0.0.0.0:0",
        IpAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect((to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn remedy() -> &'static str {
    match rustix::process::geteuid().is_root() {
        true => "bramble up --lab",
        false => "sudo bramble up --lab",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  machines:\n    \
                        - { name: one, roles: [control-plane], address: 10.77.0.11 }\n    \
                        - { name: two, roles: [worker], address: 10.77.0.12 }\n";

    #[test]
    fn a_lab_that_is_off_is_named_with_how_it_is_switched_on() {
        let cluster = bramble_spec::load("test", FILE).expect("a cluster");
        let error = refused(&cluster, |_| true, || true).expect("it is off");
        assert_eq!(error.kind, Kind::Unreachable);
        assert!(error.message.contains("the lab home is not up"));
        assert!(error.hints[0].contains("bramble up --lab"));
        assert!(refused(&cluster, |_| true, || false).is_none());
        // One of them is a real machine.
        assert!(refused(&cluster, |m| m.name == "one", || true).is_none());
    }

    #[test]
    fn where_one_machine_answers_it_is_no_lab_that_is_missing() {
        let text = FILE.replace("spec:\n", "spec:\n  network: { lan: 198.18.77.0/24 }\n");
        let text = text.replace("10.77.0.", "198.18.77.");
        let cluster = bramble_spec::load("test", &text).expect("a cluster");
        assert!(perhaps_gone(&cluster, 2).is_some());
        assert_eq!(perhaps_gone(&cluster, 1), None);
    }

    /// What is silent in this computer's own network is no lab that is missing.
    #[test]
    fn a_cluster_in_this_computer_s_network_is_taken_for_no_lab() {
        let mut cluster = bramble_spec::load("test", FILE).expect("a cluster");
        cluster.network.lan = "127.0.0.0/8".parse().ok();
        for (machine, address) in cluster.machines.iter_mut().zip(["127.0.0.5", "127.0.0.6"]) {
            machine.address = address.parse().expect("an address");
        }
        assert!(topology::topology(&cluster).is_ok());
        assert_eq!(perhaps_gone(&cluster, 2), None);
    }
}
