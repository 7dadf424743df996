//! Registered machines.

use super::file::{Placed, roles};
use super::{Error, Place, Source};
use async_trait::async_trait;
use bramble_store::record::{Claim, Cluster, Machine, Template};
use bramble_store::{Store, Stored, Typed};
use serde_json::Map;
use std::net::IpAddr;
use std::sync::Arc;

/// The pool.
pub(super) struct Pool {
    store: Arc<dyn Store>,
}

/// A machine was taken by somebody else, or is no longer registered.
enum Lost {
    Taken,
    Store(bramble_store::Error),
}

impl From<bramble_store::Error> for Lost {
    fn from(error: bramble_store::Error) -> Self {
        match error {
            bramble_store::Error::Missing(_) => Lost::Taken,
            error => Lost::Store(error),
        }
    }
}

impl Pool {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Whether the machine is the cluster's now.
    async fn take(&self, machine: &str, claim: &Claim) -> Result<bool, Error> {
        let taken = self.store.change(machine, |it: &mut Machine| {
            if it.claim.is_some() {
                return Err(Lost::Taken);
            }
            it.claim = Some(claim.clone());
            Ok(())
        });
        match taken.await {
            Ok(_) => Ok(true),
            Err(Lost::Taken) => Ok(false),
            Err(Lost::Store(error)) => Err(error.into()),
        }
    }

    /// Takes a machine at this address that is free, or that the cluster has had by `before` and not yet given back.
    async fn retake(
        &self,
        machine: &str,
        address: IpAddr,
        claim: &Claim,
        before: &Option<String>,
    ) -> Result<(), Error> {
        let taken = self.store.change(machine, |it: &mut Machine| {
            if it.address != address {
                return Err(Error::Unregistered(machine.into()));
            }
            let own = |c: &Claim| c.cluster == claim.cluster && c.id == *before;
            if let Some(other) = it.claim.as_ref().filter(|c| !own(c)) {
                return Err(Error::Given {
                    machine: machine.into(),
                    cluster: other.cluster.clone(),
                });
            }
            it.claim = Some(claim.clone());
            Ok(())
        });
        match taken.await {
            Ok(_) => Ok(()),
            Err(Error::Store(bramble_store::Error::Missing(_))) => {
                Err(Error::Unregistered(machine.into()))
            }
            Err(error) => Err(error),
        }
    }

    /// Free machines that a template can have.
    async fn free(&self, template: &Template) -> Result<Vec<Stored<Machine>>, Error> {
        let mut all = self.store.all::<Machine>().await?;
        all.retain(|m| m.it.claim.is_none() && fits(&m.it, template));
        Ok(all)
    }
}

fn fits(machine: &Machine, template: &Template) -> bool {
    let mut wanted = template.labels.iter();
    wanted.all(|(key, value)| machine.labels.get(key) == Some(value))
}

#[async_trait]
impl Source for Pool {
    async fn claim(&self, claim: &Claim, template: &Template) -> Result<Place, Error> {
        let mut roles = roles(template).peekable();
        let mut machines = Vec::new();
        for free in self.free(template).await? {
            let Some(role) = roles.peek() else { break };
            if self.take(&free.name, claim).await? {
                machines.push(Placed {
                    role: *role,
                    name: free.name,
                    address: free.it.address,
                    user: free.it.user,
                    host_key: free.it.host_key,
                });
                roles.next();
            }
        }
        let missing = roles.count();
        if missing == 0 {
            return Ok(Place {
                machines,
                shared: None,
                spec: Map::new(),
            });
        }
        self.release(claim).await?;
        Err(Error::Few {
            free: machines.len(),
            wanted: machines.len() + missing,
            labels: labels(template),
        })
    }

    async fn again(&self, claim: &Claim, cluster: &Cluster) -> Result<(), Error> {
        let file = bramble_spec::load("bramble.yaml", &cluster.file);
        let file = file.map_err(|problems| Error::Template(problems.to_string()))?;
        for machine in &file.machines {
            let taken = self.retake(&machine.name, machine.address, claim, &cluster.claim);
            match taken.await {
                Ok(()) => {}
                // Without an answer the keeper sees to it.
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => {
                    self.release(claim).await?;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn release(&self, claim: &Claim) -> Result<(), Error> {
        let same = |c: &Claim| c.cluster == claim.cluster && c.id == claim.id;
        let of = |it: &Machine| it.claim.as_ref().is_some_and(same);
        for machine in self.store.all::<Machine>().await? {
            if !of(&machine.it) {
                continue;
            }
            let released = self.store.change(&machine.name, |it: &mut Machine| {
                if of(it) {
                    it.claim = None;
                }
                Ok(())
            });
            match released.await {
                Ok(_) | Err(bramble_store::Error::Missing(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn labels(template: &Template) -> String {
    let all: Vec<String> = template
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    match all.is_empty() {
        true => String::new(),
        false => format!(" (with {})", all.join(", ")),
    }
}
