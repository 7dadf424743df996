//! What is looked at: every machine, then the API through one of them.

use super::planes::{self, Plane};
use crate::args::Global;
use crate::commands::session::{identity, stranger};
use crate::context::Context;
use crate::error::{CliError, chain};
use crate::kube_place::KubePlace;
use crate::progress::Progress;
use bramble_engine::identity::foreign;
use bramble_engine::plan::{self, Scope};
use bramble_engine::{ApiPlace, Look, Sessions};
use bramble_fleet::Session;
use bramble_kube::{ClusterStatus, NodeStatus};
use bramble_machine::journal::Identity;
use bramble_machine::{Blueprint, Facts};
use bramble_spec::cluster::{Machine, Role};
use futures::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long reading a machine's vitals may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What changes from minute to minute and decides nothing, so that no plan asks for it.
const VITALS: &str = concat!(
    crate::commands::fleet::age!(),
    "echo \"up $age\"\n",
    "while read -r key value rest; do\n",
    "  case $key in MemTotal:) echo \"total $value\" ;; MemAvailable:) echo \"free $value\" ;; esac\n",
    "done < /proc/meminfo\n",
    "[ ! -r /etc/os-release ] || { . /etc/os-release; echo \"os $PRETTY_NAME\"; }\n",
);

/// Everything that was seen.
pub struct State {
    /// In the order of the file.
    pub machines: Vec<MachineState>,
    /// What the API says.
    pub api: ApiState,
    /// Control planes that were reached and are made.
    pub planes: Vec<Plane>,
    /// Changes that a plan would make in the API, if that is known.
    pub api_drift: Option<usize>,
    /// Things worth a remark.
    pub remarks: Vec<String>,
}

/// One machine.
pub struct MachineState {
    /// Its name.
    pub name: String,
    /// What was seen, or why it was not.
    pub seen: Result<Seen, String>,
}

/// What a machine is.
pub struct Seen {
    /// What a plan builds on.
    pub facts: Facts,
    /// What it does not.
    pub vitals: Vitals,
    /// How far it is from the file.
    pub drift: Drift,
}

/// What a plan would do to a machine.
pub enum Drift {
    /// So many changes.
    Changes(usize),
    /// It can't be made what the file says.
    Obstacles(Vec<String>),
    /// Without a bundle there is no plan.
    Unknown,
}

/// What changes from minute to minute.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Vitals {
    /// Full name of the operating system.
    pub os: Option<String>,
    /// Seconds since boot.
    pub uptime: Option<u64>,
    /// KiB.
    pub memory: Option<u64>,
    /// KiB that programs can still have.
    pub memory_free: Option<u64>,
}

/// The API.
pub enum ApiState {
    /// It answers.
    Answers(Box<ClusterStatus>),
    /// There is none yet.
    Absent,
    /// It should answer, but does not.
    Silent(String),
}

/// Looks at everything.
pub async fn look(
    context: &Context,
    global: &Global,
    progress: &Progress,
) -> Result<State, CliError> {
    let fleet = context.fleet(global);
    let targets = context.targets(&[])?;
    let planned =
        context.bundle.is_some() || !context.cluster.machines.iter().any(Machine::is_node);
    let whole = |facts: &BTreeMap<String, Facts>| {
        if planned {
            context.blueprint(facts)
        } else {
            Blueprint::default()
        }
    };
    progress.looking(targets.len());
    // Machines that can't be reached are part of the result, and said there.
    let look = bramble_engine::observe(&fleet, &targets, &whole, &|_, _| {}).await;
    let blueprint = whole(&look.facts());
    let place = KubePlace::new(&context.cluster);
    let (vitals, planes, (api, api_drift)) = futures::join!(
        vitals(&look.sessions),
        planes::read(&context.cluster, &look.sessions),
        cluster(&place, &look.sessions, &blueprint, planned)
    );
    let unseen = context
        .cluster
        .with_role(Role::ControlPlane)
        .find(|m| look.unseen.contains_key(&m.name));
    let api = match (api, unseen) {
        // Whoever would know was not asked.
        (ApiState::Absent, Some(machine)) => {
            ApiState::Silent(format!("its machine {} is not reached", machine.name))
        }
        (api, _) => api,
    };
    let cluster = identity(context, &look);
    let machines = context
        .cluster
        .machines
        .iter()
        .map(|m| machine(m, &look, &cluster, &blueprint, planned, &vitals))
        .collect();
    let mut remarks = blueprint.remarks;
    remarks.extend(planes::remarks(&planes));
    if let ApiState::Answers(status) = &api {
        let stranger = |node: &bramble_kube::NodeStatus| {
            stranger(&context.cluster, &node.name, node.cluster.as_deref())
        };
        remarks.extend(status.nodes.iter().filter_map(stranger));
    }
    Ok(State {
        machines,
        api,
        planes,
        api_drift,
        remarks,
    })
}

