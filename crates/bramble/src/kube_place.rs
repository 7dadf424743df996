//! The cluster's API as the engine's second place: reached through SSH, so that jump hosts and
//! addresses behind NAT need nothing more.

use async_trait::async_trait;
use bramble_engine::Sessions;
use bramble_engine::api::{ApiChange, ApiError, ApiPlace, ApiProgress};
use bramble_fleet::{Forward, Session};
use bramble_kube::{Api, Error, Progress};
use bramble_machine::api::ApiResource;
use bramble_machine::step::ApiStep;
use bramble_secret::Secret;
use bramble_spec::Cluster;
use bramble_spec::cluster::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a step in the API may take: nodes that become ready, images that are pulled.
const LIMIT: Duration = Duration::from_secs(600);
/// How long the API server may take to answer after it was made.
const READY: Duration = Duration::from_secs(120);

/// An open connection to the API.
pub struct Connected {
    /// The API.
    pub api: Api,
    /// Keeps the way through SSH open.
    _forward: Forward,
}

/// The API of a cluster.
pub struct KubePlace {
    control_planes: Vec<(String, String)>,
    connected: Mutex<Option<Arc<Connected>>>,
}

impl KubePlace {
    /// Of this cluster; connects when it is needed.
    pub fn new(cluster: &Cluster) -> Self {
        let control_planes = cluster
            .with_role(Role::ControlPlane)
            .map(|m| (m.name.clone(), m.address.to_string()))
            .collect();
        Self {
            control_planes,
            connected: Mutex::new(None),
        }
    }

    /// The open connection; `None` while there is no control plane.
    ///
    /// # Errors
    /// There is a control plane, but it doesn't answer.
    pub async fn connect(&self, sessions: &Sessions) -> Result<Option<Arc<Connected>>, ApiError> {
        let mut connected = self.connected.lock().await;
        if connected.is_none() {
            *connected = self.open(sessions).await?.map(Arc::new);
        }
        Ok(connected.clone())
    }

    /// Through the first control plane that has an admin's kubeconfig and answers.
    async fn open(&self, sessions: &Sessions) -> Result<Option<Connected>, ApiError> {
        let mut problem = None;
        for (name, address) in &self.control_planes {
            let Some(session) = sessions.get(name) else {
                continue;
            };
            let Some(kubeconfig) = admin(session).await? else {
                continue;
            };
            let forward = session
                .forward(address, 6443)
                .await
                .map_err(|e| fleet(&e))?;
            match Api::connect(&kubeconfig, Some(forward.local)).await {
                Ok(api) => {
                    return Ok(Some(Connected {
                        api,
                        _forward: forward,
                    }));
                }
                Err(error) => problem = Some(kube(&error)),
            }
        }
        problem.map_or(Ok(None), Err)
    }

    /// Steps that made something in the cluster and are no longer wanted.
    ///
    /// # Errors
    /// The API doesn't answer.
    pub async fn retired(
        &self,
        sessions: &Sessions,
        wanted: &[ApiStep],
    ) -> Result<Vec<ApiStep>, ApiError> {
        let Some(connected) = self.connect(sessions).await? else {
            return Ok(Vec::new());
        };
        let steps = connected.api.steps().await.map_err(|e| kube(&e))?;
        let gone = steps
            .into_iter()
            .filter(|name| !wanted.iter().any(|w| w.name == *name));
        Ok(gone
            .map(|name| ApiStep {
                name,
                resources: Vec::new(),
                needs: Vec::new(),
            })
            .collect())
    }
}

/// The admin's kubeconfig on a control plane; `None` where there is none.
///
/// # Errors
/// The connection broke.
pub async fn admin(session: &Session) -> Result<Option<Secret>, ApiError> {
    let program = b"[ ! -e /etc/kubernetes/admin.conf ] || cat /etc/kubernetes/admin.conf";
    let done = session
        .run(program, Duration::from_secs(20), "read admin.conf", |_| {})
        .await
        .map_err(|error| match error {
            // The error would quote the last line that came, and here that is a key.
            bramble_fleet::Error::TimedOut { machine, .. } => ApiError {
                message: format!("{machine}: /etc/kubernetes/admin.conf was not read within 20 s"),
                log: Vec::new(),
            },
            error => fleet(&error),
        })?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    Ok((!text.trim().is_empty()).then(|| Secret::new(text)))
}

#[async_trait]
impl ApiPlace for KubePlace {
    async fn plan(
        &self,
        sessions: &Sessions,
        steps: &[ApiStep],
    ) -> Result<Option<Vec<Vec<ApiChange>>>, ApiError> {
        let Some(connected) = self.connect(sessions).await? else {
            return Ok(None);
        };
        let mut planned = connected.api.plan(steps).await.map_err(|e| kube(&e))?;
        let out_of_reach = unreachable(sessions, steps);
        planned
            .iter_mut()
            .for_each(|step| step.retain(|p| !out_of_reach.contains(&p.id)));
        let change = |p: bramble_kube::Planned| ApiChange {
            id: p.id,
            verb: p.verb,
            summary: p.summary,
            diff: p.diff,
        };
        Ok(Some(
            planned
                .into_iter()
                .map(|s| s.into_iter().map(change).collect())
                .collect(),
        ))
    }

    async fn apply(
        &self,
        sessions: &Sessions,
        step: &ApiStep,
        on: &(dyn Fn(ApiProgress) + Send + Sync),
    ) -> Result<usize, ApiError> {
        let connected = self.connect(sessions).await?.ok_or_else(|| ApiError {
            message: "no control plane has /etc/kubernetes/admin.conf".into(),
            log: Vec::new(),
        })?;
        let api = &connected.api;
        api.wait_ready(READY, |p| tell(on, p))
            .await
            .map_err(|e| kube(&e))?;
        let mut within_reach = step.clone();
        let out_of_reach = unreachable(sessions, std::slice::from_ref(step));
        within_reach
            .resources
            .retain(|r| !out_of_reach.contains(&r.id()));
        let applied = api
            .apply(&within_reach, LIMIT, |p| tell(on, p))
            .await
            .map_err(|e| kube(&e))?;
        // Pruned against the whole: what is out of reach today still belongs to the step.
        let removed = api
            .prune(&step.name, &step.resources, LIMIT, |p| tell(on, p))
            .await
            .map_err(|e| kube(&e))?;
        Ok(applied.iter().filter(|a| a.changed).count() + removed.len())
    }
}

/// Ids of nodes whose machine can't be reached: nobody waits for them to become ready.
fn unreachable(sessions: &Sessions, steps: &[ApiStep]) -> Vec<String> {
    let resources = steps.iter().flat_map(|s| &s.resources);
    resources
        .filter(|r| matches!(r, ApiResource::Node { name, .. } if !sessions.contains_key(name)))
        .map(ApiResource::id)
        .collect()
}

fn tell(on: &(dyn Fn(ApiProgress) + Send + Sync), progress: Progress) {
    match progress {
        Progress::Changed { id } => on(ApiProgress::Changed { id }),
        Progress::Waiting { what, since, limit } => {
            on(ApiProgress::Waiting { what, since, limit });
        }
        Progress::Started { .. } | Progress::Unchanged { .. } => {}
    }
}

fn kube(error: &Error) -> ApiError {
    let mut message = crate::error::chain(error);
    if let Some(hint) = error.hint() {
        message = format!("{message}. Remedy: {hint}");
    }
    ApiError {
        message,
        log: error.log().to_vec(),
    }
}

fn fleet(error: &bramble_fleet::Error) -> ApiError {
    ApiError {
        message: crate::error::chain(error),
        log: Vec::new(),
    }
}
