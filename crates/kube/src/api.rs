//! The API as a place: plan, apply, prune.

use crate::drain::DrainOptions;
use crate::inventory::{Inventory, Key};
use crate::node;
use crate::nodes::plan_nodes;
use crate::object::{self, Difference};
use crate::rest::Rest;
use crate::status::{self, ClusterStatus};
use crate::wait::{Clock, Look, Progress, Wait};
use crate::{Error, connect, rollout};
use bramble_machine::Verb;
use bramble_machine::api::ApiResource;
use bramble_machine::step::ApiStep;
use bramble_secret::Secret;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Comparisons under way at the same time.
const AT_ONCE: usize = 8;

/// A difference between what should be and what is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Id of the resource.
    pub id: String,
    /// Create, update or remove.
    pub verb: Verb,
    /// One line.
    pub summary: String,
    /// Unified difference of YAML, values of Secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// A resource that is as it should be now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Id of the resource.
    pub id: String,
    /// Whether something had to be changed.
    pub changed: bool,
}

/// A connection to a cluster's API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    rest: Rest,
}

impl Api {
    /// Connects as the admin of a kubeconfig (`/etc/kubernetes/admin.conf`), directly or through
    /// `via`, a local address that is forwarded to the API server. TLS always verifies the
    /// server by the kubeconfig's CA and by the name that the kubeconfig gives it. Asks for the
    /// server's version once, to be sure that it answers.
    ///
    /// # Errors
    /// A kubeconfig that lacks embedded data, no connection, or an answer that refuses it.
    pub async fn connect(kubeconfig: &Secret, via: Option<SocketAddr>) -> Result<Api, Error> {
        let connection = connect::client(kubeconfig, via)?;
        let rest = Rest::new(connection.client, connection.server);
        let (code, body) = rest.text("/version").await?;
        if code != 200 {
            return Err(crate::rest::refused(
                "GET /version".into(),
                code,
                body.as_bytes(),
            ));
        }
        Ok(Api { rest })
    }

    pub(crate) fn rest(&self) -> &Rest {
        &self.rest
    }

    /// What would change, for each of the steps, removals included. Writes nothing. An object that
    /// moved from one step to another is no change.
    ///
    /// # Errors
    /// A manifest that the server refuses, a pod range that differs, or no answer.
    pub async fn plan(&self, steps: &[ApiStep]) -> Result<Vec<Vec<Planned>>, Error> {
        let inventory = Inventory::load(&self.rest).await?;
        let nodes = self.rest.list("/api/v1/nodes", "").await?;
        let mut wanted = Vec::new();
        for resource in steps.iter().flat_map(|step| &step.resources) {
            wanted.extend(object_key(resource)?);
        }
        let mut out = Vec::new();
        for step in steps {
            let mut looks: Vec<BoxFuture<'_, Result<Option<Planned>, Error>>> = Vec::new();
            for resource in &step.resources {
                if let ApiResource::Object { manifest, .. } = resource {
                    looks.push(plan_object(&self.rest, resource.id(), manifest).boxed());
                }
            }
            for key in inventory.of(&step.name).iter().rev() {
                if !wanted.iter().any(|w| w.is(key)) && !inventory.elsewhere(&step.name, key) {
                    looks.push(plan_removal(&self.rest, key.clone()).boxed());
                }
            }
            let mut planned = plan_nodes(step, &nodes)?;
            let found: Vec<Option<Planned>> = futures::stream::iter(looks)
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            planned.extend(found.into_iter().flatten());
            out.push(planned);
        }
        Ok(out)
    }

