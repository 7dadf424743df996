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
use bramble_spec::cluster::{Endpoint, Role};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a step in the API may take: nodes that become ready, images that are pulled.
const LIMIT: Duration = Duration::from_secs(600);
/// How long the API server may take to answer after it was made or mended.
const READY: Duration = Duration::from_secs(120);
/// Where an API server listens.
const API_PORT: u16 = 6443;
/// Between two attempts to connect to it.
const PAUSE: Duration = Duration::from_secs(2);

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
    /// Ports at which a control plane may be asked, the best first.
    ports: Vec<u16>,
    connected: Mutex<Option<Arc<Connected>>>,
    /// A step has waited for an answer as long as it may: the next ones ask once.
    waited: AtomicBool,
}

/// What comparing the API with the file brought.
pub enum Compared {
    /// There is no control plane yet.
    Absent,
    /// There is one, but it doesn't answer; why.
    Silent(String),
    /// It answers.
    Known(Difference),
}

/// How the API differs from the file.
pub struct Difference {
    /// Steps with their changes: those of the file, then those that made something and are no
    /// longer in it.
    pub steps: Vec<(ApiStep, Vec<ApiChange>)>,
    /// All nodes.
    pub nodes: Vec<Node>,
}

/// A node of the cluster, in the file or not.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it can run pods.
    pub ready: bool,
    /// Whether a run that was cut off has left it drained.
    pub drained: bool,
    /// The cluster that Bramble made it for.
    pub cluster: Option<String>,
    /// Where it is.
    pub address: Option<IpAddr>,
    /// Whether it is a control plane.
    pub control_plane: bool,
}

impl From<bramble_kube::NodeStatus> for Node {
    fn from(node: bramble_kube::NodeStatus) -> Self {
        let mut addresses = node.addresses.iter();
        let inner = addresses.find(|(kind, _)| kind == "InternalIP");
        Self {
            ready: node.ready,
            drained: node.drained,
            address: inner.and_then(|(_, address)| address.parse().ok()),
            control_plane: node
                .roles
                .iter()
                .any(|role| role == "control-plane" || role == "master"),
            cluster: node.cluster,
            name: node.name,
        }
    }
}

impl KubePlace {
    /// Of this cluster; connects when it is needed.
    pub fn new(cluster: &Cluster) -> Self {
        let control_planes = cluster
            .with_role(Role::ControlPlane)
            .map(|m| (m.name.clone(), m.address.to_string()))
            .collect();
        // Leads to every API server that is ready, and not only to the machine's own.
        let balancer = match cluster.kubernetes.endpoint {
            Endpoint::Vip { port, .. } => Some(port),
            _ => None,
        };
        Self {
            control_planes,
            ports: balancer.into_iter().chain([API_PORT]).collect(),
            connected: Mutex::new(None),
            waited: AtomicBool::new(false),
        }
    }

    /// The same, by way of those that stay as long as one of them answers.
    #[must_use]
    pub fn without(mut self, leaving: &[String]) -> Self {
        self.control_planes
            .sort_by_key(|(name, _)| leaving.contains(name));
        self
    }