fn machine(
    machine: &Machine,
    look: &Look,
    cluster: &Identity,
    blueprint: &Blueprint,
    planned: bool,
    vitals: &BTreeMap<String, Vitals>,
) -> MachineState {
    let name = machine.name.clone();
    let Some(seen) = look.seen.get(&name) else {
        let why = look
            .unseen
            .get(&name)
            .map_or_else(|| "it was not looked at".into(), |e| chain(e));
        return MachineState {
            name,
            seen: Err(why),
        };
    };
    let drift = if let Some(obstacle) = foreign(cluster, &name, seen) {
        Drift::Obstacles(vec![obstacle.message])
    } else if planned {
        match plan::towards(blueprint, &name, seen, &Scope::default()) {
            Ok(plan) => Drift::Changes(plan.changes()),
            Err(errors) => Drift::Obstacles(errors.iter().map(ToString::to_string).collect()),
        }
    } else {
        Drift::Unknown
    };
    let vitals = vitals.get(&name).cloned().unwrap_or_default();
    MachineState {
        seen: Ok(Seen {
            facts: seen.facts.clone(),
            vitals,
            drift,
        }),
        name,
    }
}

/// The state of the API and what a plan would change in it.
async fn cluster(
    place: &KubePlace,
    sessions: &Sessions,
    blueprint: &Blueprint,
    planned: bool,
) -> (ApiState, Option<usize>) {
    let connected = match place.connect(sessions).await {
        Ok(Some(connected)) => connected,
        Ok(None) => return (ApiState::Absent, None),
        Err(error) => return (ApiState::Silent(error.message), None),
    };
    let state = match connected.api.status().await {
        Ok(status) => ApiState::Answers(Box::new(status)),
        Err(error) => return (ApiState::Silent(chain(&error)), None),
    };
    if !planned {
        return (state, None);
    }
    (state, drift(place, sessions, blueprint).await)
}

/// Changes that a plan would make in the API, removals included.
async fn drift(place: &KubePlace, sessions: &Sessions, blueprint: &Blueprint) -> Option<usize> {
    let mut steps = blueprint.api.clone();
    steps.extend(place.retired(sessions, &blueprint.api).await.ok()?);
    let changes = place.plan(sessions, &steps).await.ok()??;
    Some(changes.iter().map(Vec::len).sum())
}

async fn vitals(sessions: &Sessions) -> BTreeMap<String, Vitals> {
    let read = sessions
        .iter()
        .map(|(name, session)| async move { (name.clone(), read_vitals(session).await) });
    join_all(read).await.into_iter().collect()
}

/// What can't be read stays unknown: the look itself went well.
async fn read_vitals(session: &Session) -> Vitals {
    match session
        .run(VITALS.as_bytes(), LIMIT, "read the vitals", |_| {})
        .await
    {
        Ok(done) => Vitals::parse(&String::from_utf8_lossy(&done.stdout)),
        Err(_) => Vitals::default(),
    }
}

impl Vitals {
    fn parse(text: &str) -> Self {
        let get = |key: &str| {
            text.lines()
                .find_map(|l| l.strip_prefix(key)?.strip_prefix(' '))
                .map(str::trim)
        };
        let number = |key: &str| get(key).and_then(|v| v.parse().ok());
        Self {
            os: get("os").filter(|os| !os.is_empty()).map(str::to_owned),
            uptime: number("up"),
            memory: number("total"),
            memory_free: number("free"),
        }
    }
}

impl State {
    /// Names of machines that could not be looked at.
    pub fn unreachable(&self) -> Vec<&str> {
        self.machines
            .iter()
            .filter(|m| m.seen.is_err())
            .map(|m| m.name.as_str())
            .collect()
    }

    /// What keeps the API from being used.
    pub fn api_troubles(&self) -> Vec<String> {
        match &self.api {
            ApiState::Answers(status) => {
                let failing = status.checks.iter().filter(|c| !c.ok);
                failing
                    .map(|c| format!("the API server's check {} fails: {}", c.name, c.message))
                    .collect()
            }
            ApiState::Absent => vec!["there is no cluster yet".into()],
            ApiState::Silent(why) => vec![format!("the API does not answer: {why}")],
        }
    }

    /// What keeps machines of the file from being nodes that are ready.
    pub fn node_troubles(&self, context: &Context) -> Vec<String> {
        match &self.api {
            ApiState::Answers(status) => missing_nodes(context, status),
            _ => self.api_troubles(),
        }
    }