    /// Makes a step's resources as they should be, in order, then waits until they are ready or
    /// rolled out. Compares each right before and writes only what differs. `limit` is for all of
    /// it. Takes nothing away: that is for [`Api::prune`], once every step is applied.
    ///
    /// # Errors
    /// The first thing that did not work; what was applied before stays.
    pub async fn apply(
        &self,
        step: &ApiStep,
        limit: Duration,
        mut on: impl FnMut(Progress) + Send,
    ) -> Result<Vec<Applied>, Error> {
        let clock = Clock::new(limit);
        self.record(step).await?;
        let mut out = Vec::new();
        for resource in &step.resources {
            let id = resource.id();
            on(Progress::Started { id: id.clone() });
            let changed = match resource {
                ApiResource::Node { name, .. } => {
                    self.apply_node(step, name, clock, &mut on).await?
                }
                ApiResource::NoNode { name } => self.delete_node(name).await?,
                ApiResource::Drained { name, limit, force } => {
                    let options = DrainOptions {
                        limit: *limit,
                        force: *force,
                        ..DrainOptions::default()
                    };
                    self.take_out(name, &options, &mut on).await?
                }
                ApiResource::Serving { name, kubelet } => {
                    self.put_back(name, kubelet.as_deref(), clock, &mut on)
                        .await?
                }
                ApiResource::Object { manifest, .. } => {
                    object::apply(&self.rest, &id, manifest, clock, &mut on).await?
                }
            };
            on(if changed {
                Progress::Changed { id: id.clone() }
            } else {
                Progress::Unchanged { id: id.clone() }
            });
            out.push(Applied { id, changed });
        }
        // Only now: what comes first in the list may need what comes later.
        for resource in &step.resources {
            match resource {
                ApiResource::Node { name, .. } => {
                    self.wait_node(name, clock, &mut on).await?;
                }
                ApiResource::Object { manifest, wait } if *wait => {
                    let id = resource.id();
                    if let Some(target) = object::locate(&self.rest, &id, manifest).await? {
                        rollout::wait(&self.rest, &id, &target.path, clock, &mut on).await?;
                    }
                }
                _ => {}
            }
        }
        Ok(out)
    }

    /// Takes away what a step made earlier and no longer wants: objects of the inventory that are
    /// not in `keep`, and what it set on nodes that are not in `keep`. Objects that another step
    /// holds are only forgotten, so call it after all steps are applied. Waits until they are gone.
    /// Gives the ids of what was removed.
    ///
    /// # Errors
    /// The first thing that could not be removed; a later call goes on from there.
    pub async fn prune(
        &self,
        step: &str,
        keep: &[ApiResource],
        limit: Duration,
        mut on: impl FnMut(Progress) + Send,
    ) -> Result<Vec<String>, Error> {
        let clock = Clock::new(limit);
        let mut removed = self.release_nodes(step, keep, &mut on).await?;
        let mut kept = Vec::new();
        for resource in keep {
            kept.extend(object_key(resource)?);
        }
        let inventory = Inventory::load(&self.rest).await?;
        let gone: Vec<Key> = inventory
            .of(step)
            .iter()
            .filter(|key| !kept.iter().any(|k| k.is(key)))
            .rev()
            .cloned()
            .collect();
        let mut leaving = Vec::new();
        for key in &gone {
            if inventory.elsewhere(step, key) {
                continue;
            }
            let Some(path) = object::path(&self.rest, key).await? else {
                continue;
            };
            on(Progress::Started { id: key.id() });
            if self.rest.delete(&path).await? {
                leaving.push((key.id(), path));
            }
        }
        for (id, path) in &leaving {
            let rest = &self.rest;
            let mut wait = Wait::new(clock, &mut on);
            let outcome = loop {
                let look = async {
                    Ok(match rest.get(path).await? {
                        None => Look::Done(()),
                        Some(object) => {
                            Look::Not(format!("{id} to be gone{}", finalizers(&object)))
                        }
                    })
                };
                if let Some(end) = wait.judge(look.await).await.transpose() {
                    break end;
                }
            };
            outcome?;
            on(Progress::Changed { id: id.clone() });
        }
        removed.extend(leaving.into_iter().map(|(id, _)| id));
        if !gone.is_empty() {
            Inventory::update(&self.rest, |inventory| {
                for key in &gone {
                    inventory.forget(step, key);
                }
            })
            .await?;
        }
        Ok(removed)
    }

    /// Takes away everything that a step made.
    ///
    /// # Errors
    /// As [`Api::prune`].
    pub async fn remove_step(
        &self,
        step: &str,
        limit: Duration,
        on: impl FnMut(Progress) + Send,
    ) -> Result<Vec<String>, Error> {
        self.prune(step, &[], limit, on).await
    }

    /// The steps that made something here, whether or not they are still in the cluster's file.
    ///
    /// # Errors
    /// No answer, or an inventory that can't be read.
    pub async fn steps(&self) -> Result<Vec<String>, Error> {
        let inventory = Inventory::load(&self.rest).await?;
        let mut steps: BTreeSet<String> = inventory.steps().map(str::to_owned).collect();
        for node in self.rest.list("/api/v1/nodes", "").await? {
            steps.extend(node::steps(&node));
        }
        Ok(steps.into_iter().collect())
    }

