//! Whether this computer can carry a lab, and if not, what is missing.

use std::path::Path;

use serde::Serialize;

use crate::command::have;

/// One thing that this computer lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Programs that a lab runs, and the Debian package of each.
const PROGRAMS: [(&str, &str); 12] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
    ("mount", "mount"),
    ("cp", "coreutils"),
    ("chroot", "coreutils"),
];

/// Everything that keeps this computer from carrying a lab; empty where all is well.
pub fn preflight() -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut lacks = |what: &str, remedy: &str| {
        missing.push(Missing {
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        });
    };
    if !cfg!(target_os = "linux") {
        lacks("not Linux", "use a Linux computer or virtual machine");
        return missing;
    }
    if !rustix::process::geteuid().is_root() {
        lacks("not root", "run it as root, for example with sudo");
    }
    for (program, package) in PROGRAMS {
        if !have(program) {
            lacks(
                &format!("no {program}"),
                &format!("apt-get install {package}"),
            );
        }
    }
    // Modules may be loaded on demand, so absence is only certain where nothing can be loaded.
    let can_load = Path::new("/lib/modules")
        .join(kernel_release())
        .join("modules.dep")
        .is_file();
    let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !filesystems.lines().any(|l| l.ends_with("\toverlay")) && !can_load {
        lacks(
            "the kernel has no overlayfs",
            "use a kernel with CONFIG_OVERLAY_FS, or install its modules",
        );
    }
    if !Path::new("/proc/sys/net/bridge").is_dir()
        && !Path::new("/sys/module/bridge").is_dir()
        && !can_load
    {
        lacks(
            "the kernel has no Ethernet bridge",
            "use a kernel with CONFIG_BRIDGE, or install its modules",
        );
    }
    for (kind, option) in [("net", "CONFIG_NET_NS"), ("cgroup", "CONFIG_CGROUPS")] {
        if !Path::new("/proc/self/ns").join(kind).exists() {
            lacks(
                &format!("the kernel has no {kind} namespaces"),
                &format!("use a kernel with {option}"),
            );
        }
    }
    if crate::cgroup::Layout::detect().is_none() {
        lacks(
            "no cgroup hierarchy is mounted",
            "mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        );
    }
    missing
}

fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}
