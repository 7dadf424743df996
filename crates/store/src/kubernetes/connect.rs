//! The way to the API, and whether it leads where it should.

use super::rest::{self, Fault};
use super::{chunk, own, resource, secrets, shape};
use crate::error::Error;
use kube::api::{Api, DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::PathBuf;
use std::time::Duration;

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);

/// Where the API is. Everything that is left out is as `kubectl` has it, or as a pod's service account.
#[derive(Debug, Clone, Default)]
pub struct KubernetesSettings {
    /// The kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
}

/// A client and the namespace.
pub(super) async fn client(settings: &KubernetesSettings) -> Result<(Client, String), Error> {
    let mut config = config(settings).await.map_err(Error::Connect)?;
    config.connect_timeout = Some(CONNECT);
    // It would wait where the caller has a limit of its own.
    config.default_retry = false;
    let namespace = settings.namespace.clone();
    let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config).map_err(|e| Error::Connect(e.into()))?;
    Ok((client, namespace))
}

async fn config(
    settings: &KubernetesSettings,
) -> Result<Config, Box<dyn std::error::Error + Send + Sync>> {
    let options = KubeConfigOptions {
        context: settings.context.clone(),
        ..KubeConfigOptions::default()
    };
    Ok(match (&settings.kubeconfig, &settings.context) {
        (Some(path), _) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await?,
        (None, None) => Config::infer().await?,
    })
}

/// Asks for one object of each kind: what is missing or forbidden is told at the start.
pub(super) async fn check(client: &Client, namespace: &str) -> Result<(), Error> {
    let shapes = shape::SHAPES.into_iter().map(|s| (s.plural, resource(s)));
    let log = (chunk::PLURAL, own(chunk::WORD, chunk::PLURAL));
    for (plural, resource) in shapes.chain([log]) {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        match look(&api).await {
            Ok(()) => {}
            Err(Fault::Missing) => return Err(Error::Undefined(plural)),
            Err(fault) => return Err(unusable(fault)),
        }
    }
    let api = Api::namespaced_with(client.clone(), namespace, &secrets::resource());
    look(&api).await.map_err(unusable)
}

async fn look(api: &Api<DynamicObject>) -> Result<(), Fault> {
    let one = ListParams::default().limit(1);
    let looked = rest::read("look at the namespace", || api.list_metadata(&one)).await;
    looked.map(drop)
}

fn unusable(fault: Fault) -> Error {
    match fault.unexpected("look at the namespace") {
        Error::Home { source, .. } => Error::Connect(source),
        error => error,
    }
}
