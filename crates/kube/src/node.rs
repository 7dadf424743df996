//! Nodes: labels, annotations, taints and the pod range.
//!
//! What Bramble set is remembered on the node itself, with what was there before, by step; so a
//! key that is no longer named goes back to what it was, and a key that somebody else set is
//! never touched.

use crate::Error;
use bramble_machine::api::NodeTaint;
use bramble_machine::resource::text_diff;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Annotation with what Bramble set: `{"step": {"labels/x": "value before" or null}}`.
pub const MANAGED: &str = "bramble.dev/managed";
/// Annotation of a node that Bramble has cordoned for a while.
pub const DRAINED: &str = "bramble.dev/drained";
/// kubeadm's taints of a control plane. They go when a list of taints is given without them.
const ROLE_TAINTS: [&str; 2] = [
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/control-plane",
];

type Record = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// How a node should be, as one step sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) labels: BTreeMap<&'a str, &'a str>,
    pub(crate) annotations: BTreeMap<&'a str, &'a str>,
    pub(crate) taints: Option<&'a [NodeTaint]>,
    pub(crate) pod_cidr: Option<&'a str>,
    /// The step gives the node up: everything it set goes.
    pub(crate) release: bool,
}

/// A difference and the patch (JSON merge, with the version it was made for) that closes it.
#[derive(Debug, Clone)]
pub(crate) struct NodeChange {
    pub(crate) patch: Value,
    pub(crate) summary: String,
    pub(crate) diff: String,
}

/// URL path of a node.
pub(crate) fn path(name: &str) -> String {
    format!("/api/v1/nodes/{}", crate::rest::escaped(name))
}

/// Name of a node object.
pub(crate) fn name(node: &Value) -> &str {
    node.pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// `Ok` if ready, else what the node says about it.
pub(crate) fn readiness(node: &Value) -> Result<(), String> {
    let condition = node
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|c| c.get("type").and_then(Value::as_str) == Some("Ready"));
    let Some(condition) = condition else {
        return Err("its kubelet has not reported yet".into());
    };
    let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or("");
    match text("status") {
        "True" => Ok(()),
        _ => Err(match (text("reason"), text("message")) {
            ("", "") => "not ready".to_owned(),
            (reason, "") => reason.to_owned(),
            (_, message) => message.to_owned(),
        }),
    }
}

/// Whether Bramble has cordoned the node.
pub(crate) fn drained(node: &Value) -> bool {
    annotation(node, DRAINED).is_some()
}

/// The cluster that a node was made for.
pub(crate) fn owner(node: &Value) -> Option<&str> {
    annotation(node, bramble_machine::api::OWNER)
}

/// Whether a step remembers anything on the node.
pub(crate) fn remembers(node: &Value, step: &str) -> bool {
    record(node).contains_key(step)
}

/// The steps that remember something on the node.
pub(crate) fn steps(node: &Value) -> Vec<String> {
    record(node).into_keys().collect()
}

fn record(node: &Value) -> Record {
    let text = annotation(node, MANAGED).unwrap_or("{}");
    // A record that was broken by hand means: nothing known, so nothing is taken away.
    serde_json::from_str(text).unwrap_or_default()
}

fn annotation<'a>(node: &'a Value, key: &str) -> Option<&'a str> {
    node.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// The difference; `None` if all is as it should be. Pure.
pub(crate) fn plan(
    step: &str,
    node: &Value,
    wanted: &Wanted<'_>,
) -> Result<Option<NodeChange>, Error> {
    let mut work = Work {
        mine: record(node).remove(step).unwrap_or_default(),
        before: Vec::new(),
        after: Vec::new(),
        summary: Vec::new(),
    };
    let labels = work.section(node, "labels", &wanted.labels);
    let mut annotations = work.section(node, "annotations", &wanted.annotations);
    let taints = if wanted.release {
        work.taints(node, &[], false)
    } else {
        wanted.taints.and_then(|list| work.taints(node, list, true))
    };
    let cidr = work.pod_cidr(node, wanted.pod_cidr)?;

    let mut all = record(node);
    let old = all.get(step).cloned().unwrap_or_default();
    if old != work.mine {
        if work.mine.is_empty() {
            all.remove(step);
        } else {
            all.insert(step.into(), work.mine.clone());
        }
        let text = if all.is_empty() {
            Value::Null
        } else {
            Value::String(json!(all).to_string())
        };
        annotations.insert(MANAGED.into(), text);
    }
    // Nobody drains it now: whatever does comes before this, and puts it back itself.
    let left_drained = !wanted.release && drained(node);
    if left_drained {
        annotations.insert(DRAINED.into(), Value::Null);
        work.summary
            .push("uncordon: a run that drained it was cut off".into());
    }
    if labels.is_empty() && annotations.is_empty() && taints.is_none() && cidr.is_none() {
        return Ok(None);
    }

    let mut patch = json!({
        "metadata": { "resourceVersion": node.pointer("/metadata/resourceVersion") },
    });
    if !labels.is_empty() {
        patch["metadata"]["labels"] = Value::Object(labels);
    }
    if !annotations.is_empty() {
        patch["metadata"]["annotations"] = Value::Object(annotations);
    }
    if left_drained {
        patch["spec"]["unschedulable"] = Value::Null;
    }
    if let Some(taints) = taints {
        patch["spec"]["taints"] = taints;
    }
    if let Some(cidr) = cidr {
        patch["spec"]["podCIDR"] = cidr.as_str().into();
        patch["spec"]["podCIDRs"] = json!([cidr]);
    }
    let summary = if work.summary.is_empty() {
        "forget what was set earlier".to_owned()
    } else {
        work.summary.join(", ")
    };
    let text = |lines: &[String]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    Ok(Some(NodeChange {
        patch,
        summary,
        diff: text_diff(&text(&work.before), &text(&work.after)),
    }))
}

