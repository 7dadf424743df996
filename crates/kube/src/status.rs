//! The state of a cluster, for people and programs.

use crate::Error;
use crate::pods;
use crate::rest::{Rest, refused};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Warnings shown.
const WARNINGS: usize = 20;
/// How a node says which roles it has.
const ROLE: &str = "node-role.kubernetes.io/";

/// A cluster at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Of the API server: `v1.34.2`.
    pub version: String,
    /// In the order of names.
    pub nodes: Vec<NodeStatus>,
    /// How many pods are in which phase, by namespace.
    pub pods: Vec<PodCount>,
    /// The ones that don't do what they should.
    pub troubled: Vec<PodTrouble>,
    /// What the API server checks about itself.
    pub checks: Vec<Check>,
    /// The last warnings, newest last; at most 20.
    pub warnings: Vec<WarningEvent>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Name.
    pub name: String,
    /// Whether it can run pods.
    pub ready: bool,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether new pods may go there.
    pub schedulable: bool,
    /// Whether Bramble has cordoned it for a while.
    pub drained: bool,
    /// From its labels.
    pub roles: Vec<String>,
    /// Of its kubelet.
    pub version: String,
    /// Kind (`InternalIP`, `Hostname`, ...) and address.
    pub addresses: Vec<(String, String)>,
    /// Empty if none.
    pub pod_cidr: String,
    /// All that it reports.
    pub conditions: Vec<NodeCondition>,
    /// Since it joined.
    #[serde(serialize_with = "seconds")]
    pub age: Duration,
    /// The cluster that it was made a node of by Bramble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// A condition of a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeCondition {
    /// `Ready`, `MemoryPressure`, ...
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// In its own words.
    pub message: String,
}

/// Pods of a namespace in a phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodCount {
    /// Namespace.
    pub namespace: String,
    /// `Running`, `Pending`, ...
    pub phase: String,
    /// How many.
    pub count: usize,
}

/// A pod that is not ready.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodTrouble {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Where it is or is to be; may be empty.
    pub node: String,
    /// Phase.
    pub phase: String,
    /// Why: reason and last message.
    pub why: String,
    /// Of all its containers together.
    pub restarts: u64,
    /// It began a moment ago, and nothing is wrong with it so far.
    pub starting: bool,
}

/// One check of `/readyz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Name such as `etcd`.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// What it said.
    pub message: String,
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarningEvent {
    /// Namespace.
    pub namespace: String,
    /// `Pod/web-1`.
    pub object: String,
    /// One word.
    pub reason: String,
    /// In its own words.
    pub message: String,
    /// How often.
    pub count: u64,
    /// When last, RFC 3339.
    pub last: String,
}

fn seconds<S: Serializer>(value: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(value.as_secs())
}

fn text<'a>(of: &'a Value, pointer: &str) -> &'a str {
    of.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn list<'a>(of: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    of.pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Asks for all of it at once.
