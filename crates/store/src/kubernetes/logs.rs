//! Logs in parts: read, shortened, forgotten. `writer` adds to them.

use super::chunk::{self, Chunk};
use super::rest::{self, Fault};
use super::writer::Job;
use super::{names, own};
use crate::document::{Line, Log};
use crate::error::Error;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// How often a write is tried while others write to the same log.
pub(super) const TRIES: u32 = 32;

/// Logs whose last part is remembered for those who read on.
const REMEMBERED: usize = 256;

/// Place of a part's first line, to find parts without reading them.
const FIRST: &str = "bramble.dev/first";

/// All logs of a namespace.
pub(super) struct Logs {
    pub(super) api: Api<DynamicObject>,
    pub(super) writers: Mutex<HashMap<Log, mpsc::Sender<Job>>>,
    /// A part near the end of a log: its number and the place of its first line.
    near: Mutex<HashMap<Log, (u64, u64)>>,
}

/// A part of a log as it is there.
pub(super) struct Part {
    pub object: DynamicObject,
    pub number: u64,
    pub chunk: Chunk,
}

/// The name of a part's object.
pub(super) fn name(log: &Log, number: u64) -> String {
    format!("{}-{number}", names::log(log))
}

fn number(log: &Log, name: &str) -> Option<u64> {
    let rest = name.strip_prefix(&names::log(log))?;
    rest.strip_prefix('-')?.parse().ok()
}

fn selector(log: &Log) -> String {
    format!("{}={}", names::LOG, names::log(log))
}

fn read_chunk(object: &DynamicObject) -> Result<Chunk, Error> {
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    serde_json::from_value(spec).map_err(|source| Error::Home {
        what: "read a part of a log",
        source: source.into(),
    })
}

/// Writes a part into its object.
pub(super) fn fill(object: &mut DynamicObject, chunk: &Chunk) {
    object.data = json!({ "spec": chunk });
    let notes = object.metadata.annotations.get_or_insert_default();
    notes.insert(FIRST.into(), chunk.first.to_string());
    // For watches, which see nothing but this of an object.
    notes.insert(names::LOG.into(), chunk.log.clone());
}

impl Logs {
    pub(super) fn new(client: Client, namespace: &str) -> Arc<Self> {
        let resource = own(chunk::WORD, chunk::PLURAL);
        Arc::new(Self {
            api: Api::namespaced_with(client, namespace, &resource),
            writers: Mutex::default(),
            near: Mutex::default(),
        })
    }