/// One comparison under way.
struct Work {
    /// What this step set, with what was there before.
    mine: BTreeMap<String, Option<String>>,
    before: Vec<String>,
    after: Vec<String>,
    summary: Vec<String>,
}

impl Work {
    fn note(&mut self, section: &str, key: &str, old: Option<&str>, new: Option<&str>) {
        let word = section.trim_end_matches('s');
        if let Some(old) = old {
            self.before.push(format!("{word} {key}={old}"));
        }
        if let Some(new) = new {
            self.after.push(format!("{word} {key}={new}"));
        }
        self.summary.push(match new {
            Some(value) => format!("{word} {key}={value}"),
            None => format!("{word} {key} removed"),
        });
    }

    /// Labels or annotations: the part of the patch.
    fn section(
        &mut self,
        node: &Value,
        section: &str,
        wanted: &BTreeMap<&str, &str>,
    ) -> Map<String, Value> {
        let now = |key: &str| {
            node.get("metadata")?
                .get(section)?
                .get(key)?
                .as_str()
                .map(str::to_owned)
        };
        let mut patch = Map::new();
        for (&key, &value) in wanted {
            let current = now(key);
            if key == MANAGED || current.as_deref() == Some(value) {
                continue;
            }
            self.note(section, key, current.as_deref(), Some(value));
            patch.insert(key.into(), value.into());
            self.mine
                .entry(format!("{section}/{key}"))
                .or_insert(current);
        }
        let prefix = format!("{section}/");
        let gone: Vec<(String, Option<String>)> = self
            .mine
            .iter()
            .filter_map(|(id, original)| {
                let key = id.strip_prefix(&prefix)?;
                (!wanted.contains_key(key)).then(|| (key.to_owned(), original.clone()))
            })
            .collect();
        for (key, original) in gone {
            self.mine.remove(&format!("{section}/{key}"));
            let current = now(&key);
            // Somebody took it away already: nothing to give back.
            if current.is_none() || current == original {
                continue;
            }
            self.note(section, &key, current.as_deref(), original.as_deref());
            patch.insert(key, original.map_or(Value::Null, Value::String));
        }
        patch
    }

