//! What is wrong with an object of the Kubernetes API, by what it says about itself.

use super::{list, text};
use crate::signal::{Input, Scope, Signal, Source};
use jiff::Timestamp;
use serde_json::Value;

/// Conditions of nodes that are bad when they hold (Kubernetes documentation, "Node Status").
const BAD: [&str; 4] = [
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "NetworkUnavailable",
];

/// Why a container waits without anything being wrong.
const WAITS: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// All that is wrong with a node or pod; `None` for other kinds, of which nothing is known.
pub fn whole(source: Source, kind: &str, object: &Value, now: Timestamp) -> Option<Input> {
    let signals = match kind.to_ascii_lowercase().as_str() {
        "node" => node(source, object, now),
        "pod" => pod(source, object, now),
        _ => return None,
    };
    Some(Input::Whole {
        scope: scope(source, kind, object, now),
        signals,
    })
}

/// Nothing is wrong with an object (any more): it is gone.
pub fn nothing(source: Source, kind: &str, object: &Value, now: Timestamp) -> Input {
    Input::Whole {
        scope: scope(source, kind, object, now),
        signals: Vec::new(),
    }
}

fn scope(source: Source, kind: &str, object: &Value, now: Timestamp) -> Scope {
    let of = Signal::passing(source, kind, "", now);
    Scope::object(&of.of(
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name"),
    ))
}

/// What is wrong with a node. One that has said nothing about itself yet is only new.
pub fn node(source: Source, node: &Value, now: Timestamp) -> Vec<Signal> {
    let name = text(node, "/metadata/name");
    let signal = |reason: &str, severity: &str, words: &str| {
        let signal = Signal::lasting(source, "Node", reason, now).of("", name);
        signal.severity(severity).text(words)
    };
    let mut out = Vec::new();
    for condition in list(node, "/status/conditions") {
        let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
        let words = text(condition, "/message");
        if kind == "Ready" && status != "True" {
            out.push(signal("NotReady", "critical", words));
        }
        if BAD.contains(&kind) && status == "True" {
            out.push(signal(kind, "warning", words));
        }
    }
    if node.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
        out.push(signal("Unschedulable", "info", "cordoned"));
    }
    out
}

/// What is wrong with a pod: why its containers don't run, why it has no node, how it failed.
pub fn pod(source: Source, pod: &Value, now: Timestamp) -> Vec<Signal> {
    let (namespace, name) = (
        text(pod, "/metadata/namespace"),
        text(pod, "/metadata/name"),
    );
    let mut out: Vec<Signal> = Vec::new();
    let mut add = |reason: &str, words: &str| {
        let signal = Signal::lasting(source, "Pod", reason, now).of(namespace, name);
        let signal = signal.severity("warning").text(words);
        if !out.iter().any(|known| known.reason == signal.reason) {
            out.push(signal);
        }
    };
    if text(pod, "/status/phase") == "Failed" {
        let reason = match text(pod, "/status/reason") {
            "" => "Failed",
            reason => reason,
        };
        add(reason, text(pod, "/status/message"));
    }
    let all = ["/status/initContainerStatuses", "/status/containerStatuses"];
    for container in all.into_iter().flat_map(|at| list(pod, at)) {
        let reason = text(container, "/state/waiting/reason");
        if !reason.is_empty() && !WAITS.contains(&reason) {
            add(reason, text(container, "/state/waiting/message"));
        }
    }
    for condition in list(pod, "/status/conditions") {
        let scheduled = text(condition, "/type") == "PodScheduled";
        if scheduled && text(condition, "/status") == "False" {
            add(text(condition, "/reason"), text(condition, "/message"));
        }
    }
    out
}

/// An event of the cluster, about its object; `None` if it names no reason.
pub fn event(source: Source, event: &Value, now: Timestamp) -> Option<Signal> {
    let reason = text(event, "/reason");
    if reason.is_empty() {
        return None;
    }
    let (kind, namespace, name) = (
        text(event, "/involvedObject/kind"),
        text(event, "/involvedObject/namespace"),
        text(event, "/involvedObject/name"),
    );
    let severity = match text(event, "/type") {
        "Warning" => "warning",
        _ => "info",
    };
    let words = format!("{kind}: {}", text(event, "/message"));
    let signal = Signal::passing(source, "Event", reason, now).of(namespace, name);
    Some(signal.severity(severity).text(&words))
}