    fn near(&self) -> std::sync::MutexGuard<'_, HashMap<Log, (u64, u64)>> {
        self.near.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, log: &Log, number: u64, first: u64) {
        let mut near = self.near();
        if near.len() >= REMEMBERED && !near.contains_key(log) {
            near.clear();
        }
        near.insert(log.clone(), (number, first));
    }

    /// Numbers of the parts of a log and the places of their first lines, in order.
    async fn parts(&self, log: &Log) -> Result<Vec<(u64, u64)>, Error> {
        const WHAT: &str = "look for the parts of a log";
        let selected = ListParams::default().labels(&selector(log));
        let found = rest::read(WHAT, || self.api.list_metadata(&selected)).await;
        let found = found.map_err(|fault| fault.unexpected(WHAT))?;
        let part = |meta: &kube::core::PartialObjectMeta<DynamicObject>| {
            let first = meta.annotations().get(FIRST)?.parse().ok()?;
            Some((number(log, &meta.name_any())?, first))
        };
        let mut parts: Vec<(u64, u64)> = found.items.iter().filter_map(part).collect();
        parts.sort_unstable();
        Ok(parts)
    }

    async fn part(&self, log: &Log, number: u64) -> Result<Option<Part>, Error> {
        let name = name(log, number);
        let Some(object) = rest::get(&self.api, &name, "read a part of a log").await? else {
            return Ok(None);
        };
        let chunk = read_chunk(&object)?;
        Ok(Some(Part {
            object,
            number,
            chunk,
        }))
    }

    /// The last part of a log.
    pub(super) async fn tail(&self, log: &Log) -> Result<Option<Part>, Error> {
        match self.parts(log).await?.last() {
            Some((number, _)) => self.part(log, *number).await,
            None => Ok(None),
        }
    }

    /// Lines behind a place, at most so many.
    pub(super) async fn read(
        &self,
        log: &Log,
        behind: u64,
        limit: usize,
    ) -> Result<Vec<Line>, Error> {
        let mut lines: Vec<Line> = Vec::new();
        let Some(mut part) = self.part_with(log, behind).await? else {
            return Ok(lines);
        };
        loop {
            lines.extend(part.chunk.behind(behind, limit - lines.len()));
            self.remember(log, part.number, part.chunk.first);
            if !part.chunk.sealed || lines.len() >= limit {
                return Ok(lines);
            }
            match self.part(log, part.number + 1).await? {
                Some(next) => part = next,
                None => return Ok(lines),
            }
        }
    }

    /// Lines before a place, the last one first, at most so many.
    pub(super) async fn read_back(
        &self,
        log: &Log,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Line>, Error> {
        let mut lines: Vec<Line> = Vec::new();
        let parts = self.parts(log).await?;
        for (number, _) in parts.iter().rev().filter(|(_, first)| *first < before) {
            if lines.len() >= limit {
                break;
            }
            // A part that is gone by now was dropped with all before it.
            let Some(part) = self.part(log, *number).await? else {
                break;
            };
            lines.extend(part.chunk.before(before, limit - lines.len()));
        }
        Ok(lines)
    }

    /// The first part that can have lines behind a place.
    async fn part_with(&self, log: &Log, behind: u64) -> Result<Option<Part>, Error> {
        let near = self.near().get(log).copied();
        if let Some((number, first)) = near.filter(|(_, first)| *first <= behind.saturating_add(1))
            && let Some(part) = self.part(log, number).await?
            && part.chunk.first == first
        {
            return Ok(Some(part));
        }
        let parts = self.parts(log).await?;
        let at = parts
            .iter()
            .rev()
            .find(|(_, first)| *first <= behind.saturating_add(1));
        match at.or_else(|| parts.first()) {
            Some((number, _)) => self.part(log, *number).await,
            None => Ok(None),
        }
    }

    /// Drops lines up to a place. The last part stays, for it knows the place of the next line.
    pub(super) async fn prune(&self, log: &Log, up_to: u64) -> Result<(), Error> {
        let parts = self.parts(log).await?;
        let ends = parts.iter().skip(1).map(|(_, first)| first - 1);
        for ((number, first), end) in parts.iter().zip(ends.map(Some).chain([None])) {
            match end {
                _ if *first > up_to => return Ok(()),
                Some(end) if end <= up_to => self.delete(&name(log, *number)).await?,
                _ => self.shorten(log, *number, up_to).await?,
            }
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        const WHAT: &str = "delete a part of a log";
        let deleted = rest::send(WHAT, self.api.delete(name, &DeleteParams::default())).await;
        match deleted {
            Ok(_) | Err(Fault::Missing) => Ok(()),
            Err(fault) => Err(fault.unexpected(WHAT)),
        }
    }

    async fn shorten(&self, log: &Log, number: u64, up_to: u64) -> Result<(), Error> {
        const WHAT: &str = "shorten a part of a log";
        for _ in 0..TRIES {
            let Some(mut part) = self.part(log, number).await? else {
                return Ok(());
            };
            if !part.chunk.prune(up_to) {
                return Ok(());
            }
            fill(&mut part.object, &part.chunk);
            match rest::replace(&self.api, &part.object, WHAT).await {
                Ok(_) | Err(Fault::Missing) => return Ok(()),
                Err(Fault::Conflict) => {}
                Err(Fault::Error(error)) => return Err(error),
            }
        }
        Err(busy(WHAT))
    }

    /// Drops a log with its places.
    pub(super) async fn forget(&self, log: &Log) -> Result<(), Error> {
        const WHAT: &str = "forget a log";
        let selected = ListParams::default().labels(&selector(log));
        let how = DeleteParams::default();
        let deleted = rest::send(WHAT, self.api.delete_collection(&how, &selected)).await;
        self.near().remove(log);
        // Its task would go on behind what is gone.
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.remove(log);
        drop(writers);
        deleted.map(drop).map_err(|fault| fault.unexpected(WHAT))
    }
}

pub(super) fn busy(what: &'static str) -> Error {
    Error::Home {
        what,
        source: "others write to it all the time".into(),
    }
}