pub(crate) async fn read(rest: &Rest) -> Result<ClusterStatus, Error> {
    let (version, nodes, pods, checks, events) = futures::try_join!(
        rest.get("/version"),
        rest.list("/api/v1/nodes", ""),
        rest.list("/api/v1/pods", ""),
        checks(rest),
        rest.list("/api/v1/events", "fieldSelector=type%3DWarning"),
    )?;
    let now = jiff::Timestamp::now();
    let mut nodes: Vec<NodeStatus> = nodes.iter().map(|n| node(n, now)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for pod in &pods {
        *counts
            .entry((pods::namespace(pod), pods::phase(pod)))
            .or_default() += 1;
    }
    Ok(ClusterStatus {
        version: version
            .as_ref()
            .map_or("", |v| text(v, "/gitVersion"))
            .to_owned(),
        nodes,
        pods: counts
            .into_iter()
            .map(|((namespace, phase), count)| PodCount {
                namespace: namespace.into(),
                phase: phase.into(),
                count,
            })
            .collect(),
        troubled: pods.iter().filter_map(|pod| troubled(pod, now)).collect(),
        checks,
        warnings: warnings(&events),
    })
}

/// The API server's own checks.
pub(crate) async fn checks(rest: &Rest) -> Result<Vec<Check>, Error> {
    let (code, body) = rest.text("/readyz?verbose").await?;
    let checks = parse_checks(&body);
    // A server that isn't ready answers 500 with the same list.
    if checks.is_empty() || matches!(code, 401 | 403) {
        return Err(refused("GET /readyz".into(), code, body.as_bytes()));
    }
    Ok(checks)
}

fn parse_checks(body: &str) -> Vec<Check> {
    body.lines()
        .filter_map(|line| {
            let (ok, rest) = match (line.strip_prefix("[+]"), line.strip_prefix("[-]")) {
                (Some(rest), _) => (true, rest),
                (_, Some(rest)) => (false, rest),
                _ => return None,
            };
            let (name, message) = rest.split_once(' ').unwrap_or((rest, ""));
            Some(Check {
                name: name.into(),
                ok,
                message: message.into(),
            })
        })
        .collect()
}

fn node(node: &Value, now: jiff::Timestamp) -> NodeStatus {
    let readiness = crate::node::readiness(node);
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let age = text(node, "/metadata/creationTimestamp")
        .parse::<jiff::Timestamp>()
        .ok()
        .and_then(|made| Duration::try_from(now.duration_since(made)).ok())
        .unwrap_or_default();
    NodeStatus {
        name: crate::node::name(node).into(),
        ready: readiness.is_ok(),
        why: readiness.err(),
        schedulable: node.pointer("/spec/unschedulable") != Some(&Value::Bool(true)),
        drained: crate::node::drained(node),
        roles: labels
            .into_iter()
            .flatten()
            .filter_map(|(key, _)| key.strip_prefix(ROLE).map(str::to_owned))
            .collect(),
        version: text(node, "/status/nodeInfo/kubeletVersion").into(),
        addresses: list(node, "/status/addresses")
            .map(|a| (text(a, "/type").to_owned(), text(a, "/address").to_owned()))
            .collect(),
        pod_cidr: text(node, "/spec/podCIDR").into(),
        conditions: list(node, "/status/conditions")
            .map(|c| NodeCondition {
                kind: text(c, "/type").into(),
                status: text(c, "/status").into(),
                message: text(c, "/message").into(),
            })
            .collect(),
        age,
        cluster: crate::node::owner(node).map(str::to_owned),
    }
}

fn troubled(pod: &Value, now: jiff::Timestamp) -> Option<PodTrouble> {
    Some(PodTrouble {
        namespace: pods::namespace(pod).into(),
        name: pods::name(pod).into(),
        node: text(pod, "/spec/nodeName").into(),
        phase: pods::phase(pod).into(),
        why: pods::trouble(pod)?,
        restarts: list(pod, "/status/containerStatuses")
            .filter_map(|c| c.get("restartCount").and_then(Value::as_u64))
            .sum(),
        starting: pods::starting(pod, now),
    })
}

fn warnings(events: &[Value]) -> Vec<WarningEvent> {
    let mut out: Vec<WarningEvent> = events
        .iter()
        .map(|event| {
            let last = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"]
                .into_iter()
                .map(|pointer| text(event, pointer))
                .find(|time| !time.is_empty())
                .unwrap_or_else(|| text(event, "/metadata/creationTimestamp"));
            let count = |pointer: &str| event.pointer(pointer).and_then(Value::as_u64);
            WarningEvent {
                namespace: text(event, "/metadata/namespace").into(),
                object: format!(
                    "{}/{}",
                    text(event, "/involvedObject/kind"),
                    text(event, "/involvedObject/name")
                ),
                reason: text(event, "/reason").into(),
                message: text(event, "/message").trim().into(),
                count: count("/series/count").or(count("/count")).unwrap_or(1),
                last: last.into(),
            }
        })
        .collect();
    // Times are RFC 3339 in UTC: their text sorts as they do, to the second.
    out.sort_by(|a, b| a.last.cmp(&b.last));
    out.drain(..out.len().saturating_sub(WARNINGS));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_from_the_verbose_answer() {
        let body = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n";
        let checks = parse_checks(body);
        assert_eq!(checks.len(), 2);
        assert!(checks[0].ok && checks[0].name == "ping");
        assert!(!checks[1].ok && checks[1].message == "failed: reason withheld");
    }
}
