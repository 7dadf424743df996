//! What a blueprint is made from, and small questions that several steps ask.

use bramble_bundle::Index;
use bramble_keys::{Pair, WireGuard};
use bramble_machine::{Facts, Resource, Step, StepRef};
use bramble_secret::Secret;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Arch, Machine, Role, Router, Version};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Files that the cluster file names, read by the caller: path as written → content.
pub type Assets = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// Secrets from files that the cluster file names, read by the caller: path as written → content,
/// without the line break at its end.
pub type Secrets = BTreeMap<String, Secret>;

/// Keys made for this run, by the caller; each counts only where the machine has none yet.
#[derive(Debug, Clone, Default)]
pub struct Fresh {
    /// The registries' certificate.
    pub registry: Option<Pair>,
    /// The private registry's users with their passwords, hashed; always the same for the same file.
    pub logins: Option<Secret>,
    /// Of the VPN servers and their users.
    pub vpn: Option<VpnKeys>,
}

/// Keys of VPN servers and their users.
#[derive(Debug, Clone)]
pub struct VpnKeys {
    /// WireGuard's.
    pub wireguard: WireGuard,
    /// OpenVPN's certificate.
    pub server: Pair,
    /// OpenVPN's `tls-crypt` key, which all clients share.
    pub tls_crypt: Secret,
    /// By user.
    pub users: BTreeMap<String, UserKeys>,
}

/// Keys of a VPN user.
#[derive(Debug, Clone)]
pub struct UserKeys {
    /// WireGuard's.
    pub wireguard: WireGuard,
    /// WireGuard's, shared with the server.
    pub preshared: Secret,
    /// OpenVPN's certificate.
    pub client: Pair,
}

/// Everything that decides what a cluster should be.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The validated file.
    pub cluster: &'a Cluster,
    /// What the machines are; machines not looked at yet are missing.
    pub facts: &'a BTreeMap<String, Facts>,
    /// The bundle; `None` where none is needed (routers only).
    pub bundle: Option<&'a Index>,
    /// Content of named folders: folder as written → path in it → bytes.
    pub assets: &'a Assets,
    /// Secrets that the file names.
    pub secrets: &'a Secrets,
    /// Keys for machines that have none yet.
    pub fresh: &'a Fresh,
}

/// One machine of the cluster, with everything that steps want to know about it.
#[derive(Clone, Copy)]
pub struct On<'a> {
    /// The whole.
    pub inputs: Inputs<'a>,
    /// The machine.
    pub machine: &'a Machine,
    /// Its facts, or the usual ones while it has not been looked at.
    pub facts: &'a Facts,
}

impl<'a> On<'a> {
    /// The cluster.
    pub fn cluster(&self) -> &'a Cluster {
        self.inputs.cluster
    }

    /// The release to run.
    pub fn version(&self) -> Version {
        self.cluster().kubernetes.version
    }

    /// Whether the machine has a role.
    pub fn is(&self, role: Role) -> bool {
        self.machine.is(role)
    }

    /// What this machine does as the router; `None` if it is none.
    pub fn router(&self) -> Option<&'a Router> {
        self.cluster()
            .router
            .as_ref()
            .filter(|router| router.machine == self.machine.name)
    }

    /// The router that this machine is behind.
    pub fn behind(&self) -> Option<&'a Router> {
        let router = self.cluster().router.as_ref()?;
        let IpAddr::V4(own) = self.machine.address else {
            return None;
        };
        (router.machine != self.machine.name && router.lan().contains(&own)).then_some(router)
    }

    /// A secret that the file names; empty while it was not read.
    pub fn secret(&self, path: &str) -> Secret {
        let found = self.inputs.secrets.get(path).cloned();
        found.unwrap_or_else(|| Secret::new(""))
    }

    /// The text of a single file that the cluster file names; empty while it was not read.
    pub fn asset(&self, path: &str) -> String {
        let found = self.inputs.assets.get(path).and_then(|files| files.get(""));
        found.map_or(String::new(), |bytes| {
            String::from_utf8_lossy(bytes).into_owned()
        })
    }

    /// Architecture: the file's word, or what was observed. Before anybody has looked at the machine, one
    /// that the bundle has: then the first look asks for all that the bundle would bring.
    pub fn arch(&self) -> Arch {
        let observed = self.inputs.facts.contains_key(&self.machine.name);
        let likely = || {
            let bundle = self.inputs.bundle?;
            let has = |arch: &Arch| bundle.binary("kubelet", *arch).is_some();
            [Arch::Amd64, Arch::Arm64].into_iter().find(has)
        };
        self.machine.arch.unwrap_or(match self.facts.arch.as_str() {
            "arm64" => Arch::Arm64,
            _ if observed => Arch::Amd64,
            _ => likely().unwrap_or(Arch::Amd64),
        })
    }

    /// The control planes of the file, in its order.
    pub fn control_planes(&self) -> impl Iterator<Item = &'a Machine> + use<'a> {
        self.cluster().with_role(Role::ControlPlane)
    }

    /// Whether somebody saw this machine as a control plane that was made to the end.
    pub fn stands(&self, machine: &str) -> bool {
        self.inputs
            .facts
            .get(machine)
            .is_some_and(|f| f.control_plane)
    }

    /// The control plane that others join by: one that stands, else the one that is made first.
    pub fn door(&self) -> Option<&'a Machine> {
        let standing = self.control_planes().find(|m| self.stands(&m.name));
        standing.or_else(|| self.control_planes().next())
    }

    /// Whether this machine is the file's first control plane.
    pub fn is_first_control_plane(&self) -> bool {
        self.control_planes()
            .next()
            .is_some_and(|m| m.name == self.machine.name)
    }

    /// Whether this machine begins the cluster: it is the one to be made first, and none stands.
    pub fn founds(&self) -> bool {
        self.door().is_some_and(|m| m.name == self.machine.name)
    }

    /// `host:port` of the API as machines use it.
    pub fn api_endpoint(&self) -> String {
        self.cluster().api_endpoint()
    }

    /// A step of this machine.
    pub fn step(&self, name: &'static str, resources: Vec<Arc<dyn Resource>>) -> Step {
        Step {
            name,
            resources,
            needs: Vec::new(),
        }
    }

    /// A step of this machine that needs others first.
    pub fn step_after(
        &self,
        name: &'static str,
        resources: Vec<Arc<dyn Resource>>,
        needs: Vec<StepRef>,
    ) -> Step {
        Step {
            name,
            resources,
            needs,
        }
    }
}

/// Puts a resource behind the pointer that steps hold.
pub fn r(resource: impl Resource + 'static) -> Arc<dyn Resource> {
    Arc::new(resource)
}
