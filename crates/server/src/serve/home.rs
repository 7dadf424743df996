//! Where a daemon keeps what it knows.

use super::Error;
use crate::replica::Replica;
use bramble_store::{Kubernetes, KubernetesSettings, Sqlite, Store};
use std::path::Path;
use std::sync::Arc;

/// Where a daemon keeps what it knows.
#[derive(Debug, Clone, Default)]
pub enum Home {
    /// In its folder: it is alone.
    #[default]
    Folder,
    /// In a Kubernetes API, with other daemons.
    Kubernetes(KubernetesSettings),
}

/// A home that is open.
pub(super) struct Opened {
    pub store: Arc<dyn Store>,
    /// What there is where several daemons share it.
    pub shared: Option<Shared>,
}

/// A home that several daemons share.
#[derive(Clone)]
pub(super) struct Shared {
    pub kubernetes: Arc<Kubernetes>,
    /// This daemon.
    pub replica: Arc<Replica>,
}

impl Opened {
    pub(super) async fn open(home: &Home, data: &Path) -> Result<Self, Error> {
        match home {
            Home::Folder => Ok(Self {
                store: Arc::new(Sqlite::open(&data.join("bramble.db")).await?),
                shared: None,
            }),
            Home::Kubernetes(settings) => {
                // Its folder first: who has it already is told so, whatever the API says.
                let replica = Arc::new(Replica::open(data)?);
                let kubernetes = Arc::new(Kubernetes::connect(settings).await?);
                Ok(Self {
                    store: kubernetes.clone(),
                    shared: Some(Shared {
                        kubernetes,
                        replica,
                    }),
                })
            }
        }
    }
}
