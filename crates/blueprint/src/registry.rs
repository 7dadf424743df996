//! What the router's registries, the machines that pull from them and whoever pushes to them must agree
//! on: names, ports, folders, the certificate.

use crate::borrowed::Lent;
use crate::context::{Inputs, On};
use bramble_machine::kinds::Minted;
use bramble_spec::Cluster;
use bramble_spec::cluster::with_port;
use bramble_spec::cluster::{Registry, RegistryMirror, Router};
use sha2::{Digest, Sha256};

/// The user that Debian's package makes, and that all of them run as.
pub const USER: &str = "docker-registry";
/// Where the router keeps their configuration.
pub const FOLDER: &str = "/etc/bramble/registry";
/// Group of their keys, see [`Minted`].
pub(crate) const KEYS: &str = "registry";
/// Name of the registry for images of the operator's own.
pub const PRIVATE: &str = "private";
/// Name of the registry of the bundle's images.
pub const BUNDLE: &str = "bundle";

/// The router with its registries.
#[derive(Debug, Clone, Copy)]
pub struct Registries<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The router.
    pub router: &'a Router,
    /// Its registries.
    pub registry: &'a Registry,
}

impl<'a> Registries<'a> {
    /// Those of a cluster, if it has any.
    pub fn of(cluster: &'a Cluster) -> Option<Self> {
        let router = cluster.router.as_ref()?;
        Some(Self {
            cluster,
            router,
            registry: router.registry.as_ref()?,
        })
    }

    /// Those that a machine makes or pulls from: it is the router, or behind it.
    pub(crate) fn seen_from(on: &On<'a>) -> Option<Self> {
        on.router().or(on.behind())?;
        Self::of(on.cluster())
    }

    /// Names and addresses in the certificate; the first is the one to use.
    pub fn names(&self) -> Vec<String> {
        let domain = &self.cluster.network.domain;
        let machine = &self.router.machine;
        vec![
            format!("registry.{domain}"),
            "registry".to_owned(),
            format!("{machine}.{domain}"),
            machine.clone(),
            self.address(),
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
        ]
    }

    /// Hosts by which machines name images of the private registry; the first is the one to use.
    pub fn private_hosts(&self) -> Vec<String> {
        let names = self.names().into_iter().take(5);
        names
            .map(|n| with_port(&n, Registry::PRIVATE_PORT))
            .collect()
    }

    /// The router's address in the LAN.
    pub fn address(&self) -> String {
        self.router.address.addr().to_string()
    }

    /// URL of one of the registries, as machines of the LAN reach it whatever names they know.
    pub(crate) fn url(&self, port: u16) -> String {
        format!("https://{}", with_port(&self.address(), port))
    }

    /// Holder of the keys: other names need another certificate.
    fn holder(&self) -> String {
        let mut names = self.names();
        names.sort();
        hex::encode(&Sha256::digest(names.join("\n"))[..4])
    }

    /// File of the certificate on the router, and of its key.
    pub fn key_files(&self) -> (String, String) {
        let path = |file: &str| Minted::path(KEYS, &self.holder(), file);
        (path(&self.certificate_file()), path("key"))
    }

    pub(crate) fn certificate_file(&self) -> String {
        format!("{}{}", bramble_machine::kinds::minted::PUBLIC, self.fact())
    }

    /// Name of the certificate among what the router publishes.
    fn fact(&self) -> String {
        format!("registry-{}", self.holder())
    }

    pub(crate) fn minted(&self, files: Vec<bramble_machine::kinds::MintedFile>) -> Minted {
        Minted {
            shared: Vec::new(),
            group: KEYS.to_owned(),
            holders: vec![bramble_machine::kinds::Holder {
                name: self.holder(),
                files,
            }],
            // The machines learn a new certificate by themselves; computers outside were given it by hand.
            worth: Some(format!(
                "the key and the certificate of {}'s registries: computers that were given it must be given a new one",
                self.router.machine
            )),
        }
    }

    /// The certificate that the router has, or is about to get.
    pub(crate) fn certificate(&self, inputs: Inputs<'a>) -> Lent {
        let machine = &self.router.machine;
        let Some(facts) = inputs.facts.get(machine) else {
            return Lent::Unknown;
        };
        if let Some(text) = facts.public.get(&self.fact()) {
            return Lent::There(text.clone());
        }
        match &inputs.fresh.registry {
            None => Lent::Unknown,
            Some(pair) => Lent::Coming {
                text: pair.certificate.clone(),
                with: (machine.clone(), format!("keys:{KEYS}")),
            },
        }
    }

    /// Folder of what a registry holds, by the registry's name.
    pub fn store(&self, name: &str) -> String {
        format!("{}/{name}", self.registry.dir)
    }
}

/// Name of a mirror among the registries.
pub fn mirror_name(mirror: &RegistryMirror) -> String {
    format!("mirror-{}", mirror.host.replace(':', "_"))
}

/// Name of the unit that runs a registry.
pub fn unit(name: &str) -> String {
    format!("bramble-registry@{name}.service")
}

/// Name of the unit that stands in front of the mirrors.
pub const FRONT: &str = "bramble-registry-front.service";

/// Configuration of a registry on the router.
pub(crate) fn config(name: &str) -> String {
    format!("{FOLDER}/{name}.yml")
}
