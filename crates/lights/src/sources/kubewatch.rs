//! kubewatch's webhook in its forms since 2018, and its CloudEvents (robusta-dev/kubewatch,
//! `pkg/handlers/webhook`, `pkg/handlers/cloudevent`).

use super::{BadBody, objects, parse, text};
use crate::signal::{Input, Scope, Signal, Source};
use jiff::Timestamp;
use serde_json::Value;

/// Where it comes from.
const SOURCE: Source = Source::Kubewatch;

/// The reason of a message that says nothing for programs.
const MESSAGE: &str = "Message";

/// What a message says.
///
/// # Errors
/// A body of another form.
pub fn inputs(body: &[u8], now: Timestamp) -> Result<Vec<Input>, BadBody> {
    let mut inputs = said(&parse(body)?, now)?;
    inputs.push(Input::Alive(SOURCE));
    Ok(inputs)
}

fn said(body: &Value, now: Timestamp) -> Result<Vec<Input>, BadBody> {
    if body.get("specversion").is_some() {
        return cloud_event(body, now);
    }
    let words = match text(body, "/text") {
        "" => text(body, "/message"),
        words => words,
    };
    match body.get("eventmeta") {
        Some(meta) => event_meta(meta, words, now),
        None if !words.is_empty() => {
            let said = Signal::passing(SOURCE, "", MESSAGE, now).text(words);
            Ok(vec![Input::Signal(said)])
        }
        None => Err(BadBody::form(
            "eventmeta",
            "missing, and there is neither `text` nor `specversion`",
        )),
    }
}

/// `{eventmeta: {kind, name, namespace, reason}, text, time}`.
fn event_meta(meta: &Value, words: &str, now: Timestamp) -> Result<Vec<Input>, BadBody> {
    let kind = text(meta, "/kind");
    if kind.is_empty() {
        return Err(BadBody::form("eventmeta.kind", "missing"));
    }
    let (namespace, name) = (text(meta, "/namespace"), text(meta, "/name"));
    // Made from the cluster's events in 2020 and 2021, with the event's name.
    let object = name.rsplit_once('.').map_or(name, |(object, _)| object);
    let node = |reason: &str| {
        let signal = Signal::passing(SOURCE, "Node", reason, now).of("", object);
        signal.text(words)
    };
    let lasting = |signal| Signal {
        lasting: true,
        ..signal
    };
    Ok(match kind.to_ascii_lowercase().as_str() {
        "nodenotready" => {
            let signal = lasting(node("NotReady").severity("critical"));
            vec![Input::Signal(signal)]
        }
        "nodeready" => vec![nothing(&node("NotReady"))],
        "noderebooted" => vec![Input::Signal(node("Rebooted").severity("warning"))],
        "backoff" => {
            let signal = Signal::passing(SOURCE, "Pod", "BackOff", now).of(namespace, object);
            vec![Input::Signal(signal.severity("warning").text(words))]
        }
        _ => happened(kind, text(meta, "/reason"), namespace, name, words, now),
    })
}

/// Something was created, updated or deleted.
fn happened(
    kind: &str,
    reason: &str,
    namespace: &str,
    name: &str,
    words: &str,
    now: Timestamp,
) -> Vec<Input> {
    let signal = Signal::passing(SOURCE, kind, reason, now).of(namespace, name);
    let signal = signal.text(words);
    match reason.eq_ignore_ascii_case("deleted") {
        true => vec![nothing(&signal), Input::Signal(signal)],
        false => vec![Input::Signal(signal)],
    }
}

/// Nothing is wrong with the object of a signal any more.
fn nothing(signal: &Signal) -> Input {
    Input::Whole {
        scope: Scope::object(signal),
        signals: Vec::new(),
    }
}

fn cloud_event(body: &Value, now: Timestamp) -> Result<Vec<Input>, BadBody> {
    let data = body.get("data").filter(|data| data.is_object());
    let data = data.ok_or_else(|| BadBody::form("data", "missing"))?;
    let kind = text(data, "/kind");
    if kind.is_empty() {
        return Err(BadBody::form("data.kind", "missing"));
    }
    let reason = match text(data, "/operation") {
        "create" => "Created",
        "update" => "Updated",
        "delete" => "Deleted",
        _ => "Unknown",
    };
    let object = data.get("obj").unwrap_or(&Value::Null);
    if kind.eq_ignore_ascii_case("event") && reason != "Deleted" {
        let event = objects::event(SOURCE, object, now);
        return Ok(event.into_iter().map(Input::Signal).collect());
    }
    let (namespace, name) = (
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name"),
    );
    let words = text(data, "/description");
    let mut out = happened(kind, reason, namespace, name, words, now);
    if reason != "Deleted" {
        out.extend(objects::whole(SOURCE, kind, object, now));
    }
    Ok(out)
}
