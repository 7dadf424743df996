//! Nodes as resources of the API: written in one go, waited for, given up.

use crate::Error;
use crate::api::{Api, Planned};
use crate::node::{self, Wanted};
use crate::pods;
use crate::rest::{Patch, escaped};
use crate::wait::{Clock, Listener, Look, Progress, Wait, step_back};
use bramble_machine::Verb;
use bramble_machine::api::ApiResource;
use bramble_machine::step::ApiStep;
use serde_json::{Value, json};
use std::time::Duration;

/// How often the write of a node is tried against others who write.
const TRIES: u32 = 10;

impl Api {
    /// Waits until a node is in the cluster and ready.
    ///
    /// # Errors
    /// The limit passed; the message says what the node's condition says.
    pub async fn node_ready(
        &self,
        name: &str,
        limit: Duration,
        mut on: impl FnMut(Progress) + Send,
    ) -> Result<(), Error> {
        self.wait_node(name, Clock::new(limit), &mut on).await
    }

    /// Takes a node whose machine has left out of the cluster; whether it was in. Its pods run nowhere
    /// any more: without them, others are made in their place at once, not after a minute.
    ///
    /// # Errors
    /// No answer, or an answer that refuses it.
    pub async fn delete_node(&self, name: &str) -> Result<bool, Error> {
        let was_in = self.rest().delete(&node::path(name)).await?;
        let query = format!("fieldSelector=spec.nodeName%3D{}", escaped(name));
        for pod in self.rest().list("/api/v1/pods", &query).await? {
            let (namespace, pod) = (pods::namespace(&pod), pods::name(&pod));
            let path = format!(
                "/api/v1/namespaces/{}/pods/{}",
                escaped(namespace),
                escaped(pod)
            );
            self.rest().delete_now(&path).await?;
        }
        Ok(was_in)
    }

    /// Keeps new pods off a node; whether that was a change.
    ///
    /// # Errors
    /// [`Error::NoNode`], or no answer.
    pub async fn cordon(&self, name: &str) -> Result<bool, Error> {
        self.schedulable(name, false).await
    }

    /// Lets new pods onto a node; whether that was a change.
    ///
    /// # Errors
    /// [`Error::NoNode`], or no answer.
    pub async fn uncordon(&self, name: &str) -> Result<bool, Error> {
        self.schedulable(name, true).await
    }

    async fn schedulable(&self, name: &str, on: bool) -> Result<bool, Error> {
        let path = node::path(name);
        let Some(node) = self.rest().get(&path).await? else {
            return Err(Error::NoNode(name.into()));
        };
        let off = node.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
        if off != on {
            return Ok(false);
        }
        let value = if on { Value::Null } else { true.into() };
        let patch = json!({ "spec": { "unschedulable": value } });
        self.rest().patch(&path, Patch::Merge, &patch).await?;
        Ok(true)
    }

    pub(crate) async fn wait_node(
        &self,
        name: &str,
        clock: Clock,
        on: Listener<'_>,
    ) -> Result<(), Error> {
        let path = node::path(name);
        let rest = self.rest();
        let mut wait = Wait::new(clock, on);
        loop {
            let look = async {
                Ok(match rest.get(&path).await? {
                    None => Look::Not(format!("node {name} to join the cluster")),
                    Some(node) => match node::readiness(&node) {
                        Ok(()) => Look::Done(()),
                        Err(why) => Look::Not(format!("node {name} to be ready: {why}")),
                    },
                })
            };
            if let Some(end) = wait.judge(look.await).await.transpose() {
                break end;
            }
        }
    }

    pub(crate) async fn apply_node(
        &self,
        step: &ApiStep,
        name: &str,
        clock: Clock,
        on: Listener<'_>,
    ) -> Result<bool, Error> {
        let path = node::path(name);
        let rest = self.rest();
        let mut wait = Wait::new(clock, on);
        let joined = loop {
            let look = async {
                Ok(match rest.get(&path).await? {
                    None => Look::Not(format!("node {name} to join the cluster")),
                    Some(_) => Look::Done(()),
                })
            };
            if let Some(end) = wait.judge(look.await).await.transpose() {
                break end;
            }
        };
        joined?;
        self.write_node(&step.name, name, &wanted(step, name)).await
    }

