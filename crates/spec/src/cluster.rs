//! The validated cluster: every default filled in, every reference resolved.
//!
//! This is what the rest of Bramble works with. It can only be made by [`crate::load`], so a value
//! of these types has passed every check.

use ipnet::{IpNet, Ipv4Net};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

mod care;
mod disk;
mod etcd;
mod outside;
mod router;

pub use care::*;
pub use disk::*;
pub use etcd::*;
pub use outside::with_port;
pub use router::*;

/// A whole cluster as its file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// `metadata.name`, a DNS label.
    pub name: String,
    /// Machines in the order of the file.
    pub machines: Vec<Machine>,
    /// Addresses and names.
    pub network: Network,
    /// The router, if a machine has the role.
    pub router: Option<Router>,
    /// Versions and ranges of Kubernetes.
    pub kubernetes: Kubernetes,
    /// The store of the cluster.
    pub etcd: Etcd,
    /// Where containerd comes from.
    pub runtime: Runtime,
    /// How pods reach each other.
    pub pod_network: PodNetwork,
    /// Zone and time servers.
    pub time: Time,
    /// Proxy for packages, runtime and tools.
    pub proxy: Option<Proxy>,
    /// Nearer copies of package archives and registries.
    pub mirrors: Mirrors,
    /// Users on every machine.
    pub users: Vec<User>,
    /// The operator's own programs at given points.
    pub hooks: Vec<Hook>,
    /// Objects to put in the cluster once it runs.
    pub addons: Vec<Addon>,
}

/// One machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Host name and node name, a DNS label.
    pub name: String,
    /// What it does; never empty, no duplicates.
    pub roles: Vec<Role>,
    /// The address that the cluster uses.
    pub address: IpAddr,
    /// Where SSH reaches it when that is not `address` (U059): an address or a DNS name.
    pub management: Option<String>,
    /// Lower case, colons.
    pub mac: Option<String>,
    /// Processor; `None` = as observed.
    pub arch: Option<Arch>,
    /// How to log in.
    pub ssh: Ssh,
    /// Labels of the node object.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the node object.
    pub annotations: BTreeMap<String, String>,
    /// Taints of the node object; `None` = the default of its role.
    pub taints: Option<Vec<Taint>>,
    /// Properties that can't be observed.
    pub quirks: Vec<Quirk>,
    /// Disks that are made ready and mounted; one inside another comes after that.
    pub disks: Vec<Disk>,
    /// Range of its pods, from the file or the address plan. `None` for machines that run no pods,
    /// and, with [`PodNetwork::None`], where the plan has none to give.
    pub pod_range: Option<Ipv4Net>,
    /// Most that its journal takes; `None` = as the machine has it.
    pub journal: Option<Size>,
    /// Memory on the disk.
    pub swap: Swap,
    /// Size of large pages → how many are set aside; counts for nodes.
    pub hugepages: BTreeMap<Size, u32>,
}

impl Machine {
    /// Whether the machine has a role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
    /// Whether a kubelet runs on it.
    pub fn is_node(&self) -> bool {
        self.is(Role::ControlPlane) || self.is(Role::Worker)
    }
}

impl Cluster {
    /// Machines that have a role, in the order of the file.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(move |m| m.is(role))
    }
    /// How many control planes there are, if that is an even number. A cluster lives with it while a machine
    /// is away for good and another has not come yet; none begins with it.
    pub fn even_control_planes(&self) -> Option<usize> {
        let count = self.with_role(Role::ControlPlane).count();
        (count > 0 && count.is_multiple_of(2)).then_some(count)
    }
    /// What machines and tools must reach without the proxy (U053): this machine, every machine by
    /// name and address, the ranges and domains of the cluster, its endpoint, the first service
    /// address, and what the file adds. In a fixed order, without repetitions.
    pub fn no_proxy(&self) -> Vec<String> {
        let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
        for machine in &self.machines {
            all.push(machine.name.clone());
            all.push(machine.address.to_string());
            all.extend(machine.management.clone());
        }
        all.extend(self.network.lan.map(|lan| lan.to_string()));
        all.push(self.kubernetes.pod_range.to_string());
        all.push(self.kubernetes.service_range.to_string());
        all.push(format!(".{}", self.network.domain));
        all.push(".svc".to_owned());
        all.push(format!(".{}", self.kubernetes.dns_domain));
        match &self.kubernetes.endpoint {
            Endpoint::None => {}
            Endpoint::External { host, .. } => all.push(host.clone()),
            Endpoint::Vip { address, .. } | Endpoint::KubeVip { address, .. } => {
                all.push(address.to_string());
            }
        }
        let first = u32::from(self.kubernetes.service_range.network()) + 1;
        all.push(Ipv4Addr::from(first).to_string());
        all.extend(self.proxy.iter().flat_map(|p| p.no_proxy.iter().cloned()));
        let mut seen = HashSet::new();
        all.retain(|entry| seen.insert(entry.clone()));
        all
    }

    /// The machine with the role of the router.
    pub fn router_machine(&self) -> Option<&Machine> {
        self.with_role(Role::Router).next()
    }

    /// Address or name of the router outside, where the file gives one.
    pub fn outside(&self) -> Option<&str> {
        self.router_machine()?.management.as_deref()
    }

    /// The machine of that name.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|m| m.name == name)
    }
}

