//! Machines on the daemon's own computer. A run makes them and takes them away: see [`crate::runs`].

use super::file::{Placed, roles};
use super::{Error, Place, Source};
use async_trait::async_trait;
use bramble_spec::cluster::Role;
use bramble_store::record::{Cluster, Origin, Phase, Template};
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

    /// A network that neither a cluster that may come up nor a lab has.
    async fn network(&self) -> Result<Ipv4Net, Error> {
        let mut taken = of_labs().await;
        for cluster in self.store.all::<Cluster>().await? {
            let cluster = cluster.it;
            if cluster.origin == Some(Origin::Lab) && cluster.phase != Phase::Gone {
                let file = bramble_spec::load("bramble.yaml", &cluster.file).ok();
                taken.extend(file.and_then(|file| file.network.lan));
            }
        }
        let all = (0..=u8::MAX).map(network);
        let mut free = all.filter(|net| !taken.iter().any(|t| overlap(*t, *net)));
        free.next().ok_or(Error::NoNetwork)
    }
}

fn network(third: u8) -> Ipv4Net {
    let [first, second] = NETWORKS;
    Ipv4Net::new_assert(Ipv4Addr::new(first, second, third, 0), 24)
}

fn overlap(one: IpNet, other: Ipv4Net) -> bool {
    let other = IpNet::V4(other);
    one.contains(&other) || other.contains(&one)
}

/// Networks of the labs that are there.
async fn of_labs() -> Vec<IpNet> {
    let base = Path::new(bramble_lab::DEFAULT_BASE);
    let labs = tokio::task::spawn_blocking(|| bramble_lab::Lab::list(base)).await;
    let labs = labs.unwrap_or_default();
    let networks = labs.into_iter().flat_map(|lab| lab.networks);
    networks.map(|net| IpNet::V4(net.range)).collect()
}

#[async_trait]
impl Source for Lab {
    async fn claim(&self, _: &str, template: &Template) -> Result<Place, Error> {
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

    /// The cluster's record is the claim.
    async fn release(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}
