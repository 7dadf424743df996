//! Machines on the daemon's own computer. A run makes them and takes them away: see [`crate::runs`].

use super::file::{Placed, roles};
use super::networks::Networks;
use super::{Error, Place, Source};
use async_trait::async_trait;
use bramble_spec::cluster::Role;
use bramble_store::record::{Claim, Cluster, Origin, Phase, Template};
use bramble_store::{Store, Typed};
use ipnet::{IpNet, Ipv4Net};
use serde_json::{Map, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

/// Networks of labs are 10.80.0.0/24 to 10.80.255.0/24.
const NETWORKS: [u8; 2] = [10, 80];

/// The last number of the first machine's address; the others follow.
const FIRST: u8 = 11;

/// The last number of the address that control planes share.
const SHARED: u8 = 250;

/// Labs on this computer.
pub(super) struct Lab {
    store: Arc<dyn Store>,
    networks: Arc<Networks>,
}

impl Lab {
    pub(super) fn new(store: Arc<dyn Store>, networks: Arc<Networks>) -> Self {
        Self { store, networks }
    }

    /// Networks of clusters that may come up, with whose they are.
    async fn own(&self) -> Result<Vec<(String, IpNet)>, Error> {
        let mut own = Vec::new();
        for cluster in self.store.all::<Cluster>().await? {
            if cluster.it.origin == Some(Origin::Lab) && cluster.it.phase != Phase::Gone {
                let lan = lan(&cluster.it.file);
                own.extend(lan.map(|net| (format!("cluster {}", cluster.name), net)));
            }
        }
        Ok(own)
    }

    /// Holds the networks of all clusters that may come up, as this daemon did before it was started anew.
    pub(super) async fn hold(&self) -> Result<(), Error> {
        for net in v4(&self.own().await?) {
            if !self.networks.hold(net) {
                tracing::warn!("another daemon of this computer has a cluster in {net} as well");
            }
        }
        Ok(())
    }

    /// A network that is free, and this daemon's from now on.
    async fn network(&self) -> Result<Ipv4Net, Error> {
        let own = self.own().await?;
        let mut wanted: BTreeSet<Ipv4Net> = v4(&own).collect();
        let mut taken = of_labs().await;
        taken.extend(of_this_computer().await);
        taken.extend(own);
        // That of a cluster that is gone is this daemon's still.
        let held = self.networks.held();
        let all = (0..=u8::MAX).map(network);
        let (first, others): (Vec<_>, Vec<_>) = all.partition(|net| held.contains(net));
        let all = first.into_iter().chain(others);
        let mut free = all.filter(|net| !taken.iter().any(|(_, t)| overlap(*t, IpNet::V4(*net))));
        let chosen = free.find(|net| self.networks.hold(*net));
        wanted.extend(chosen);
        // Those of clusters that are gone.
        self.networks.keep(&wanted);
        chosen.ok_or(Error::NoNetwork)
    }
}

fn v4(networks: &[(String, IpNet)]) -> impl Iterator<Item = Ipv4Net> {
    networks.iter().filter_map(|(_, net)| match net {
        IpNet::V4(net) => Some(*net),
        IpNet::V6(_) => None,
    })
}

fn network(third: u8) -> Ipv4Net {
    let [first, second] = NETWORKS;
    Ipv4Net::new_assert(Ipv4Addr::new(first, second, third, 0), 24)
}

/// The network of a cluster file.
fn lan(file: &str) -> Option<IpNet> {
    bramble_spec::load("bramble.yaml", file).ok()?.network.lan
}

fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// Networks of the labs that are there.
async fn of_labs() -> Vec<(String, IpNet)> {
    let base = Path::new(bramble_lab::DEFAULT_BASE);
    let labs = tokio::task::spawn_blocking(|| bramble_lab::Lab::list(base)).await;
    let labs = labs.unwrap_or_default();
    let networks = labs.into_iter().flat_map(|lab| {
        let name = format!("lab {}", lab.name);
        lab.networks
            .into_iter()
            .map(move |net| (name.clone(), IpNet::V4(net.range)))
    });
    networks.collect()
}

/// Networks that this computer has otherwise.
async fn of_this_computer() -> Vec<(String, IpNet)> {
    let looked = tokio::task::spawn_blocking(bramble_lab::in_use).await;
    match looked {
        Ok(Ok(all)) => all
            .into_iter()
            .map(|(net, with)| (with, net.into()))
            .collect(),
        Ok(Err(error)) => {
            tracing::debug!("{error}");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

#[async_trait]
impl Source for Lab {
    async fn claim(&self, _: &Claim, template: &Template) -> Result<Place, Error> {
        let net = self.network().await?;
        let [a, b, third, _] = net.network().octets();
        let at = |last: u8| Ipv4Addr::new(a, b, third, last).into();
        let mut machines = Vec::new();
        for (role, last) in roles(template).zip(FIRST..SHARED) {
            let word = match role {
                Role::ControlPlane => "control",
                Role::Router | Role::Worker => "worker",
            };
            let of_role = |m: &&Placed| m.role == role;
            let number = machines.iter().filter(of_role).count() + 1;
            machines.push(Placed {
                name: format!("{word}-{number}"),
                role,
                address: at(last),
                user: Some("root".into()),
                host_key: None,
            });
        }
        let lan = json!({ "lan": net.to_string() });
        Ok(Place {
            machines,
            shared: Some(at(SHARED)),
            spec: Map::from_iter([("network".to_owned(), lan)]),
        })
    }

    /// What is left of its own lab is no hindrance.
    async fn again(&self, claim: &Claim, cluster: &Cluster) -> Result<(), Error> {
        let Some(network) = lan(&cluster.file) else {
            return Ok(());
        };
        let own = format!("lab {}", claim.cluster);
        let mut taken = of_labs().await;
        taken.extend(self.own().await?);
        let other = taken
            .into_iter()
            .find(|(whose, net)| *whose != own && overlap(*net, network));
        if let Some((lab, _)) = other {
            return Err(Error::Network { network, lab });
        }
        match network {
            IpNet::V4(net) if !self.networks.hold(net) => Err(Error::Network {
                network,
                lab: "another daemon of this computer".into(),
            }),
            _ => Ok(()),
        }
    }

    /// The cluster's record is the claim.
    async fn release(&self, _: &Claim) -> Result<(), Error> {
        Ok(())
    }
}
