//! Where the machines of clusters come from, and clusters made after a template.

mod ccp;
mod error;
mod file;
mod keeper;
mod lab;
mod networks;
mod orders;
mod pool;

pub(crate) use ccp::kubeconfig;
pub use error::Error;
pub(crate) use networks::Networks;

use crate::runs::Runs;
use async_trait::async_trait;
use bramble_store::record::{Claim, Cluster, Machine, Origin, Phase, Template};
use bramble_store::{Store, Stored, Typed};
use file::Placed;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// When a cluster with that lifetime is taken down which comes up from then on; one with a lifetime beyond all
/// calendars never.
pub(crate) fn expires(lifetime: Option<u64>, from: Timestamp) -> Option<Timestamp> {
    let seconds = i64::try_from(lifetime?).ok()?;
    from.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// Random bytes that tell claims apart.
const ID: usize = 8;

/// A claim like no other, also of the same name.
fn claim(cluster: &str) -> Result<Claim, Error> {
    let id: [u8; ID] = bramble_keys::random()?;
    Ok(Claim {
        cluster: cluster.into(),
        id: Some(hex::encode(id)),
        since: Timestamp::now(),
    })
}

/// What a place gives to one cluster.
pub(crate) struct Place {
    /// Its machines, control planes first.
    machines: Vec<Placed>,
    /// An address that several control planes may share, if the place has one.
    shared: Option<IpAddr>,
    /// What the file says in addition, the part below `spec`.
    spec: serde_json::Map<String, serde_json::Value>,
}

/// A place that machines come from.
#[async_trait]
pub(crate) trait Source: Send + Sync {
    /// Machines for a cluster after a template, which are nobody else's from now on.
    async fn claim(&self, claim: &Claim, template: &Template) -> Result<Place, Error>;

    /// Takes exactly what a cluster that is gone had, as its file says.
    async fn again(&self, claim: &Claim, cluster: &Cluster) -> Result<(), Error>;

    /// Gives back what was taken by this claim, and nothing that another one took for a cluster of the same name.
    async fn release(&self, claim: &Claim) -> Result<(), Error>;
}

/// A cluster that somebody wants.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// Its name, a DNS label.
    pub name: &'a str,
    /// The template that it is made after.
    pub template: &'a str,
    /// Network plug-in, instead of the template's.
    pub plugin: Option<&'a str>,
    /// After how many seconds it is taken down by itself.
    pub lifetime: Option<u64>,
    /// Who wants it.
    pub owner: &'a str,
}

/// All places.
pub struct Origins {
    store: Arc<dyn Store>,
    runs: Arc<Runs>,
    pool: pool::Pool,
    lab: lab::Lab,
}

/// Takes once more what a cluster had that is gone now and comes up again: meanwhile another one may have it. `None`
/// where nothing is taken by a claim.
pub(crate) async fn again(
    store: &Arc<dyn Store>,
    networks: &Arc<Networks>,
    name: &str,
    gone: &Cluster,
) -> Result<Option<Claim>, Error> {
    let pool = pool::Pool::new(store.clone());
    let lab = lab::Lab::new(store.clone(), networks.clone());
    let source: &dyn Source = match gone.origin {
        Some(Origin::Pool) => &pool,
        Some(Origin::Lab) => &lab,
        Some(Origin::Ccp) | None => return Ok(None),
    };
    let claim = claim(name)?;
    source.again(&claim, gone).await?;
    Ok(Some(claim))
}

impl Origins {
    /// The places of a daemon.
    pub fn new(store: Arc<dyn Store>, runs: Arc<Runs>) -> Arc<Self> {
        Arc::new(Self {
            pool: pool::Pool::new(store.clone()),
            lab: lab::Lab::new(store.clone(), runs.networks().clone()),
            store,
            runs,
        })
    }

    /// Where the machines of an origin come from; `None`: it makes whole clusters.
    fn source(&self, origin: Origin) -> Option<&dyn Source> {
        match origin {
            Origin::Pool => Some(&self.pool),
            Origin::Lab => Some(&self.lab),
            Origin::Ccp => None,
        }
    }

