//! The home for those who outgrow one machine: custom resources in the Kubernetes API, for several daemons.
//!
//! What others may see are resources of `bramble.dev` (`shapes`), what they may not are Secrets, logs are
//! resources of bounded size (`chunk`). The version of a document is its object's `resourceVersion`; the API
//! itself sees to it that one of several who write succeeds.

mod chunk;
mod connect;
mod declared;
mod definitions;
mod documents;
mod lease;
mod logs;
mod names;
mod object;
mod rest;
mod schema;
mod secrets;
mod shape;
mod shapes;
mod watch;
mod writer;

pub use connect::KubernetesSettings;
pub use declared::Declared;
pub use definitions::definitions;
pub use lease::{Candidate, Lead, Renewal, Terms};

use crate::document::{Change, Document, Key, Kind, Line, Log};
use crate::error::Error;
use crate::store::Store;
use async_trait::async_trait;
use documents::Documents;
use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use logs::Logs;
use secrets::Secrets;
use serde_json::Value;
use shape::Shape;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Changes that a slow reader may lag behind.
const LAG: usize = 4096;

/// Documents and logs in one namespace of a Kubernetes API.
pub struct Kubernetes {
    client: Client,
    namespace: String,
    documents: Documents,
    secrets: Secrets,
    logs: Arc<Logs>,
    changes: broadcast::Sender<Change>,
    /// Which other daemon leads.
    leader: tokio::sync::watch::Sender<Option<String>>,
    /// Ends with the store.
    _watches: watch::Watches,
}

/// How the API calls one of Bramble's own kinds.
fn own(word: &str, plural: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk(definitions::GROUP, definitions::VERSION, word);
    ApiResource::from_gvk_with_plural(&kind, plural)
}

fn resource(shape: &Shape) -> ApiResource {
    own(shape.word, shape.plural)
}

impl Kubernetes {
    /// Connects, and looks whether everything that it needs is there and allowed.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Undefined`], [`Error::Forbidden`].
    pub async fn connect(settings: &KubernetesSettings) -> Result<Self, Error> {
        let (client, namespace) = connect::client(settings).await?;
        connect::check(&client, &namespace).await?;
        let (changes, _) = broadcast::channel(LAG);
        let watches = watch::Watches::start(&client, &namespace, &changes).await?;
        Ok(Self {
            documents: Documents::new(&client, &namespace),
            secrets: Secrets::new(&client, &namespace),
            logs: Logs::new(client.clone(), &namespace),
            client,
            namespace,
            changes,
            leader: tokio::sync::watch::Sender::new(None),
            _watches: watches,
        })
    }

    /// The namespace that all of it is in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

#[async_trait]
impl Store for Kubernetes {
    async fn get(&self, key: &Key) -> Result<Option<Document>, Error> {
        match shape::of(key.kind) {
            Some(shape) => self.documents.get(shape, key).await,
            None => self.secrets.get(key).await,
        }
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Document>, Error> {
        let mut all = match shape::of(kind) {
            Some(shape) => self.documents.list(shape).await?,
            None => self.secrets.list(kind).await?,
        };
        all.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(all)
    }

    async fn create(&self, key: &Key, body: Value) -> Result<Document, Error> {
        match shape::of(key.kind) {
            Some(shape) => self.documents.create(shape, key, body).await,
            None => self.secrets.create(key, body).await,
        }
    }

    async fn replace(&self, document: &Document) -> Result<Document, Error> {
        match shape::of(document.key.kind) {
            Some(shape) => self.documents.replace(shape, document).await,
            None => self.secrets.replace(document).await,
        }
    }

    async fn delete(&self, key: &Key, version: Option<&str>) -> Result<bool, Error> {
        match shape::of(key.kind) {
            Some(shape) => self.documents.delete(shape, key, version).await,
            None => self.secrets.delete(key, version).await,
        }
    }

    async fn append(&self, log: &Log, lines: Vec<String>) -> Result<u64, Error> {
        self.logs.append(log, lines).await
    }

    async fn read(&self, log: &Log, behind: u64, limit: usize) -> Result<Vec<Line>, Error> {
        self.logs.read(log, behind, limit).await
    }

    async fn read_back(&self, log: &Log, before: u64, limit: usize) -> Result<Vec<Line>, Error> {
        self.logs.read_back(log, before, limit).await
    }

    async fn prune(&self, log: &Log, up_to: u64) -> Result<(), Error> {
        self.logs.prune(log, up_to).await
    }

    async fn forget(&self, log: &Log) -> Result<(), Error> {
        self.logs.forget(log).await
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}
