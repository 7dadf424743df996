//! Emptying a node, with respect for disruption budgets.

use crate::Error;
use crate::api::Api;
use crate::node;
use crate::pods;
use crate::rest::{escaped, refused};
use crate::wait::{Clock, Look, Progress, Wait};
use http::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// An eviction whose precondition fails is retried by old servers for 10 s before they answer.
const EVICTION: Duration = Duration::from_secs(15);
/// How much longer than its grace a pod may take until its kubelet looks stuck: volumes, cgroups, status.
const LATE: Duration = Duration::from_secs(20);
/// Annotation of a pod that a kubelet runs from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// How to drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainOptions {
    /// How long all of it may take.
    pub limit: Duration,
    /// How long a pod may take to end; `None` = as the pod says.
    pub grace: Option<Duration>,
    /// Evict pods that no controller would start again, too: they are lost.
    pub force: bool,
}

impl Default for DrainOptions {
    /// 5 minutes, as pods say, nothing is lost.
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(300),
            grace: None,
            force: false,
        }
    }
}

/// What an eviction came to.
enum Outcome {
    Accepted,
    /// A budget or the server asks to try again later.
    Later(String),
}

impl Api {
    /// Keeps new pods off a node and evicts the others, waiting where a disruption budget says so.
    /// Pods of DaemonSets and of the node's own files stay; data in `emptyDir` volumes goes with
    /// its pod. Gives the pods that went, as `namespace/name`. The node stays cordoned, also when
    /// the limit passes.
    ///
    /// # Errors
    /// [`Error::Unmanaged`] before anything is evicted; [`Error::Undrained`] with the pods that are
    /// left and why.
    pub async fn drain(
        &self,
        name: &str,
        options: &DrainOptions,
        mut on: impl FnMut(Progress) + Send,
    ) -> Result<Vec<String>, Error> {
        self.cordon(name).await?;
        let lost: Vec<String> = self
            .movable(name)
            .await?
            .iter()
            .filter(|pod| !ended(pod) && controller(pod).is_none())
            .map(place)
            .collect();
        if !lost.is_empty() && !options.force {
            return Err(Error::Unmanaged {
                node: name.into(),
                pods: lost,
            });
        }
        let mut gone: Vec<String> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let mut ending: HashMap<String, Instant> = HashMap::new();
        let mut wait = Wait::new(Clock::new(options.limit), &mut on);
        let outcome = loop {
            let look = async {
                let left = self.movable(name).await?;
                let names: Vec<String> = left.iter().map(place).collect();
                for pod in &seen {
                    if !names.contains(pod) && !gone.contains(pod) {
                        gone.push(pod.clone());
                    }
                }
                if left.is_empty() {
                    return Ok(Look::Done(()));
                }
                let mut reasons = Vec::new();
                for pod in &left {
                    let place = place(pod);
                    if !seen.contains(&place) {
                        seen.push(place.clone());
                    }
                    if pod.pointer("/metadata/deletionTimestamp").is_some() {
                        let since = *ending.entry(place.clone()).or_insert_with(Instant::now);
                        reasons.push(format!("{place} {}", ends(pod, since.elapsed())));
                        continue;
                    }
                    match self.evict(pod, options.grace).await? {
                        Outcome::Accepted => reasons.push(format!("{place} ends")),
                        Outcome::Later(why) => reasons.push(format!("{place}: {why}")),
                    }
                }
                Ok(Look::Not(format!(
                    "node {name} to be empty: {}",
                    reasons.join("; ")
                )))
            };
            if let Some(end) = wait.judge(look.await).await.transpose() {
                break end;
            }
        };
        match outcome {
            Ok(()) => Ok(gone),
            Err(Error::Expired { what, limit, .. }) => Err(Error::Undrained {
                what,
                limit,
                log: self.left_on(name).await,
            }),
            Err(error) => Err(error),
        }
    }

