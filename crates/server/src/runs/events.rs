//! What the events of a run come to. They are those of `bramble up --output json`: one JSON object a line.

use bramble_store::record::{End, Progress};
use serde_json::Value;
use std::collections::BTreeSet;

/// Reasons that a run's own sentence names; the rest is in its events.
const REASONS: usize = 3;

/// What was heard of a run so far.
#[derive(Debug, Default)]
pub struct Heard {
    /// Steps of earlier parts that are over.
    before: u32,
    done: BTreeSet<(String, String)>,
    total: u32,
    step: String,
    end: Option<(End, Option<String>)>,
    address: Option<String>,
}

impl Heard {
    /// Takes in one line; lines that are no events say nothing.
    pub fn line(&mut self, text: &str) {
        let Ok(event) = serde_json::from_str::<Value>(text) else {
            return;
        };
        let word = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        let place = (word("machine").to_owned(), word("step").to_owned());
        match word("event") {
            "begin" => {
                // Another part, or one that was killed and plans anew: what is left comes on top of what is done.
                let number = |key: &str| event.get(key).and_then(Value::as_u64).unwrap_or(0);
                let left = number("steps").saturating_add(number("later"));
                self.before = self.over();
                self.done.clear();
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                self.total = self.before.saturating_add(left);
                self.end = None;
            }
            "started" if !place.1.is_empty() => self.step = name(&place),
            "finished" | "skipped" => {
                self.done.insert(place);
            }
            "failed" if !place.1.is_empty() => {
                self.done.insert(place);
            }
            "end" => {
                self.end = Some(end(&event));
                self.address = event
                    .get("address")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
            }
            _ => {}
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            done: self.over(),
            total: self.total,
            step: self.step.clone(),
        }
    }

    /// Where the cluster's API is, if the last event says so.
    pub fn address(&self) -> Option<String> {
        self.address.clone()
    }

    fn over(&self) -> u32 {
        let done = u32::try_from(self.done.len()).unwrap_or(u32::MAX);
        self.before.saturating_add(done)
    }

    /// How it ended and why, if its events say so.
    pub fn end(&self) -> Option<(End, Option<String>)> {
        self.end.clone()
    }
}

/// A step and where it is, for people.
fn name((machine, step): &(String, String)) -> String {
    match machine.as_str() {
        "" => step.clone(),
        machine => format!("{step} on {machine}"),
    }
}

fn end(event: &Value) -> (End, Option<String>) {
    let mut why = failures(event);
    if why.is_empty() && event.get("stopped") == Some(&Value::Bool(true)) {
        return (End::Cancelled, None);
    }
    let more = why.len().saturating_sub(REASONS);
    why.truncate(REASONS);
    match why.is_empty() {
        true => (End::Done, None),
        false if more > 0 => (
            End::Failed,
            Some(format!("{}; and {more} more", why.join("; "))),
        ),
        false => (End::Failed, Some(why.join("; "))),
    }
}

/// Everything that an end calls wrong, a sentence each.
fn failures(event: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let list = |key: &str| {
        event
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut why: Vec<String> = list("failed")
        .map(|f| {
            format!(
                "{}: {}",
                name(&(text(f, "machine"), text(f, "step"))),
                text(f, "message")
            )
        })
        .collect();
    why.extend(list("obstacles").map(|o| match o.as_str() {
        Some(text) => text.to_owned(),
        None => text(o, "message"),
    }));
    let unreachable = event.get("unreachable").and_then(Value::as_object);
    for (machine, reason) in unreachable.into_iter().flatten() {
        let reason = reason
            .as_str()
            .map_or_else(|| reason.to_string(), str::to_owned);
        why.push(format!("{machine} can't be reached: {reason}"));
    }
    why
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn heard(lines: &[&str]) -> Heard {
        let mut heard = Heard::default();
        for line in lines {
            heard.line(line);
        }
        heard
    }

    #[test]
    fn steps_that_are_over_count_once() {
        let heard = heard(&[
            r#"{"event":"begin","changes":9,"steps":4}"#,
            r#"{"at":0.1,"machine":"one","step":"base","event":"started","title":"base"}"#,
            r#"{"at":0.2,"machine":"one","step":"base","event":"finished","changes":3,"took":0.1}"#,
            r#"{"at":0.2,"machine":"one","step":"base","event":"finished","changes":3,"took":0.1}"#,
            "noise",
            r#"{"at":0.3,"machine":"","step":"nodes","event":"started","title":"nodes"}"#,
            r#"{"at":0.4,"machine":"","step":"nodes","event":"skipped","because":"x"}"#,
        ]);
        let progress = heard.progress();
        assert_eq!((progress.done, progress.total), (2, 4));
        assert_eq!(progress.step, "nodes");
        assert_eq!(progress.percent(), 50);
        assert_eq!(heard.end(), None);
    }

    #[test]
    fn an_end_is_what_it_says() {
        let end = |line: &str| heard(&[line]).end().unwrap();
        let done = r#"{"event":"end","changes":9,"failed":[],"skipped":[],"stopped":false,"unreachable":{},"obstacles":[],"took":6.1}"#;
        assert_eq!(end(done), (End::Done, None));
        let stopped = done.replace(r#""stopped":false"#, r#""stopped":true"#);
        assert_eq!(end(&stopped), (End::Cancelled, None));
        let failed = done.replace(
            r#""failed":[]"#,
            r#""failed":[{"machine":"two","step":"worker/join","message":"no route"}]"#,
        );
        let why = Some("worker/join on two: no route".to_owned());
        assert_eq!(end(&failed), (End::Failed, why));
        let away = done.replace(
            r#""unreachable":{}"#,
            r#""unreachable":{"two":"no answer"}"#,
        );
        let why = Some("two can't be reached: no answer".to_owned());
        assert_eq!(end(&away), (End::Failed, why));
    }

    #[test]
    fn what_is_left_comes_on_top_of_what_is_done() {
        let finished =
            r#"{"machine":"one","step":"base","event":"finished","changes":3,"took":0.1}"#;
        let heard = heard(&[
            r#"{"event":"begin","changes":9,"steps":2,"later":7}"#,
            finished,
            r#"{"event":"begin","changes":5,"steps":3,"later":0}"#,
            finished,
        ]);
        let progress = heard.progress();
        assert_eq!((progress.done, progress.total), (2, 4));
    }
}
