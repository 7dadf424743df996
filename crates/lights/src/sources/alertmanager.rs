//! Alertmanager's webhook, version 4 (Prometheus documentation, `webhook_config`).

use super::{BadBody, list, parse, text};
use crate::signal::{Input, Key, Scope, Signal, Source};
use jiff::Timestamp;
use serde_json::Value;

/// Where alerts come from.
const SOURCE: Source = Source::Alertmanager;

/// The kind of all of them.
const KIND: &str = "Alert";

/// The reason of what stands for alerts that were left out of a message.
const TRUNCATED: &str = "Truncated";

/// Labels that name the object of an alert, the most particular first.
const OBJECTS: [&str; 8] = [
    "pod",
    "node",
    "deployment",
    "statefulset",
    "daemonset",
    "job_name",
    "persistentvolumeclaim",
    "instance",
];

/// What a message says.
///
/// # Errors
/// A body of another form.
pub fn inputs(body: &[u8], now: Timestamp) -> Result<Vec<Input>, BadBody> {
    let body = parse(body)?;
    let alerts = body.get("alerts").and_then(Value::as_array);
    let alerts = alerts.ok_or_else(|| BadBody::form("alerts", "a list of alerts is missing"))?;
    let group = text(&body, "/groupKey");
    let mut firing = Vec::new();
    let mut out = vec![Input::Alive(SOURCE)];
    for (i, alert) in alerts.iter().enumerate() {
        let signal = signal(alert, i, group, now)?;
        match text(alert, "/status") {
            "firing" => firing.push(signal),
            "resolved" => out.push(gone(signal.key())),
            _ => {
                let place = format!("alerts[{i}].status");
                return Err(BadBody::form(place, "neither firing nor resolved"));
            }
        }
    }
    let left_out = body.get("truncatedAlerts").and_then(Value::as_u64);
    if let Some(count) = left_out.filter(|count| *count > 0) {
        firing.push(truncated(&body, group, count, now));
        out.extend(firing.into_iter().map(Input::Signal));
        return Ok(out);
    }
    if group.is_empty() {
        out.extend(firing.into_iter().map(Input::Signal));
        return Ok(out);
    }
    // A message tells of all alerts of its group: one that isn't named has gone while nobody listened.
    out.push(Input::Whole {
        scope: Scope::group(SOURCE, group),
        signals: firing,
    });
    Ok(out)
}

fn gone(key: Key) -> Input {
    Input::Whole {
        scope: Scope::One(key),
        signals: Vec::new(),
    }
}

fn signal(alert: &Value, i: usize, group: &str, now: Timestamp) -> Result<Signal, BadBody> {
    let name = text(alert, "/labels/alertname");
    if name.is_empty() {
        let place = format!("alerts[{i}].labels.alertname");
        return Err(BadBody::form(place, "an alert has a name"));
    }
    let object = OBJECTS
        .iter()
        .map(|label| {
            alert
                .get("labels")
                .map_or("", |labels| text_of(labels, label))
        })
        .find(|object| !object.is_empty());
    let words = ["/annotations/summary", "/annotations/description"].map(|at| text(alert, at));
    let words = words.into_iter().find(|words| !words.is_empty());
    let signal = Signal::lasting(SOURCE, KIND, name, now)
        .of(text(alert, "/labels/namespace"), object.unwrap_or_default())
        .severity(severity(alert, "/labels/severity"))
        .text(words.unwrap_or_default())
        .group(group);
    Ok(signal.id(&fingerprint(alert)))
}

fn text_of<'a>(labels: &'a Value, label: &str) -> &'a str {
    labels.get(label).and_then(Value::as_str).unwrap_or("")
}

/// An alert without a severity is at least worth a look.
fn severity<'a>(of: &'a Value, pointer: &str) -> &'a str {
    match text(of, pointer) {
        "" => "warning",
        word => word,
    }
}

/// What is the same when an alert fires and when it is resolved. Old senders leave it out: then the labels.
fn fingerprint(alert: &Value) -> String {
    match text(alert, "/fingerprint") {
        "" => {
            let labels = alert.get("labels").and_then(Value::as_object);
            let pairs = labels.into_iter().flatten();
            let mut pairs: Vec<String> =
                pairs.map(|(key, value)| format!("{key}={value}")).collect();
            pairs.sort();
            pairs.join(",")
        }
        print => print.into(),
    }
}

/// Stands for those that were left out, as bad as the worst that might be among them.
fn truncated(body: &Value, group: &str, count: u64, now: Timestamp) -> Signal {
    let all = text(body, "/commonLabels/severity");
    let named = list(body, "/alerts").map(|alert| text(alert, "/labels/severity"));
    let named: Vec<&str> = named.collect();
    let severity = match all {
        "" if named.contains(&"critical") => "critical",
        "" => "warning",
        word => word,
    };
    Signal::lasting(SOURCE, KIND, TRUNCATED, now)
        .of(text(body, "/commonLabels/namespace"), "")
        .severity(severity)
        .text(&format!("{count} more alerts of the group {group}"))
        .group(group)
        .id(&format!("{TRUNCATED} {group}"))
}
