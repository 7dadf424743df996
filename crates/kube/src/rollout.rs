//! Whether an object is rolled out, and why not.

use crate::Error;
use crate::pods;
use crate::rest::{Rest, escaped};
use crate::wait::{Clock, Listener, Look, Wait};
use serde_json::Value;

/// Pods named in a message.
const NAMED: usize = 3;

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Done,
    /// So many of so many.
    Going(String),
    /// It won't get there.
    Failed(String),
}

fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// Reads the state from an object's status. Kinds without a rollout are done. Pure.
pub(crate) fn state(object: &Value) -> State {
    let status = |name: &str| number(object, &format!("/status/{name}")).unwrap_or(0);
    let holds =
        |kind: &str| pods::condition(object, kind).is_some_and(|c| text(c, "/status") == "True");
    let reason = |kind: &str| {
        pods::condition(object, kind).map_or(String::new(), |c| {
            format!("{} {}", text(c, "/reason"), text(c, "/message"))
                .trim()
                .to_owned()
        })
    };
    let progress = |have: i64, want: i64| {
        if have >= want {
            State::Done
        } else {
            State::Going(format!("{have} of {want} available"))
        }
    };
    let kind = text(object, "/kind");
    let counts = matches!(kind, "Deployment" | "DaemonSet" | "StatefulSet");
    if counts && status("observedGeneration") < number(object, "/metadata/generation").unwrap_or(0)
    {
        return State::Going("not noticed by its controller yet".into());
    }
    match kind {
        "Deployment" => {
            let want = number(object, "/spec/replicas").unwrap_or(1);
            if status("updatedReplicas") < want {
                let mut what = format!("{} of {want} updated", status("updatedReplicas"));
                if holds("ReplicaFailure") {
                    what.push_str(&format!(" ({})", reason("ReplicaFailure")));
                }
                State::Going(what)
            } else if status("replicas") > status("updatedReplicas") {
                State::Going("old pods are still running".into())
            } else {
                progress(status("availableReplicas"), want)
            }
        }
        "DaemonSet" => {
            let want = status("desiredNumberScheduled");
            if text(object, "/spec/updateStrategy/type") != "OnDelete"
                && status("updatedNumberScheduled") < want
            {
                State::Going(format!(
                    "{} of {want} updated",
                    status("updatedNumberScheduled")
                ))
            } else {
                progress(status("numberAvailable"), want)
            }
        }
        "StatefulSet" => {
            let want = number(object, "/spec/replicas").unwrap_or(1);
            let kept = number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
            let rolling = text(object, "/spec/updateStrategy/type") != "OnDelete"
                && text(object, "/status/updateRevision")
                    != text(object, "/status/currentRevision");
            if rolling && status("updatedReplicas") < want - kept {
                State::Going(format!("{} of {want} updated", status("updatedReplicas")))
            } else {
                progress(status("readyReplicas"), want)
            }
        }
        "Job" => {
            if holds("Complete") {
                State::Done
            } else if holds("Failed") {
                State::Failed(format!("the job failed: {}", reason("Failed")))
            } else {
                let want = number(object, "/spec/completions").unwrap_or(1);
                State::Going(format!("{} of {want} completed", status("succeeded")))
            }
        }
        "CustomResourceDefinition" if !holds("Established") => {
            State::Going(format!("not served yet {}", reason("Established")))
        }
        "APIService" if !holds("Available") => {
            State::Going(format!("not available yet {}", reason("Available")))
        }
        _ => State::Done,
    }
}

