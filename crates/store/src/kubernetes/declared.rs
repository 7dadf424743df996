//! Clusters as others want them, who change the resource itself (`kubectl apply`, `kubectl delete`) rather than
//! ask a daemon.

use super::documents::release;
use super::object::{self, FINALIZER};
use super::rest::{self, Fault};
use super::shapes::cluster;
use super::{Kubernetes, names};
use crate::document::{Key, Kind};
use crate::error::Error;

/// How often a change of finalizers is tried while others change the same.
const TRIES: u32 = 16;

/// What others want of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The cluster.
    pub name: String,
    /// Whether its spec is from somebody who changed the resource: it is to be made so, unasked.
    pub wanted: bool,
    /// Whether the resource was deleted: it is to be taken down, then let go.
    pub unwanted: bool,
    /// Whether its deletion waits for a daemon.
    pub held: bool,
}

impl Kubernetes {
    /// What others want of each cluster.
    ///
    /// # Errors
    /// [`Error::Home`], [`Error::Refused`].
    pub async fn declared(&self) -> Result<Vec<Declared>, Error> {
        let api = self.documents.api(&cluster::SHAPE);
        let objects = rest::list(&api, None, "list clusters").await?;
        let one = |object: &kube::api::DynamicObject| {
            let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
            Some(Declared {
                name: names::of_object(&object.metadata)?,
                wanted: cluster::declared(&object::parts(object, &cluster::SHAPE)),
                unwanted: object.metadata.deletion_timestamp.is_some(),
                held: finalizers.iter().any(|one| one == FINALIZER),
            })
        };
        Ok(objects.iter().filter_map(one).collect())
    }

    /// Makes the deletion of a cluster wait until it is let go.
    ///
    /// # Errors
    /// [`Error::Missing`] also for one that is deleted already; [`Error::Contended`], [`Error::Home`].
    pub async fn hold(&self, cluster: &str) -> Result<(), Error> {
        self.finalizers(cluster, |object| {
            let finalizers = object.metadata.finalizers.get_or_insert_default();
            let there = finalizers.iter().any(|one| one == FINALIZER);
            if !there {
                finalizers.push(FINALIZER.into());
            }
            !there
        })
        .await
    }

    /// Lets a cluster go: its deletion no longer waits for a daemon.
    ///
    /// # Errors
    /// [`Error::Contended`], [`Error::Home`].
    pub async fn release(&self, cluster: &str) -> Result<(), Error> {
        match self.finalizers(cluster, release).await {
            Err(Error::Missing(_)) => Ok(()),
            done => done,
        }
    }

    async fn finalizers(
        &self,
        cluster: &str,
        change: impl Fn(&mut kube::api::DynamicObject) -> bool,
    ) -> Result<(), Error> {
        const WHAT: &str = "change a cluster's finalizers";
        let key = Key::new(Kind::Cluster, cluster);
        let api = self.documents.api(&cluster::SHAPE);
        for _ in 0..TRIES {
            let found = rest::get(&api, &names::object(cluster), WHAT).await?;
            let mut object = found.ok_or_else(|| Error::Missing(key.clone()))?;
            if !change(&mut object) {
                return Ok(());
            }
            match rest::replace(&api, &object, WHAT).await {
                Ok(_) => return Ok(()),
                Err(Fault::Conflict) => {}
                Err(Fault::Missing) => return Err(Error::Missing(key)),
                Err(Fault::Error(error)) => return Err(error),
            }
        }
        Err(Error::Contended { key, tries: TRIES })
    }
}