    /// Everything that is not as it should be, one line for each.
    pub fn troubles(&self, context: &Context) -> Vec<String> {
        let mut out = Vec::new();
        for machine in &self.machines {
            let name = &machine.name;
            match &machine.seen {
                Err(why) => out.push(format!("{name} is not reached: {why}")),
                Ok(Seen {
                    drift: Drift::Changes(0),
                    ..
                }) => {}
                Ok(Seen {
                    drift: Drift::Changes(n),
                    ..
                }) => {
                    let s = if *n == 1 { "" } else { "s" };
                    out.push(format!("{name} differs from the file: {n} change{s}"));
                }
                Ok(Seen {
                    drift: Drift::Obstacles(why),
                    ..
                }) => {
                    out.push(format!(
                        "{name} can't be made what the file says: {}",
                        why.join("; ")
                    ));
                }
                Ok(Seen {
                    drift: Drift::Unknown,
                    ..
                }) => {}
            }
        }
        match &self.api {
            ApiState::Answers(status) => {
                out.extend(api_troubles(context, status));
                out.extend(
                    status
                        .nodes
                        .iter()
                        .flat_map(|n| node_troubles(&status.version, n)),
                );
            }
            ApiState::Absent => out.push("there is no cluster yet".into()),
            ApiState::Silent(why) => out.push(format!("the API does not answer: {why}")),
        }
        out.extend(planes::troubles(&context.cluster, &self.planes));
        if let Some(n) = self.api_drift.filter(|n| *n > 0) {
            let s = if n == 1 { "" } else { "s" };
            out.push(format!(
                "the cluster's objects differ from the file: {n} change{s}"
            ));
        }
        out
    }
}

fn missing_nodes(context: &Context, status: &ClusterStatus) -> Vec<String> {
    let mut out = Vec::new();
    for machine in context.cluster.machines.iter().filter(|m| m.is_node()) {
        match status.nodes.iter().find(|n| n.name == machine.name) {
            None => out.push(format!("{} has not joined the cluster", machine.name)),
            Some(node) if !node.ready => {
                let why = node.why.as_deref().unwrap_or("it does not say why");
                out.push(format!("node {} is not ready: {why}", node.name));
            }
            Some(node) if !node.schedulable => {
                out.push(format!("node {} takes no new pods (cordoned)", node.name));
            }
            Some(_) => {}
        }
    }
    out
}

fn api_troubles(context: &Context, status: &ClusterStatus) -> Vec<String> {
    let mut out = missing_nodes(context, status);
    for check in status.checks.iter().filter(|c| !c.ok) {
        out.push(format!(
            "the API server's check {} fails: {}",
            check.name, check.message
        ));
    }
    for pod in status.troubled.iter().filter(|p| !p.starting) {
        out.push(format!("pod {}/{}: {}", pod.namespace, pod.name, pod.why));
    }
    out
}

/// Conditions of a node that it suffers from, and a kubelet that doesn't fit the API server (kubernetes.io,
/// "Version Skew Policy": never newer, and since 1.28 up to three minor releases older, before two).
fn node_troubles(api: &str, node: &NodeStatus) -> Vec<String> {
    let mut out = Vec::new();
    let bad = node
        .conditions
        .iter()
        .filter(|c| c.kind.ends_with("Pressure"));
    for condition in bad.filter(|c| c.status == "True") {
        out.push(format!(
            "node {} has {}: {}",
            node.name, condition.kind, condition.message
        ));
    }
    let parse = |text: &str| bramble_bundle::parse_version(text).ok();
    if let (Some(server), Some(kubelet)) = (parse(api), parse(&node.version)) {
        let older = if server.minor >= 28 { 3 } else { 2 };
        if kubelet.minor > server.minor {
            out.push(format!(
                "the kubelet of {} ({kubelet}) is newer than the API server ({server})",
                node.name
            ));
        } else if kubelet.minor + older < server.minor {
            out.push(format!(
                "the kubelet of {} ({kubelet}) is too old for the API server ({server})",
                node.name
            ));
        } else if kubelet != server {
            out.push(format!(
                "an upgrade is not finished: the kubelet of {} is {kubelet}, the API server {server} (bramble up goes on)",
                node.name
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Vitals;

    #[test]
    fn vitals_that_are_missing_are_unknown() {
        let vitals = Vitals::parse("up 7200\ntotal 4000000\nos Debian GNU/Linux 12 (bookworm)\n");
        assert_eq!(vitals.uptime, Some(7200));
        assert_eq!(vitals.os.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!((vitals.memory, vitals.memory_free), (Some(4_000_000), None));
        assert_eq!(Vitals::parse("noise"), Vitals::default());
    }
}