    /// Makes a cluster known after a template, with machines of its own. Nothing is done on them before a run.
    ///
    /// # Errors
    /// [`Error`]; nothing is claimed then. After [`Error::Store`] there may be a cluster all the same; where there is
    /// none the keeper sets its machines free.
    pub async fn make(&self, wish: Wish<'_>) -> Result<Stored<Cluster>, Error> {
        let _one = self.runs.choosing().await;
        let template = self.template(wish.template).await?;
        self.can(&template)?;
        let taken = self.store.find::<Cluster>(wish.name).await?;
        if taken.is_some() {
            return Err(Error::Taken(wish.name.into()));
        }
        let Some(source) = self.source(template.origin) else {
            let file = ccp::compose(wish.name, &template, &self.runs.settings().data)?;
            return self.known(&wish, &template, None, file).await;
        };
        let claim = claim(wish.name)?;
        let place = source.claim(&claim, &template).await?;
        let made = match file::compose(wish.name, &template, wish.plugin, &place) {
            Ok(file) => self.known(&wish, &template, claim.id.clone(), file).await,
            Err(error) => Err(error),
        };
        match made {
            Err(error @ Error::Template(_)) => {
                source.release(&claim).await?;
                Err(error)
            }
            Err(Error::Store(bramble_store::Error::Exists(_))) => {
                // A store that tried twice may have been told so by its own first try.
                let there = self.store.find::<Cluster>(wish.name).await?;
                if let Some(there) = there.filter(|there| there.it.claim == claim.id) {
                    return Ok(there);
                }
                source.release(&claim).await?;
                Err(Error::Taken(wish.name.into()))
            }
            // Whether there is a cluster now, the keeper sees.
            made => made,
        }
    }

    async fn template(&self, name: &str) -> Result<Template, Error> {
        let found = self.store.find::<Template>(name).await?;
        Ok(found.ok_or_else(|| Error::NoTemplate(name.into()))?.it)
    }

    async fn known(
        &self,
        wish: &Wish<'_>,
        template: &Template,
        claim: Option<String>,
        file: String,
    ) -> Result<Stored<Cluster>, Error> {
        let created = Timestamp::now();
        let cluster = Cluster {
            file,
            origin: Some(template.origin),
            claim,
            owner: wish.owner.into(),
            created,
            expires: expires(wish.lifetime, created),
            lifetime: wish.lifetime,
            phase: Phase::New,
            message: None,
            address: None,
            runs: 0,
        };
        Ok(self.store.add(wish.name, cluster).await?)
    }

    /// Sees to it that there is something to try: a small lab, unless there are templates.
    ///
    /// # Errors
    /// The store's.
    pub async fn first_template(
        &self,
        kubernetes: Option<&str>,
    ) -> Result<(), bramble_store::Error> {
        if !self.store.all::<Template>().await?.is_empty() {
            return Ok(());
        }
        let mut spec = serde_json::Map::new();
        if let Some(version) = kubernetes {
            spec.insert("kubernetes".into(), json!({ "version": version }));
        }
        spec.insert("addons".into(), json!(["demo"]));
        let template = Template {
            origin: Origin::Lab,
            control_planes: 1,
            workers: 1,
            labels: BTreeMap::new(),
            spec,
        };
        self.store.add("lab", template).await.map(drop)
    }

    /// Whether this daemon can make clusters after a template, and whether that has mistakes.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::Shared`].
    pub fn check_here(&self, template: &Template) -> Result<(), Error> {
        self.can(template)?;
        Self::check(template)
    }

    /// Several daemons keep cluster files only, and each has its own folder of secrets.
    fn can(&self, template: &Template) -> Result<(), Error> {
        match template.origin {
            Origin::Ccp if self.runs.are_shared() => Err(Error::Shared),
            Origin::Ccp | Origin::Pool | Origin::Lab => Ok(()),
        }
    }

    /// Whether clusters can have a machine, as far as it can be told without going there.
    ///
    /// # Errors
    /// [`Error::Machine`].
    pub fn check_machine(name: &str, machine: &Machine) -> Result<(), Error> {
        file::check_machine(name, machine)
    }

    /// Whether clusters can be made after a template, as far as the template alone says.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn check(template: &Template) -> Result<(), Error> {
        match template.origin {
            Origin::Ccp => ccp::compose("example", template, Path::new("")).map(drop),
            Origin::Pool | Origin::Lab => file::check(template),
        }
    }
}