/// What a machine does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Gateway of the cluster's network.
    Router,
    /// Runs etcd, the API server, scheduler and controller manager.
    ControlPlane,
    /// Runs workloads.
    Worker,
}

impl Role {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Router => "router",
            Role::ControlPlane => "control-plane",
            Role::Worker => "worker",
        }
    }
}

/// Processor architecture, in Debian's words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Arch {
    /// Debian's and Kubernetes' name.
    pub fn as_str(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        }
    }
}

/// A property of a machine that can't be observed from inside it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Quirk {
    /// Has no battery clock: wait for the network's time before certificates are made.
    NoClock,
    /// Its clock can't be set from inside (container).
    ForeignClock,
    /// Small memory: kubeadm's memory check is not applied.
    SmallMemory,
}

/// How to log in to a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Ssh {
    /// Login name; default `root`.
    pub user: String,
    /// Default 22.
    pub port: u16,
    /// Private key files as written in the file (`~` not expanded); empty = agent, then the usual ones.
    pub keys: Vec<String>,
    /// Name of the machine through which this one is reached, or a `user@host:port` that is none.
    pub jump: Option<Jump>,
    /// `SHA256:...` of the host key, when pinned in the file.
    pub host_key: Option<String>,
}

/// A host on the way to a machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Jump {
    /// Another machine of the file.
    Machine(String),
    /// A host outside the file.
    Host {
        /// Login name.
        user: String,
        /// Address or name.
        host: String,
        /// Port.
        port: u16,
    },
}

/// A taint of a node object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taint {
    /// Key, possibly with prefix.
    pub key: String,
    /// Value, may be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// Addresses and names.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The network of the machines' addresses; `None` when they are in several and none was given.
    pub lan: Option<IpNet>,
    /// Domain of the machines, default `<cluster>.internal`.
    pub domain: String,
    /// Which names `/etc/hosts` holds.
    pub hosts: HostNames,
    /// IPv6 range of the LAN, a /64.
    pub lan6: Option<ipnet::Ipv6Net>,
    /// Prefer IPv4 when a name has both families (U057).
    pub prefer_ipv4: bool,
    /// Run a link-layer neighbor daemon on machines that are no containers (U062).
    pub lldp: bool,
}

/// Which machines each machine's `/etc/hosts` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostNames {
    /// Every machine names every machine.
    All,
    /// A machine names itself and the control planes; control planes name all. Adding a worker
    /// then touches no other worker.
    ControlPlane,
}

/// A release of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Always 1 so far.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Versions and ranges of Kubernetes.
#[derive(Debug, Clone, PartialEq)]
pub struct Kubernetes {
    /// The release to run.
    pub version: Version,
    /// Range of all pods, default `10.244.0.0/16`.
    pub pod_range: Ipv4Net,
    /// Range of service addresses, default `10.96.0.0/16`.
    pub service_range: Ipv4Net,
    /// DNS domain of services, default `cluster.local`.
    pub dns_domain: String,
    /// How the API is reached.
    pub endpoint: Endpoint,
    /// Further names and addresses in the API server's certificate.
    pub cert_sans: Vec<String>,
    /// Run ordinary pods on control planes: as the file says, else with fewer than three workers.
    pub schedule_on_control_plane: bool,
    /// `NodePort` range is kubeadm's; kubelet's maximum of pods, default 110.
    pub max_pods: u16,
    /// How nodes are raised to another release.
    pub upgrade: Upgrade,
    /// Limits of the kubelet.
    pub kubelet: Kubelet,
}

impl Kubernetes {
    /// The tenth address of the service range, where cluster DNS lives by kubeadm's convention.
    pub fn dns_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.service_range.network()) + 10)
    }
}