    /// Reads, compares and writes; again if somebody else wrote in between.
    async fn write_node(&self, step: &str, name: &str, wanted: &Wanted<'_>) -> Result<bool, Error> {
        let path = node::path(name);
        for turn in 0..TRIES {
            step_back(turn).await;
            let Some(node) = self.rest().get(&path).await? else {
                return Err(Error::NoNode(name.into()));
            };
            let Some(change) = node::plan(step, &node, wanted)? else {
                return Ok(false);
            };
            match self.rest().patch(&path, Patch::Merge, &change.patch).await {
                Ok(_) => return Ok(true),
                Err(Error::Refused { code: 409, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended {
            what: format!("node {name}"),
            tries: TRIES,
        })
    }

    pub(crate) async fn release_nodes(
        &self,
        step: &str,
        keep: &[ApiResource],
        on: Listener<'_>,
    ) -> Result<Vec<String>, Error> {
        let mut released = Vec::new();
        for node in self.rest().list("/api/v1/nodes", "").await? {
            let name = node::name(&node);
            let kept = keep
                .iter()
                .any(|r| matches!(r, ApiResource::Node { name: n, .. } if n == name));
            if kept || !node::remembers(&node, step) {
                continue;
            }
            let id = format!("node:{name}");
            on(Progress::Started { id: id.clone() });
            self.write_node(step, name, &released_node()).await?;
            on(Progress::Changed { id: id.clone() });
            released.push(id);
        }
        Ok(released)
    }
}

fn released_node() -> Wanted<'static> {
    Wanted {
        release: true,
        ..Wanted::default()
    }
}

/// Everything that a step says about a node, as one.
fn wanted<'a>(step: &'a ApiStep, of: &str) -> Wanted<'a> {
    let mut out = Wanted::default();
    for resource in &step.resources {
        let ApiResource::Node {
            name,
            labels,
            annotations,
            taints,
            pod_cidr,
        } = resource
        else {
            continue;
        };
        if name == of {
            let pairs = |(k, v): (&'a String, &'a String)| (k.as_str(), v.as_str());
            out.labels.extend(labels.iter().map(pairs));
            out.annotations.extend(annotations.iter().map(pairs));
            out.taints = taints.as_deref().or(out.taints);
            out.pod_cidr = pod_cidr.as_deref().or(out.pod_cidr);
        }
    }
    out
}

/// What would change on nodes, those that the step gives up included.
pub(crate) fn plan_nodes(step: &ApiStep, nodes: &[Value]) -> Result<Vec<Planned>, Error> {
    let mut names: Vec<&str> = Vec::new();
    for resource in &step.resources {
        if let ApiResource::Node { name, .. } = resource
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    let mut out = Vec::new();
    for name in &names {
        let Some(node) = nodes.iter().find(|node| node::name(node) == *name) else {
            out.push(Planned {
                id: format!("node:{name}"),
                verb: Verb::Create,
                summary: "waits for the node to join".into(),
                diff: None,
            });
            continue;
        };
        if let Some(change) = node::plan(&step.name, node, &wanted(step, name))? {
            out.push(planned_node(name, change));
        }
    }
    for resource in &step.resources {
        if let ApiResource::NoNode { name } = resource
            && nodes.iter().any(|node| node::name(node) == name)
        {
            out.push(Planned {
                id: resource.id(),
                verb: Verb::Remove,
                summary: "take the node out of the cluster".into(),
                diff: None,
            });
        }
    }
    for node in nodes {
        let name = node::name(node);
        if !names.contains(&name)
            && node::remembers(node, &step.name)
            && let Some(change) = node::plan(&step.name, node, &released_node())?
        {
            out.push(planned_node(name, change));
        }
    }
    Ok(out)
}

fn planned_node(name: &str, change: node::NodeChange) -> Planned {
    Planned {
        id: format!("node:{name}"),
        verb: Verb::Update,
        summary: change.summary,
        diff: Some(change.diff).filter(|diff| !diff.is_empty()),
    }
}
