//! Machines on the daemon's own computer. A run makes them and takes them away: see [`crate::runs`].

use super::file::{Placed, roles};
use super::{Error, Place, Source};
use async_trait::async_trait;
use bramble_spec::cluster::Role;
use bramble_store::record::{Claim, Cluster, Origin, Phase, Template};
use bramble_store::{Store, Typed};
use ipnet::{IpNet, Ipv4Net};
use serde_json::{Map, json};
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
}

impl Lab {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Networks that a cluster which may come up or a lab has, with whose they are.
    async fn taken(&self) -> Result<Vec<(String, IpNet)>, Error> {
        let mut taken = of_labs().await;
        for cluster in self.store.all::<Cluster>().await? {
            if cluster.it.origin == Some(Origin::Lab) && cluster.it.phase != Phase::Gone {
                let lan = lan(&cluster.it.file);
                taken.extend(lan.map(|net| (format!("cluster {}", cluster.name), net)));
            }
        }
        Ok(taken)
    }

    /// A network that is free.
    async fn network(&self) -> Result<Ipv4Net, Error> {
        let taken = self.taken().await?;
        let all = (0..=u8::MAX).map(network);
        let mut free = all.filter(|net| !taken.iter().any(|(_, t)| overlap(*t, IpNet::V4(*net))));
        free.next().ok_or(Error::NoNetwork)
    }
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
        let taken = self.taken().await?;
        let other = taken
            .into_iter()
            .find(|(whose, net)| *whose != own && overlap(*net, network));
        other.map_or(Ok(()), |(lab, _)| Err(Error::Network { network, lab }))
    }

    /// The cluster's record is the claim.
    async fn release(&self, _: &Claim) -> Result<(), Error> {
        Ok(())
    }
}