    /// All nodes; `None` while there is no control plane.
    ///
    /// # Errors
    /// There is a control plane, but it doesn't answer.
    pub async fn nodes(&self, sessions: &Sessions) -> Result<Option<Vec<Node>>, ApiError> {
        let Some(connected) = self.connect(sessions).await? else {
            return Ok(None);
        };
        let status = connected.api.status().await.map_err(|e| kube(&e))?;
        Ok(Some(status.nodes.into_iter().map(Node::from).collect()))
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
            for port in &self.ports {
                match through(session, address, *port).await {
                    Ok(Some(connected)) => return Ok(Some(connected)),
                    Ok(None) => break,
                    Err(error) => problem = Some(error),
                }
            }
        }
        problem.map_or(Ok(None), Err)
    }

    /// Compares the API with what the file wants of it. `scope` says which steps that are no longer
    /// in the file belong to it; `all` are all steps of the file.
    ///
    /// # Errors
    /// The API answers, but not to this: a manifest that it refuses.
    pub async fn compare(
        &self,
        sessions: &Sessions,
        wanted: &[ApiStep],
        all: &[ApiStep],
        scope: impl Fn(&str) -> bool,
    ) -> Result<Compared, ApiError> {
        let connected = match self.connect(sessions).await {
            Ok(Some(connected)) => connected,
            Ok(None) => return Ok(Compared::Absent),
            Err(error) => return Ok(Compared::Silent(error.message)),
        };
        let api = &connected.api;
        let asked = async {
            let mut steps = wanted.to_vec();
            let gone = retired(api, all).await?;
            steps.extend(gone.into_iter().filter(|step| scope(&step.name)));
            let changes = planned(api, sessions, &steps).await?;
            let nodes = api.status().await?.nodes;
            Ok(Difference {
                steps: steps.into_iter().zip(changes).collect(),
                nodes: nodes.into_iter().map(Node::from).collect(),
            })
        };
        match asked.await {
            Ok(difference) => Ok(Compared::Known(difference)),
            Err(error) if is_silence(&error) => {
                // Whoever needs it next connects anew.
                *self.connected.lock().await = None;
                Ok(Compared::Silent(kube(&error).message))
            }
            Err(error) => Err(kube(&error)),
        }
    }

    /// The connection, as soon as there is one: what a run has just mended takes its time.
    async fn awaited(
        &self,
        sessions: &Sessions,
        on: &(dyn Fn(ApiProgress) + Send + Sync),
    ) -> Result<Arc<Connected>, ApiError> {
        let begun = Instant::now();
        loop {
            let error = match self.connect(sessions).await {
                Ok(Some(connected)) => return Ok(connected),
                Ok(None) => {
                    return Err(ApiError {
                        message: "no control plane has /etc/kubernetes/admin.conf".into(),
                        log: Vec::new(),
                    });
                }
                Err(error) => error,
            };
            let since = begun.elapsed();
            if since >= READY || self.waited.load(Ordering::Relaxed) {
                self.waited.store(true, Ordering::Relaxed);
                return Err(error);
            }
            let what = "the API server to answer".into();
            let limit = READY;
            on(ApiProgress::Waiting { what, since, limit });
            tokio::time::sleep(PAUSE).await;
        }
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
        retired(&connected.api, wanted).await.map_err(|e| kube(&e))
    }
}

/// Through one control plane; `None` if it has no admin's kubeconfig.
async fn through(
    session: &Session,
    address: &str,
    port: u16,
) -> Result<Option<Connected>, ApiError> {
    let Some(kubeconfig) = admin(session).await? else {
        return Ok(None);
    };
    let forward = session
        .forward(address, port)
        .await
        .map_err(|e| fleet(&e))?;
    let api = Api::connect(&kubeconfig, Some(forward.local))
        .await
        .map_err(|e| kube(&e))?;
    Ok(Some(Connected {
        api,
        _forward: forward,
    }))
}

