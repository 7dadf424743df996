//! A machine's disk: an overlay's upper directory with what makes this machine itself, and a real
//! directory for `/var/lib`.
//!
//! containerd and others lay overlays below `/var/lib`, which can't be done on an overlay. Binding
//! all of `/var/lib` rather than their directories leaves those ordinary: they can be removed.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use crate::command::Run;
use crate::error::{At, Result};
use crate::network::host_nameservers;
use crate::state::MachinePlaces;
use crate::topology::{AddressMode, LabMachine, Topology, digest};

/// Makes the disk of a new machine; `authorized` are the keys that may log in as root.
pub(crate) fn create(
    places: &MachinePlaces,
    image: &Path,
    topology: &Topology,
    machine: &LabMachine,
    authorized: &str,
) -> Result<()> {
    let upper = places.upper();
    for (dir, mode) in [
        ("", 0o755),
        ("etc", 0o755),
        ("etc/ssh", 0o755),
        ("etc/systemd", 0o755),
        ("etc/systemd/network", 0o755),
        ("etc/systemd/system", 0o755),
        ("etc/systemd/system/multi-user.target.wants", 0o755),
        ("root", 0o700),
        ("root/.ssh", 0o700),
        ("var", 0o755),
        ("var/lib", 0o755),
    ] {
        let path = upper.join(dir);
        std::fs::create_dir_all(&path).at("make", &path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
            .at("set the mode of", &path)?;
    }
    // Not through write_file: half a disk is never used, and 16 machines' syncs would take seconds.
    let put = |path: &str, text: &str, mode: u32| {
        let path = upper.join(path);
        std::fs::write(&path, text).at("write", &path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
            .at("set the mode of", &path)
    };
    let name = &machine.name;
    put("etc/hostname", &format!("{name}\n"), 0o644)?;
    put("etc/hosts", &hosts(machine), 0o644)?;
    let seed = format!("{:?}", std::time::SystemTime::now());
    let id = digest(&["machine-id", &topology.name, name, &seed], 32);
    put("etc/machine-id", &format!("{id}\n"), 0o444)?;
    put("etc/resolv.conf", &resolv(topology, machine), 0o644)?;
    put("root/.ssh/authorized_keys", authorized, 0o600)?;
    for (position, link) in machine.links.iter().enumerate() {
        let interface = link.interface_name(position);
        if let Some(text) = network_file(&interface, &link.address) {
            put(
                &format!("etc/systemd/network/10-{interface}.network"),
                &text,
                0o644,
            )?;
        }
    }
    if machine.links.iter().any(|l| asks(&l.address)) {
        let wants = upper.join("etc/systemd/system/multi-user.target.wants");
        for unit in ["bramble-lab-resolv.path", "bramble-lab-dhcp.service"] {
            let link = wants.join(unit);
            symlink(format!("/usr/lib/systemd/system/{unit}"), &link).at("make", &link)?;
        }
    }
    crate::ssh::host_key(&upper.join("etc/ssh/ssh_host_ed25519_key"), name)?;
    // `cp` keeps owners, times and attributes, and shares blocks where the file system can.
    let (from, to) = (image.join("var/lib"), places.var_lib());
    Run::new(
        "copy /var/lib of the root image",
        "cp",
        [
            "-a".as_ref(),
            "--reflink=auto".as_ref(),
            from.as_os_str(),
            to.as_os_str(),
        ],
    )
    .limit(Duration::from_secs(120))
    .output()?;
    Ok(())
}

/// Whether an interface gets its address from a DHCP server.
fn asks(address: &AddressMode) -> bool {
    matches!(address, AddressMode::Dhcp | AddressMode::Reserved(_))
}

fn hosts(machine: &LabMachine) -> String {
    // Debian's 127.0.1.1 where no address is known; with one, kubeadm and etcd take it from here.
    let own = machine
        .static_addresses()
        .first()
        .map_or_else(|| "127.0.1.1".to_owned(), ToString::to_string);
    format!(
        "127.0.0.1\tlocalhost\n{own}\t{}\n\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
        machine.name
    )
}

fn resolv(topology: &Topology, machine: &LabMachine) -> String {
    let mut servers = Vec::new();
    for link in &machine.links {
        let AddressMode::Static { dns, .. } = &link.address else {
            continue;
        };
        let nat = topology
            .networks
            .iter()
            .any(|n| n.name == link.net && n.nat);
        if !dns.is_empty() {
            servers.extend(dns.iter().copied());
        } else if nat {
            servers.extend(host_nameservers());
        }
    }
    let mut text = String::new();
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    text
}

/// networkd's file for an interface; `None` where it is left alone.
fn network_file(interface: &str, address: &AddressMode) -> Option<String> {
    let mut text = format!("[Match]\nName={interface}\n\n[Network]\n");
    if let AddressMode::Reserved(address) = address {
        text.insert_str(0, &format!("# Reserved: {address}\n"));
    }
    match address {
        AddressMode::None => return None,
        AddressMode::Dhcp | AddressMode::Reserved(_) => {
            // By hardware address, as the reservations of a DHCP server name it.
            text.push_str("DHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\n");
        }
        AddressMode::Static {
            address,
            gateway,
            dns,
        } => {
            let _ = writeln!(text, "Address={address}");
            if let Some(gateway) = gateway {
                let _ = writeln!(text, "Gateway={gateway}");
            }
            for server in dns {
                let _ = writeln!(text, "DNS={server}");
            }
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_configured_as_told() {
        assert_eq!(network_file("host0", &AddressMode::None), None);
        let text = network_file(
            "wan0",
            &AddressMode::Static {
                address: "10.1.0.2/24".parse().unwrap(),
                gateway: Some("10.1.0.1".parse().unwrap()),
                dns: vec!["10.1.0.53".parse().unwrap()],
            },
        )
        .unwrap();
        assert_eq!(
            text,
            "[Match]\nName=wan0\n\n[Network]\nAddress=10.1.0.2/24\nGateway=10.1.0.1\nDNS=10.1.0.53\n"
        );
        let reserved = AddressMode::Reserved("10.1.0.3".parse().unwrap());
        assert_eq!(
            network_file("host0", &reserved).unwrap(),
            "# Reserved: 10.1.0.3\n[Match]\nName=host0\n\n[Network]\nDHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\n"
        );
    }
}