/// A label selector as a query value; `None` if the object has none.
fn selector(object: &Value) -> Option<String> {
    let selector = object.pointer("/spec/selector")?;
    let mut parts = Vec::new();
    if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
        for (key, value) in labels {
            parts.push(format!("{key}={}", value.as_str()?));
        }
    }
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for expression in expressions.into_iter().flatten() {
        let key = text(expression, "/key");
        let values: Vec<&str> = expression
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let values = values.join(",");
        parts.push(match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Its pods that aren't ready.
async fn laggards(rest: &Rest, object: &Value) -> Result<Vec<Value>, Error> {
    let Some(selector) = selector(object) else {
        return Ok(Vec::new());
    };
    let path = format!(
        "/api/v1/namespaces/{}/pods",
        escaped(text(object, "/metadata/namespace"))
    );
    let query = format!("labelSelector={}", escaped(&selector));
    let mut found = rest.list(&path, &query).await?;
    found.retain(|pod| pods::trouble(pod).is_some());
    Ok(found)
}

fn reasons(laggards: &[Value]) -> Vec<String> {
    laggards
        .iter()
        .filter_map(|pod| Some(format!("{} {}", pods::name(pod), pods::trouble(pod)?)))
        .collect()
}

/// Waits until the object at `path` is rolled out.
pub(crate) async fn wait(
    rest: &Rest,
    id: &str,
    path: &str,
    clock: Clock,
    on: Listener<'_>,
) -> Result<(), Error> {
    let mut wait = Wait::new(clock, on);
    let outcome = loop {
        let look = async {
            let Some(object) = rest.get(path).await? else {
                return Err(Error::Failed {
                    id: id.into(),
                    what: "it was deleted while it was being rolled out".into(),
                    log: Vec::new(),
                });
            };
            match state(&object) {
                State::Done => Ok(Look::Done(())),
                State::Failed(what) => Err(Error::Failed {
                    id: id.into(),
                    what,
                    log: Vec::new(),
                }),
                State::Going(what) => {
                    let mut text = format!("{id}: {what}");
                    let reasons = reasons(&laggards(rest, &object).await?);
                    for reason in reasons.iter().take(NAMED) {
                        text.push_str(&format!("; {reason}"));
                    }
                    if reasons.len() > NAMED {
                        text.push_str(&format!("; and {} more", reasons.len() - NAMED));
                    }
                    Ok(Look::Not(text))
                }
            }
        };
        if let Some(end) = wait.judge(look.await).await.transpose() {
            break end;
        }
    };
    match outcome {
        Err(Error::Expired { what, limit, .. }) => Err(Error::Expired {
            what,
            limit,
            log: explain(rest, path).await,
        }),
        Err(Error::Failed { id, what, .. }) => Err(Error::Failed {
            id,
            what,
            log: explain(rest, path).await,
        }),
        other => other,
    }
}

/// Lines that explain why a rollout doesn't end: reasons of pods, warnings, ends of logs. What
/// can't be read is left out, as the error it belongs to is what matters.
async fn explain(rest: &Rest, path: &str) -> Vec<String> {
    let Ok(Some(object)) = rest.get(path).await else {
        return Vec::new();
    };
    let namespace = escaped(text(&object, "/metadata/namespace"));
    let pods = laggards(rest, &object).await.unwrap_or_default();
    let mut lines: Vec<String> = reasons(&pods).into_iter().take(10).collect();

    let mut names: Vec<&str> = pods.iter().map(pods::name).collect();
    names.push(text(&object, "/metadata/name"));
    let events = rest
        .list(
            &format!("/api/v1/namespaces/{namespace}/events"),
            "fieldSelector=type%3DWarning",
        )
        .await
        .unwrap_or_default();
    let about: Vec<&Value> = events
        .iter()
        .filter(|event| names.contains(&text(event, "/involvedObject/name")))
        .collect();
    for event in about.iter().rev().take(5).rev() {
        let line = format!(
            "{} {}: {}",
            text(event, "/involvedObject/name"),
            text(event, "/reason"),
            text(event, "/message")
        );
        if !lines.contains(&line) {
            lines.push(line);
        }
    }

    for pod in pods.iter().take(2) {
        let Some((container, previous)) = pods::speaks(pod) else {
            continue;
        };
        let log = format!(
            "/api/v1/namespaces/{namespace}/pods/{}/log?container={}&tailLines=10&previous={previous}",
            escaped(pods::name(pod)),
            escaped(&container)
        );
        if let Ok((200, text)) = rest.text(&log).await {
            lines.extend(
                text.lines()
                    .map(|line| format!("{} {container} | {line}", pods::name(pod))),
            );
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn states_of_rollouts() {
        let going = |text: &str| State::Going(text.into());
        let deployment = |status: Value| json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
        let table = [
            (
                deployment(json!({"observedGeneration": 1})),
                going("not noticed by its controller yet"),
            ),
            (
                deployment(json!({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 2})),
                going("1 of 2 updated"),
            ),
            (
                deployment(json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 3})),
                going("old pods are still running"),
            ),
            (
                deployment(
                    json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}),
                ),
                going("1 of 2 available"),
            ),
            (
                deployment(
                    json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}),
                ),
                State::Done,
            ),
            (
                json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2}}),
                going("2 of 3 available"),
            ),
            (
                json!({"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                    "status": {"observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"}}),
                State::Done,
            ),
            (
                json!({"kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}}),
                State::Failed("the job failed: BackoffLimitExceeded".into()),
            ),
            (json!({"kind": "ConfigMap"}), State::Done),
        ];
        for (object, expected) in table {
            assert_eq!(state(&object), expected, "{object}");
        }
    }

    #[test]
    fn selectors_become_queries() {
        let object = json!({"spec": {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]}, {"key": "f", "operator": "Exists"}]}}});
        assert_eq!(selector(&object).unwrap(), "a=b,c in (d,e),f");
    }
}