    /// What a node and the pods that are left on it are doing. Only to explain: what can't be asked is left out.
    async fn left_on(&self, name: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if let Ok(Some(found)) = self.rest().get(&node::path(name)).await {
            lines.push(match node::readiness(&found) {
                Ok(()) => format!("node {name} is ready"),
                Err(why) => format!("node {name} is not ready: {why}"),
            });
        }
        for pod in self.movable(name).await.unwrap_or_default() {
            let place = place(&pod);
            let containers = pod
                .pointer("/status/containerStatuses")
                .and_then(Value::as_array);
            for container in containers.into_iter().flatten() {
                let state = container.get("state").and_then(Value::as_object);
                let state = state.and_then(|s| s.keys().next());
                lines.push(format!(
                    "{place}: container {} is {}",
                    container.get("name").and_then(Value::as_str).unwrap_or("?"),
                    state.map_or("unknown", String::as_str)
                ));
            }
        }
        lines
    }

    /// Pods of a node that a drain moves.
    async fn movable(&self, name: &str) -> Result<Vec<Value>, Error> {
        let query = format!("fieldSelector=spec.nodeName%3D{}", escaped(name));
        let mut found = self.rest().list("/api/v1/pods", &query).await?;
        found.retain(|pod| {
            let mirror = pod
                .get("metadata")
                .and_then(|m| m.get("annotations")?.get(MIRROR))
                .is_some();
            let daemon = controller(pod) == Some("DaemonSet");
            !mirror && (!daemon || ended(pod))
        });
        Ok(found)
    }

    /// Asks for one eviction. The body names no version: each server takes its own.
    async fn evict(&self, pod: &Value, grace: Option<Duration>) -> Result<Outcome, Error> {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/eviction",
            escaped(pods::namespace(pod)),
            escaped(pods::name(pod))
        );
        // A pod of the same name that was started elsewhere meanwhile must not be hit.
        let mut options = json!({
            "preconditions": { "uid": pod.pointer("/metadata/uid") },
        });
        if let Some(grace) = grace {
            options["gracePeriodSeconds"] = grace.as_secs().into();
        }
        let body = json!({
            "metadata": { "name": pods::name(pod), "namespace": pods::namespace(pod) },
            "deleteOptions": options,
        });
        let (code, answer) = self
            .rest()
            .once(
                Method::POST,
                &path,
                Some(("application/json", &body)),
                EVICTION,
            )
            .await?;
        match code {
            200..300 => Ok(Outcome::Accepted),
            // Gone, or another one by now: the next look tells.
            404 | 409 => Ok(Outcome::Accepted),
            429 => match refused(String::new(), code, &answer) {
                Error::Refused { message, .. } => Ok(Outcome::Later(budget(&answer, message))),
                error => Err(error),
            },
            _ => Err(refused(format!("evict {}", place(pod)), code, &answer)),
        }
    }
}

/// The most exact reason that a 429 gives.
fn budget(answer: &[u8], message: String) -> String {
    serde_json::from_slice::<Value>(answer)
        .ok()
        .and_then(|status| {
            let causes = status.pointer("/details/causes")?.as_array()?.clone();
            let cause = causes
                .iter()
                .find(|c| c.get("reason").and_then(Value::as_str) == Some("DisruptionBudget"))?;
            Some(cause.get("message")?.as_str()?.to_owned())
        })
        .unwrap_or(message)
}

/// What a pod that was asked to end is doing, this long after it was first seen to end.
fn ends(pod: &Value, since: Duration) -> String {
    let grace = pod
        .pointer("/metadata/deletionGracePeriodSeconds")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    if since <= Duration::from_secs(grace) + LATE {
        return "ends".into();
    }
    format!("should have ended within {grace} s, but its kubelet does not say so")
}

fn place(pod: &Value) -> String {
    format!("{}/{}", pods::namespace(pod), pods::name(pod))
}

fn ended(pod: &Value) -> bool {
    matches!(pods::phase(pod), "Succeeded" | "Failed")
}

/// Kind of what would start it again.
fn controller(pod: &Value) -> Option<&str> {
    pod.pointer("/metadata/ownerReferences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
        .and_then(|owner| owner.get("kind")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_late_only_after_its_grace_and_what_a_kubelet_needs_besides() {
        let pod = json!({"metadata": {"deletionGracePeriodSeconds": 30}});
        assert_eq!(ends(&pod, Duration::from_secs(45)), "ends");
        let late = ends(&pod, Duration::from_secs(55));
        assert!(late.contains("within 30 s"), "{late}");
    }
}
