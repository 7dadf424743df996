//! How the operator reaches machines: a key pair per lab, host keys known from the start.

use std::fmt::Write as _;
use std::path::Path;

use crate::command::run;
use crate::error::{At, Result};
use crate::state::{Places, write_file};
use crate::topology::Topology;

/// Makes the lab's key pair; the public half.
pub(crate) fn lab_key(places: &Places, lab: &str) -> Result<String> {
    keygen(&places.key(), &format!("bramble-lab-{lab}"))
}

/// Makes a machine's host key.
pub(crate) fn host_key(path: &Path, machine: &str) -> Result<()> {
    keygen(path, &format!("root@{machine}")).map(|_| ())
}

fn keygen(path: &Path, comment: &str) -> Result<String> {
    if !path.exists() {
        let file = path.to_string_lossy();
        run(
            "make a key pair",
            "ssh-keygen",
            ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", &file],
        )?;
    }
    public_half(path)
}

fn public_half(path: &Path) -> Result<String> {
    let public = path.with_extension("pub");
    std::fs::read_to_string(&public).at("read", &public)
}

/// Writes `known_hosts` and `ssh_config` for the machines whose disks are made.
///
/// A machine is known by its name and by the addresses that it has or is to be given.
pub(crate) fn write_client_files(places: &Places, topology: &Topology) -> Result<()> {
    let mut known = String::new();
    let mut config = String::new();
    for machine in &topology.machines {
        let key = places
            .machine(&machine.name)
            .upper()
            .join("etc/ssh/ssh_host_ed25519_key");
        let public = public_half(&key)?;
        let mut names = vec![machine.name.clone()];
        names.extend(machine.known_addresses().iter().map(ToString::to_string));
        let words: Vec<&str> = public.split_whitespace().take(2).collect();
        let _ = writeln!(known, "{} {}", names.join(","), words.join(" "));
        let _ = writeln!(config, "Host {}", machine.name);
        if let Some(address) = reachable(topology, machine) {
            let _ = writeln!(config, "    HostName {address}");
        }
        let _ = writeln!(config, "    HostKeyAlias {}", machine.name);
    }
    let _ = write!(
        config,
        "Host *\n    User root\n    IdentityFile {}\n    IdentitiesOnly yes\n    UserKnownHostsFile {}\n    \
         GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n    ConnectTimeout 10\n    LogLevel ERROR\n",
        places.key().display(),
        places.known_hosts().display()
    );
    write_file(&places.known_hosts(), &known, 0o644)?;
    write_file(&places.ssh_config(), &config, 0o644)
}

/// The first address on the machine's disk that this computer reaches directly.
pub(crate) fn reachable(
    topology: &Topology,
    machine: &crate::LabMachine,
) -> Option<std::net::Ipv4Addr> {
    machine.static_addresses().into_iter().find(|address| {
        topology
            .networks
            .iter()
            .any(|n| n.gateway.is_some() && n.range.contains(address))
    })
}