async fn retired(api: &Api, wanted: &[ApiStep]) -> Result<Vec<ApiStep>, Error> {
    let steps = api.steps().await?;
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

async fn planned(
    api: &Api,
    sessions: &Sessions,
    steps: &[ApiStep],
) -> Result<Vec<Vec<ApiChange>>, Error> {
    let planned = api.plan(steps).await?;
    let out_of_reach = unreachable(sessions, steps);
    let change = |p: bramble_kube::Planned| ApiChange {
        id: p.id,
        verb: p.verb,
        summary: p.summary,
        diff: p.diff,
    };
    Ok(planned
        .into_iter()
        .zip(steps)
        .map(|(all, step)| {
            all.into_iter()
                .filter(|p| !out_of_reach.contains(&p.id) && !is_stranger(step, &p.id))
                .map(change)
                .collect()
        })
        .collect())
}

/// Whether a change is about a node that the file no longer names. It runs on as it is until it is taken
/// down: who forgets that has a remark to read, and not a node without its labels.
fn is_stranger(step: &ApiStep, id: &str) -> bool {
    keeps_nodes(step) && id.starts_with("node:") && !step.resources.iter().any(|r| r.id() == id)
}

/// Whether a step takes nodes out of service or puts them back, which leaves nothing behind that could be
/// pruned. A step that wants nothing any more has all that it made to take away.
fn is_turn(step: &ApiStep) -> bool {
    let turns = |resource: &ApiResource| {
        matches!(
            resource,
            ApiResource::Drained { .. } | ApiResource::Serving { .. } | ApiResource::NoNode { .. }
        )
    };
    !step.resources.is_empty() && step.resources.iter().all(turns)
}

/// Whether a step is the one that says what nodes are.
fn keeps_nodes(step: &ApiStep) -> bool {
    let mut resources = step.resources.iter();
    resources.any(|r| matches!(r, ApiResource::Node { .. }))
}

/// Whether the API server doesn't answer, or only that it can't: its store is away, it is starting.
fn is_silence(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::NoAnswer { .. } => true,
        Error::Refused { code, .. } => *code == 429 || *code >= 500,
        _ => false,
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
        planned(&connected.api, sessions, steps)
            .await
            .map(Some)
            .map_err(|e| kube(&e))
    }

    fn can_be_left(&self, step: &ApiStep) -> bool {
        let drains = |r: &ApiResource| matches!(r, ApiResource::Drained { .. });
        !step.resources.is_empty() && step.resources.iter().all(drains)
    }

    /// Nodes that were being drained take pods again.
    async fn leave(&self, sessions: &Sessions, step: &ApiStep) -> Result<(), ApiError> {
        let Some(connected) = self.connect(sessions).await? else {
            return Ok(());
        };
        for resource in &step.resources {
            if let ApiResource::Drained { name, .. } = resource {
                let back = connected.api.uncordon_ours(name).await;
                back.map_err(|e| kube(&e))?;
            }
        }
        Ok(())
    }

    async fn apply(
        &self,
        sessions: &Sessions,
        step: &ApiStep,
        on: &(dyn Fn(ApiProgress) + Send + Sync),
    ) -> Result<usize, ApiError> {
        let connected = self.awaited(sessions, on).await?;
        let api = &connected.api;
        api.wait_ready(READY, |p| tell(on, p))
            .await
            .map_err(|e| kube(&e))?;
        if is_turn(step) {
            let applied = api.apply(step, LIMIT, |p| tell(on, p)).await;
            let applied = applied.map_err(|e| kube(&e))?;
            return Ok(applied.iter().filter(|a| a.changed).count());
        }
        let mut within_reach = step.clone();
        let out_of_reach = unreachable(sessions, std::slice::from_ref(step));
        within_reach
            .resources
            .retain(|r| !out_of_reach.contains(&r.id()));
        let applied = api
            .apply(&within_reach, LIMIT, |p| tell(on, p))
            .await
            .map_err(|e| kube(&e))?;
        if keeps_nodes(step) {
            return Ok(applied.iter().filter(|a| a.changed).count());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_no_longer_wanted_is_pruned() {
        let gone = ApiResource::NoNode { name: "two".into() };
        let step = |resources| ApiStep {
            name: "addon/demo".into(),
            needs: Vec::new(),
            resources,
        };
        assert!(is_turn(&step(vec![gone])));
        assert!(!is_turn(&step(Vec::new())));
    }

    #[test]
    fn a_node_that_the_file_no_longer_names_keeps_its_labels() {
        let node = |name: &str| ApiResource::Node {
            name: name.into(),
            labels: Default::default(),
            annotations: Default::default(),
            taints: None,
            pod_cidr: None,
        };
        let mut step = ApiStep {
            name: "nodes".into(),
            needs: Vec::new(),
            resources: vec![node("one"), node("two")],
        };
        assert!(is_stranger(&step, "node:three"));
        assert!(!is_stranger(&step, "node:two"));
        assert!(!is_stranger(&step, "v1/Service:default/node"));
        // Taken down by its name, the step gives all of them up.
        step.resources.clear();
        assert!(!is_stranger(&step, "node:three"));
    }
}