    /// Everything `bramble status` shows.
    ///
    /// # Errors
    /// No answer, or an answer that refuses it.
    pub async fn status(&self) -> Result<ClusterStatus, Error> {
        status::read(&self.rest).await
    }

    /// Waits until the API server says that it is ready.
    ///
    /// # Errors
    /// The limit passed; the message names the checks that fail.
    pub async fn wait_ready(
        &self,
        limit: Duration,
        mut on: impl FnMut(Progress) + Send,
    ) -> Result<(), Error> {
        let rest = &self.rest;
        let mut wait = Wait::new(Clock::new(limit), &mut on);
        loop {
            let look = async {
                let failing: Vec<String> = status::checks(rest)
                    .await?
                    .into_iter()
                    .filter(|check| !check.ok)
                    .map(|check| check.name)
                    .collect();
                Ok(if failing.is_empty() {
                    Look::Done(())
                } else {
                    Look::Not(format!(
                        "the API server is not ready: {}",
                        failing.join(", ")
                    ))
                })
            };
            if let Some(end) = wait.judge(look.await).await.transpose() {
                break end;
            }
        }
    }

    /// Writes down which objects are about to be made, before the first is.
    async fn record(&self, step: &ApiStep) -> Result<(), Error> {
        let inventory = Inventory::load(&self.rest).await?;
        let mut new = Vec::new();
        for resource in &step.resources {
            let Some(key) = object_key(resource)? else {
                continue;
            };
            if inventory.holds(&step.name, &key) {
                continue;
            }
            // What was there before and isn't ours is changed, but never removed.
            let ours = inventory.any(&key)
                || match object::path(&self.rest, &key).await? {
                    Some(path) => self.rest.get(&path).await?.is_none(),
                    None => true,
                };
            if ours {
                new.push(key);
            }
        }
        if !new.is_empty() {
            Inventory::update(&self.rest, |inventory| {
                for key in &new {
                    inventory.add(&step.name, key.clone());
                }
            })
            .await?;
        }
        Ok(())
    }
}

/// The object that a resource is; `None` for nodes.
fn object_key(resource: &ApiResource) -> Result<Option<Key>, Error> {
    match resource {
        ApiResource::Object { manifest, .. } => object::key(&resource.id(), manifest).map(Some),
        _ => Ok(None),
    }
}

async fn plan_object(rest: &Rest, id: String, manifest: &Value) -> Result<Option<Planned>, Error> {
    let (verb, summary, diff) = match object::locate(rest, &id, manifest).await? {
        None => (
            Verb::Create,
            "create once the server knows this kind".to_owned(),
            crate::show::difference(&Value::Null, manifest),
        ),
        Some(target) => match object::plan(rest, &id, &target).await? {
            Difference::Same => return Ok(None),
            Difference::Create { leaving, diff } => {
                let when = if leaving {
                    "create again once the old one is deleted"
                } else {
                    "create"
                };
                (Verb::Create, when.to_owned(), diff)
            }
            Difference::Update { summary, diff } => (Verb::Update, summary, diff),
        },
    };
    Ok(Some(Planned {
        id,
        verb,
        summary,
        diff: Some(diff).filter(|diff| !diff.is_empty()),
    }))
}

async fn plan_removal(rest: &Rest, key: Key) -> Result<Option<Planned>, Error> {
    let Some(path) = object::path(rest, &key).await? else {
        return Ok(None);
    };
    if rest.get(&path).await?.is_none() {
        return Ok(None);
    }
    let summary = match key.kind.as_str() {
        "Namespace" => "remove, with everything in it",
        "CustomResourceDefinition" => "remove, with every object of its kind",
        "PersistentVolumeClaim" => "remove, with its data",
        _ => "remove",
    };
    Ok(Some(Planned {
        id: key.id(),
        verb: Verb::Remove,
        summary: summary.into(),
        diff: None,
    }))
}

/// Who keeps a deleted object from going.
fn finalizers(object: &Value) -> String {
    let of = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (of("/metadata/finalizers"), of("/spec/finalizers")) {
        (a, b) if a.is_empty() && b.is_empty() => String::new(),
        (a, b) => format!(" (finalizers: {a}{b})"),
    }
}