/// How the API is reached from machines and operators.
#[derive(Debug, Clone, PartialEq)]
pub enum Endpoint {
    /// The address of the first control plane (one control plane only).
    None,
    /// A name or address that the operator provides (load balancer).
    External {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A virtual address held by one of the control planes, by keepalived; HAProxy leads on from there.
    Vip {
        /// The address.
        address: IpAddr,
        /// Port.
        port: u16,
        /// VRRP's number of the address, unique on its network; 1 to 255.
        vrrp_id: u8,
    },
    /// The same, held by kube-vip, a pod on each control plane.
    KubeVip {
        /// The address.
        address: IpAddr,
        /// Port.
        port: u16,
    },
}

impl Endpoint {
    /// The address that control planes share.
    pub fn shared(&self) -> Option<IpAddr> {
        match self {
            Endpoint::Vip { address, .. } | Endpoint::KubeVip { address, .. } => Some(*address),
            Endpoint::None | Endpoint::External { .. } => None,
        }
    }
}

/// How nodes are raised to another release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// How many workers may be away at a time.
    pub max_unavailable: MaxUnavailable,
    /// How long the pods of one node may take to leave it.
    pub drain_limit: Duration,
}

/// How many workers may be away at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxUnavailable {
    /// So many; at least 1.
    Count(usize),
    /// So many of a hundred, 1 to 100.
    Percent(u8),
}

impl MaxUnavailable {
    /// Of this many workers: a share is rounded down, but one may always be away.
    pub fn of(self, workers: usize) -> usize {
        match self {
            MaxUnavailable::Count(count) => count.max(1),
            MaxUnavailable::Percent(percent) => (workers * usize::from(percent) / 100).max(1),
        }
    }
}

/// Where containerd comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// Debian's package.
    Debian,
    /// The release in the bundle.
    Bundle,
}

/// How pods reach each other.
#[derive(Debug, Clone, PartialEq)]
pub enum PodNetwork {
    /// A bridge on each machine, addresses by host-local, routes between machines by BIRD (OSPF).
    Routed {
        /// MTU of pod interfaces; `None` = that of the machine's interface.
        mtu: Option<u16>,
        /// Hide pods behind the machine's address when they talk to hosts outside; default true.
        masquerade: bool,
    },
    /// A folder with `conf/` and `bin/` of the developer's own plug-in (U115, U116), as written.
    Custom {
        /// Path relative to the cluster file.
        dir: String,
    },
    /// Nothing: the operator installs one.
    None,
}

/// Zone and time servers.
#[derive(Debug, Clone, PartialEq)]
pub struct Time {
    /// IANA zone; `None` = leave as it is.
    pub zone: Option<String>,
    /// NTP servers; empty = Debian's pool (the package's own configuration).
    pub servers: Vec<String>,
    /// How long to wait for a sane clock, seconds, 1..=3600; default 120.
    pub wait: u32,
}

/// Proxy for packages, runtime and tools (U053).
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// `http_proxy`.
    pub http: Option<String>,
    /// `https_proxy`.
    pub https: Option<String>,
    /// What is reached directly, in addition to every machine, range and domain of the cluster.
    pub no_proxy: Vec<String>,
}

/// Nearer copies of package archives and registries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mirrors {
    /// Replaces the host part of Debian's archive (U055).
    pub apt: Option<String>,
    /// The same for machines of architecture arm64, when they differ.
    pub apt_arm: Option<String>,
    /// Registry host → URLs that are tried first.
    pub registries: BTreeMap<String, Vec<String>>,
    /// Registry host → file with the certificate to trust, as written.
    pub trust: BTreeMap<String, String>,
    /// Registry hosts whose certificate is not checked.
    pub insecure: Vec<String>,
}

/// A user on every machine.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Public keys, one line each.
    pub authorized_keys: Vec<String>,
    /// Whether the user may become root without a password.
    pub sudo: bool,
    /// Further groups.
    pub groups: Vec<String>,
    /// Login shell, default `/bin/bash`.
    pub shell: String,
}

/// A program of the operator's own (U004 in spirit): a guarded command after or before a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// Unique name.
    pub name: String,
    /// `before:<step>` or `after:<step>`.
    pub at: HookPoint,
    /// Machines it runs on; empty = all that have the step.
    pub machines: Vec<String>,
    /// Exits 0 when there is nothing to do.
    pub check: String,
    /// The shell program.
    pub run: String,
    /// Its undo, may be empty.
    pub undo: String,
    /// Seconds, 1..=86400; default 600.
    pub limit: u32,
}

/// Where a hook hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookPoint {
    /// Before the step of that name.
    Before(String),
    /// After the step of that name.
    After(String),
}

/// Something that runs on the cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Addon {
    /// A small web page, three replicas on different machines, at a node port (U158).
    Demo {
        /// Port on every node, 30000..=32767; default 30080.
        node_port: u16,
    },
    /// Manifests of the operator's own: a file or folder relative to the cluster file.
    Manifests {
        /// Name of the step.
        name: String,
        /// Path as written.
        path: String,
    },
}

impl Addon {
    /// Its name, unique in a cluster; its step is `addon/<name>`.
    pub fn name(&self) -> &str {
        match self {
            Addon::Demo { .. } => "demo",
            Addon::Manifests { name, .. } => name,
        }
    }
}
