//! What a machine is, read with every look at it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Properties of a machine that decide what it should be.
///
/// [`Facts::default`] is the guess that the first look is made with: if it turns out wrong in a way
/// that asks for more, a second look follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `ID` of os-release, such as `debian`.
    pub os: String,
    /// `VERSION_CODENAME` of os-release, such as `bookworm`.
    pub codename: String,
    /// Debian's name of the processor architecture: `amd64`, `arm64`.
    pub arch: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Whether control groups are version 2.
    pub cgroup2: bool,
    /// Whether cgroups of version 1 or 2 include memory.
    pub cgroup_memory: bool,
    /// Whether the machine is a container.
    pub container: bool,
    /// Whether modules can be loaded (a modules folder for the running kernel exists).
    pub modules: bool,
    /// Whether root may lower the OOM score (CAP_SYS_RESOURCE).
    pub oom_adjustable: bool,
    /// Whether root may set the clock (CAP_SYS_TIME, and no container that shares its kernel's).
    pub clock_settable: bool,
    /// Whether the connection tracker's limits can be written.
    pub conntrack_writable: bool,
    /// Whether the kernel has large pages and their number can be written.
    pub huge_pages: bool,
    /// Memory in MiB.
    pub memory: u64,
    /// Processors.
    pub cpus: u32,
    /// Whether swap is in use.
    pub swap: bool,
    /// Name of the running kernel's host name.
    pub hostname: String,
    /// Whether a battery-backed clock exists.
    pub rtc: bool,
    /// Seconds since 1970 on the machine.
    pub clock: u64,
    /// Whether bridged packets can be shown to iptables (`br_netfilter` is there or can be loaded).
    pub bridge_filter: bool,
    /// Whether Bramble's record is on the machine.
    pub home: bool,
    /// Whether it is a control plane that was made to the end.
    pub control_plane: bool,
    /// Whether it is about to take back a change that nobody has confirmed: a run was cut off.
    pub armed: bool,
    /// Whether the kernel's configuration can be read (kubeadm's system check wants it).
    pub kernel_config: bool,
    /// Names of its network cards, without wireless ones.
    pub ethernet: Vec<String>,
    /// Names of its wireless network cards.
    pub wireless: Vec<String>,
    /// Interface of the IPv4 default route.
    pub default_interface: Option<String>,
    /// Who configures its interfaces.
    pub networking: Networking,
    /// Whether the kernel knows WireGuard, or can load it.
    pub wireguard: bool,
    /// What the machine publishes for others: certificates, by name (see `kinds::minted::PUBLIC`).
    pub public: BTreeMap<String, String>,
}

/// Who configures a machine's interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Networking {
    /// systemd-networkd.
    Networkd,
    /// NetworkManager.
    NetworkManager,
    /// Debian's `ifup` and `/etc/network/interfaces`.
    Ifupdown,
    /// dhcpcd, running as a service for all interfaces.
    Dhcpcd,
    /// Nobody that is known.
    None,
}

impl Networking {
    /// As [`Facts::program`] and the record write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Networking::Networkd => "networkd",
            Networking::NetworkManager => "network-manager",
            Networking::Ifupdown => "ifupdown",
            Networking::Dhcpcd => "dhcpcd",
            Networking::None => "none",
        }
    }

    fn parse(text: &str) -> Self {
        [
            Networking::Networkd,
            Networking::NetworkManager,
            Networking::Ifupdown,
            Networking::Dhcpcd,
        ]
        .into_iter()
        .find(|n| n.as_str() == text)
        .unwrap_or(Networking::None)
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            os: "debian".into(),
            codename: "bookworm".into(),
            arch: "amd64".into(),
            kernel: String::new(),
            cgroup2: true,
            cgroup_memory: true,
            container: false,
            modules: true,
            oom_adjustable: true,
            clock_settable: true,
            conntrack_writable: true,
            huge_pages: true,
            memory: 0,
            cpus: 0,
            swap: false,
            hostname: String::new(),
            rtc: true,
            clock: 0,
            bridge_filter: true,
            home: false,
            control_plane: false,
            armed: false,
            kernel_config: true,
            ethernet: vec!["eth0".into(), "eth1".into()],
            wireless: vec!["wlan0".into()],
            default_interface: Some("eth0".into()),
            networking: Networking::Networkd,
            wireguard: true,
            public: BTreeMap::new(),
        }
    }
}

impl Facts {
    /// A machine that may do little and lacks much: with the usual facts, what a blueprint asks of such a
    /// one is nearly all that it can ask of any.
    pub fn unusual() -> Self {
        Self {
            cgroup2: false,
            cgroup_memory: false,
            container: true,
            modules: false,
            oom_adjustable: false,
            clock_settable: false,
            conntrack_writable: false,
            huge_pages: false,
            swap: true,
            rtc: false,
            bridge_filter: false,
            kernel_config: false,
            wireguard: false,
            ..Self::default()
        }
    }
}

/// 2026-01-01: a clock before that is one that was never set. Seconds since 1970.
pub const SANE_CLOCK: u64 = 1_767_225_600;

/// Bit of CAP_SYS_RESOURCE (linux/capability.h).
const CAP_SYS_RESOURCE: u32 = 24;
/// Bit of CAP_SYS_TIME.
const CAP_SYS_TIME: u32 = 25;

impl Facts {
    /// The shell that prints `key=value` lines; reads by the shell's own means as far as it goes.
    pub fn program() -> &'static str {
        include_str!("facts.sh")
    }

    /// Reads the lines that [`Facts::program`] prints; what is missing keeps its default.
    pub fn parse(text: &str) -> Self {
        let map: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once('=')).collect();
        let get = |key: &str| map.get(key).copied().unwrap_or_default();
        let yes = |key: &str| get(key) == "1";
        let names = |key: &str| get(key).split_whitespace().map(str::to_owned).collect();
        let caps = u64::from_str_radix(get("caps"), 16).unwrap_or(u64::MAX);
        let cap = |bit: u32| caps & (1 << bit) != 0;
        let container = yes("container");
        Self {
            os: get("os").to_owned(),
            codename: get("codename").to_owned(),
            arch: match get("machine") {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            }
            .to_owned(),
            kernel: get("kernel").to_owned(),
            cgroup2: yes("cgroup2"),
            cgroup_memory: yes("cgroup_memory"),
            container,
            modules: yes("modules"),
            oom_adjustable: cap(CAP_SYS_RESOURCE),
            clock_settable: cap(CAP_SYS_TIME) && !container,
            conntrack_writable: yes("conntrack"),
            huge_pages: yes("huge_pages"),
            memory: get("memory").parse::<u64>().unwrap_or(0) / 1024,
            cpus: get("cpus").parse().unwrap_or(0),
            swap: yes("swap"),
            hostname: get("hostname").to_owned(),
            rtc: yes("rtc"),
            clock: get("clock").parse().unwrap_or(0),
            bridge_filter: yes("bridge_filter"),
            home: yes("home"),
            control_plane: yes("control_plane"),
            armed: yes("armed"),
            kernel_config: yes("kernel_config"),
            ethernet: names("ethernet"),
            wireless: names("wireless"),
            default_interface: map.get("default_interface").map(|name| (*name).to_owned()),
            networking: Networking::parse(get("networking")),
            wireguard: yes("wireguard"),
            public: map
                .iter()
                .filter_map(|(key, value)| Some((key.strip_prefix("public.")?, value)))
                .map(|(name, value)| (name.to_owned(), value.replace('|', "\n")))
                .collect(),
        }
    }
}
