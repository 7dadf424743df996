//! Where the machines of clusters come from, and clusters made after a template.

mod ccp;
mod error;
mod file;
mod keeper;
mod lab;
mod orders;
mod pool;

pub use error::Error;

use crate::runs::Runs;
use async_trait::async_trait;
use bramble_store::record::{Cluster, Origin, Phase, Template};
use bramble_store::{Store, Stored, Typed};
use file::Placed;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

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
    async fn claim(&self, cluster: &str, template: &Template) -> Result<Place, Error>;

    /// Gives back what a cluster has. Nothing where it has nothing.
    async fn release(&self, cluster: &str) -> Result<(), Error>;
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
    /// Files that templates may name.
    secrets: PathBuf,
    /// Two who choose at once would choose the same.
    choosing: Mutex<()>,
}

impl Origins {
    /// The places of a daemon.
    pub fn new(store: Arc<dyn Store>, runs: Arc<Runs>) -> Arc<Self> {
        Arc::new(Self {
            pool: pool::Pool::new(store.clone()),
            lab: lab::Lab::new(store.clone()),
            secrets: runs.settings().data.join("secrets"),
            choosing: Mutex::default(),
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
    /// [`Error`]; nothing is claimed then.
    pub async fn make(&self, wish: Wish<'_>) -> Result<Stored<Cluster>, Error> {
        let _one = self.choosing.lock().await;
        let template = self.template(wish.template).await?;
        let taken = self.store.find::<Cluster>(wish.name).await?;
        if taken.is_some() {
            return Err(Error::Taken(wish.name.into()));
        }
        let Some(source) = self.source(template.origin) else {
            let file = ccp::compose(wish.name, &template, &self.secrets)?;
            return self.known(&wish, &template, file).await;
        };
        let place = source.claim(wish.name, &template).await?;
        let made = match file::compose(wish.name, &template, wish.plugin, &place) {
            Ok(file) => self.known(&wish, &template, file).await,
            Err(error) => Err(error),
        };
        if made.is_err() {
            source.release(wish.name).await?;
        }
        made
    }

    async fn template(&self, name: &str) -> Result<Template, Error> {
        let found = self.store.find::<Template>(name).await?;
        Ok(found.ok_or_else(|| Error::NoTemplate(name.into()))?.it)
    }

    async fn known(
        &self,
        wish: &Wish<'_>,
        template: &Template,
        file: String,
    ) -> Result<Stored<Cluster>, Error> {
        let created = Timestamp::now();
        let seconds = wish.lifetime.and_then(|s| i64::try_from(s).ok());
        let expires = seconds.and_then(|s| created.checked_add(SignedDuration::from_secs(s)).ok());
        let cluster = Cluster {
            file,
            origin: Some(template.origin),
            owner: wish.owner.into(),
            created,
            expires,
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

    /// Whether clusters can be made after a template, as far as the template alone says.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn check(template: &Template) -> Result<(), Error> {
        match template.origin {
            Origin::Ccp => ccp::compose("example", template, Path::new("secrets")).map(drop),
            Origin::Pool | Origin::Lab => file::check(template),
        }
    }
}
