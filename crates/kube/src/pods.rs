//! Why a pod is not ready, in words.

use serde_json::Value;

/// Kubernetes asks a new static pod for its readiness up to 30 s after it began.
const YOUNG: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

fn text<'a>(of: &'a Value, pointer: &str) -> &'a str {
    of.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn list<'a>(of: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    of.pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

pub(crate) fn name(pod: &Value) -> &str {
    text(pod, "/metadata/name")
}

pub(crate) fn namespace(pod: &Value) -> &str {
    text(pod, "/metadata/namespace")
}

pub(crate) fn phase(pod: &Value) -> &str {
    text(pod, "/status/phase")
}

/// A condition of an object by its type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").find(|c| text(c, "/type") == kind)
}

/// Statuses of init containers, then of the others.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/initContainerStatuses").chain(list(pod, "/status/containerStatuses"))
}

/// The container whose log would tell something, and whether it is the last run's.
pub(crate) fn speaks(pod: &Value) -> Option<(String, bool)> {
    containers(pod)
        .filter(|c| c.get("ready") != Some(&Value::Bool(true)))
        .filter(|c| text(c, "/state/terminated/reason") != "Completed")
        .find_map(|c| {
            let restarts = c.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
            let ran =
                c.pointer("/state/terminated").is_some() || c.pointer("/state/running").is_some();
            (restarts > 0 || ran).then(|| {
                let previous = c.pointer("/state/waiting").is_some();
                (text(c, "/name").to_owned(), previous)
            })
        })
}

/// Why it is not ready; `None` if it is, or has ended well.
pub(crate) fn trouble(pod: &Value) -> Option<String> {
    let phase = phase(pod);
    if phase == "Succeeded" {
        return None;
    }
    let ready = condition(pod, "Ready").is_some_and(|c| text(c, "/status") == "True");
    if phase == "Running" && ready {
        return None;
    }
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return Some("is being deleted".into());
    }
    if let Some(fault) = containers(pod).find_map(fault) {
        return Some(fault);
    }
    if let Some(c) = condition(pod, "PodScheduled")
        && text(c, "/status") == "False"
    {
        return Some(format!("{}: {}", text(c, "/reason"), text(c, "/message")));
    }
    match (text(pod, "/status/reason"), text(pod, "/status/message")) {
        ("", "") => {}
        (reason, "") => return Some(reason.to_owned()),
        (reason, message) => return Some(format!("{reason}: {message}")),
    }
    let node = text(pod, "/spec/nodeName");
    Some(match phase {
        "Running" => "runs, but its readiness check does not pass yet".to_owned(),
        _ if node.is_empty() => "not scheduled yet".to_owned(),
        _ => format!("starting on {node}"),
    })
}

/// What is wrong with a container; `None` if nothing is, or something else only comes first.
fn fault(container: &Value) -> Option<String> {
    let name = text(container, "/name");
    let waiting = text(container, "/state/waiting/reason");
    // These only say that something else comes first.
    if !waiting.is_empty() && waiting != "PodInitializing" && waiting != "ContainerCreating" {
        let mut out = format!("{name}: {waiting}");
        let message = text(container, "/state/waiting/message");
        if !message.is_empty() {
            out.push_str(&format!(": {message}"));
        }
        if let Some(last) = ended(container.pointer("/lastState/terminated")) {
            out.push_str(&format!(" ({last})"));
        }
        return Some(out);
    }
    let end = ended(container.pointer("/state/terminated"))?;
    (text(container, "/state/terminated/reason") != "Completed").then(|| format!("{name}: {end}"))
}

/// Whether a pod that is not ready may just need a moment: nothing is wrong with its containers, none
/// was ever restarted, and it or its last container began less than [`YOUNG`] ago.
pub(crate) fn starting(pod: &Value, now: jiff::Timestamp) -> bool {
    let begun = containers(pod)
        .map(|c| text(c, "/state/running/startedAt"))
        .chain([
            text(pod, "/metadata/creationTimestamp"),
            text(pod, "/status/startTime"),
        ])
        .filter_map(|time| time.parse::<jiff::Timestamp>().ok())
        .max();
    let young = begun.is_some_and(|begun| now.duration_since(begun) < YOUNG);
    let restarted = |c: &Value| c.get("restartCount").and_then(Value::as_u64) > Some(0);
    young
        && matches!(phase(pod), "Pending" | "Running")
        && !containers(pod).any(|c| fault(c).is_some() || restarted(c))
}

fn ended(state: Option<&Value>) -> Option<String> {
    let state = state?;
    let code = state.get("exitCode").and_then(Value::as_i64).unwrap_or(-1);
    let mut out = format!("ended with {code}");
    for part in [text(state, "/reason"), text(state, "/message").trim()] {
        if !part.is_empty() && part != "Error" {
            out.push_str(&format!(", {}", part.lines().last().unwrap_or(part)));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn waiting(reason: &str, message: &str) -> Value {
        json!({"status": {"phase": "Pending", "containerStatuses": [
            {"name": "app", "state": {"waiting": {"reason": reason, "message": message}}}]}})
    }

    #[test]
    fn the_reason_is_the_one_a_person_would_look_for() {
        let table = [
            (json!({"status": {"phase": "Succeeded"}}), None),
            (
                json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}),
                None,
            ),
            (
                waiting("ImagePullBackOff", "Back-off pulling image \"x\""),
                Some("app: ImagePullBackOff: Back-off pulling image \"x\""),
            ),
            (
                json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                    "reason": "Unschedulable", "message": "0/1 nodes are available"}]}}),
                Some("Unschedulable: 0/1 nodes are available"),
            ),
            (
                json!({"status": {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}}}]}}),
                Some("app: CrashLoopBackOff (ended with 2)"),
            ),
            (
                json!({"spec": {"nodeName": "two"}, "status": {"phase": "Pending", "containerStatuses": [
                    {"name": "app", "state": {"waiting": {"reason": "ContainerCreating"}}}]}}),
                Some("starting on two"),
            ),
            (
                json!({"status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}),
                Some("Evicted: low on memory"),
            ),
        ];
        for (pod, expected) in table {
            assert_eq!(trouble(&pod).as_deref(), expected, "{pod}");
        }
    }

    #[test]
    fn a_young_pod_without_a_fault_is_starting() {
        let now: jiff::Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let pod = |began: &str, state: Value, restarts: u64| {
            json!({"metadata": {"creationTimestamp": "2026-01-01T11:00:00Z"},
                "status": {"phase": "Running", "startTime": began, "containerStatuses": [
                    {"name": "app", "restartCount": restarts, "state": state}]}})
        };
        let old = "2026-01-01T11:50:00Z";
        let fresh = "2026-01-01T11:59:30Z";
        let runs = json!({"running": {"startedAt": fresh}});
        assert!(starting(&pod(fresh, runs.clone(), 0), now));
        assert!(starting(&pod(old, runs.clone(), 0), now));
        assert!(!starting(&pod(fresh, runs, 1), now));
        assert!(!starting(&pod(old, json!({}), 0), now));
        let broken = json!({"waiting": {"reason": "ImagePullBackOff"}});
        assert!(!starting(&pod(fresh, broken, 0), now));
    }
}