    /// Taints: the whole new list, if it differs.
    fn taints(&mut self, node: &Value, wanted: &[NodeTaint], roles: bool) -> Option<Value> {
        let now: Vec<Value> = node
            .pointer("/spec/taints")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut list = now.clone();
        let text = |taint: &Value, key: &str| {
            taint
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let id = |taint: &Value| format!("{}:{}", text(taint, "key"), text(taint, "effect"));
        let mut is_wanted = Vec::new();
        for taint in wanted {
            let mut new = json!({ "key": taint.key, "effect": taint.effect });
            if !taint.value.is_empty() {
                new["value"] = taint.value.clone().into();
            }
            let name = id(&new);
            is_wanted.push(name.clone());
            let old = list.iter_mut().find(|t| id(t) == name);
            let original = old.as_ref().map(|t| text(t, "value"));
            if original.as_deref() == Some(&taint.value) {
                continue;
            }
            match old {
                Some(old) => *old = new,
                None => list.push(new),
            }
            self.note("taints", &name, original.as_deref(), Some(&taint.value));
            self.mine
                .entry(format!("taints/{name}"))
                .or_insert(original);
        }
        let gone: Vec<(String, Option<String>)> = self
            .mine
            .iter()
            .filter_map(|(key, original)| {
                let name = key.strip_prefix("taints/")?;
                (!is_wanted.iter().any(|w| w == name)).then(|| (name.to_owned(), original.clone()))
            })
            .collect();
        for (name, original) in gone {
            self.mine.remove(&format!("taints/{name}"));
            let Some(at) = list.iter().position(|t| id(t) == name) else {
                continue;
            };
            let current = text(&list[at], "value");
            if original.as_ref() == Some(&current) {
                continue;
            }
            self.note("taints", &name, Some(&current), original.as_deref());
            match original {
                Some(value) => list[at]["value"] = value.into(),
                None => drop(list.remove(at)),
            }
        }
        if roles {
            let (gone, kept): (Vec<Value>, Vec<Value>) = list.into_iter().partition(|t| {
                ROLE_TAINTS.contains(&text(t, "key").as_str()) && !is_wanted.contains(&id(t))
            });
            for taint in &gone {
                self.note("taints", &id(taint), Some(&text(taint, "value")), None);
            }
            list = kept;
        }
        (list != now).then(|| {
            if list.is_empty() {
                Value::Null
            } else {
                Value::Array(list)
            }
        })
    }

    /// The pod range, if it is to be set.
    fn pod_cidr(&mut self, node: &Value, wanted: Option<&str>) -> Result<Option<String>, Error> {
        let Some(wants) = wanted else {
            return Ok(None);
        };
        let has = node
            .pointer("/spec/podCIDR")
            .and_then(Value::as_str)
            .unwrap_or("");
        if has == wants {
            return Ok(None);
        }
        if !has.is_empty() {
            return Err(Error::PodCidr {
                node: name(node).into(),
                has: has.into(),
                wants: wants.into(),
            });
        }
        self.after.push(format!("pod range {wants}"));
        self.summary.push(format!("pod range {wants}"));
        Ok(Some(wants.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(labels: Value, managed: Value, spec: Value) -> Value {
        let mut node = json!({
            "metadata": { "name": "two", "resourceVersion": "7", "labels": labels },
            "spec": spec,
        });
        if !managed.is_null() {
            node["metadata"]["annotations"][MANAGED] = managed.to_string().into();
        }
        node
    }

    #[test]
    fn only_what_differs_is_patched_and_what_was_there_is_remembered() {
        let node = node(
            json!({"a": "1", "b": "old", "other": "x"}),
            Value::Null,
            json!({}),
        );
        let wanted = Wanted {
            labels: BTreeMap::from([("a", "1"), ("b", "2"), ("c", "3")]),
            ..Wanted::default()
        };
        let change = plan("s", &node, &wanted).unwrap().unwrap();
        assert_eq!(
            change.patch["metadata"]["labels"],
            json!({"b": "2", "c": "3"})
        );
        assert_eq!(change.patch["metadata"]["resourceVersion"], "7");
        assert_eq!(
            change.patch["metadata"]["annotations"][MANAGED],
            r#"{"s":{"labels/b":"old","labels/c":null}}"#
        );
        assert_eq!(change.summary, "label b=2, label c=3");
    }

    #[test]
    fn keys_no_longer_named_go_back_to_what_they_were() {
        let managed = json!({"s": {"labels/b": "old", "labels/c": null}, "t": {"labels/d": null}});
        let node = node(json!({"b": "2", "c": "3", "d": "4"}), managed, json!({}));
        let change = plan("s", &node, &Wanted::default()).unwrap().unwrap();
        assert_eq!(
            change.patch["metadata"]["labels"],
            json!({"b": "old", "c": null})
        );
        assert_eq!(
            change.patch["metadata"]["annotations"][MANAGED],
            r#"{"t":{"labels/d":null}}"#
        );
    }

    #[test]
    fn a_list_of_taints_takes_role_taints_away_and_leaves_strangers() {
        let role = json!({"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"});
        let alien = json!({"key": "disk", "value": "bad", "effect": "NoExecute", "timeAdded": "2020-01-01T00:00:00Z"});
        let node = node(json!({}), Value::Null, json!({"taints": [role, alien]}));
        assert!(plan("s", &node, &Wanted::default()).unwrap().is_none());
        let none = Wanted {
            taints: Some(&[]),
            ..Wanted::default()
        };
        let change = plan("s", &node, &none).unwrap().unwrap();
        assert_eq!(change.patch["spec"]["taints"], json!([alien]));
        let mine = [NodeTaint {
            key: "gpu".into(),
            value: "yes".into(),
            effect: "NoSchedule".into(),
        }];
        let some = Wanted {
            taints: Some(&mine),
            ..Wanted::default()
        };
        let change = plan("s", &node, &some).unwrap().unwrap();
        assert_eq!(
            change.patch["spec"]["taints"],
            json!([alien, {"key": "gpu", "effect": "NoSchedule", "value": "yes"}])
        );
    }

    #[test]
    fn a_pod_range_is_set_once() {
        let wanted = Wanted {
            pod_cidr: Some("10.1.2.0/24"),
            ..Wanted::default()
        };
        let fresh = node(json!({}), Value::Null, json!({}));
        let change = plan("s", &fresh, &wanted).unwrap().unwrap();
        assert_eq!(change.patch["spec"]["podCIDRs"], json!(["10.1.2.0/24"]));
        let other = node(json!({}), Value::Null, json!({"podCIDR": "10.9.0.0/24"}));
        let error = plan("s", &other, &wanted).unwrap_err();
        assert!(error.to_string().contains("10.9.0.0/24"));
        assert!(error.hint().unwrap().contains("two"));
    }
}
