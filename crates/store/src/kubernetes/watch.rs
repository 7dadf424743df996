//! What changes, as the API tells it. Only the metadata of objects is watched: no Secret's content comes here.

use super::{chunk, names, own, resource, secrets, shape};
use crate::document::{Change, Key, Kind, Log};
use crate::error::Error;
use futures::StreamExt;
use kube::Client;
use kube::api::{Api, DynamicObject, ObjectMeta};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;

/// How long the first look may take.
const FIRST: Duration = Duration::from_secs(30);

/// Seconds of one watch. A connection that died silently is noticed after them.
const AT_MOST: u32 = 60;

/// What an object is about.
#[derive(Clone)]
enum Subject {
    Document(Key),
    Log(Log),
}

impl Subject {
    fn put(&self) -> Change {
        match self {
            Subject::Document(key) => Change::Put(key.clone()),
            Subject::Log(log) => Change::Grown(log.clone()),
        }
    }

    fn deleted(&self) -> Option<Change> {
        match self {
            Subject::Document(key) => Some(Change::Deleted(key.clone())),
            Subject::Log(_) => None,
        }
    }
}

/// Watches, as long as it lives.
pub(super) struct Watches(#[expect(dead_code, reason = "ends them by its own end")] JoinSet<()>);

impl Watches {
    /// Begins to watch everything; what is there already is no change.
    pub(super) async fn start(
        client: &Client,
        namespace: &str,
        changes: &broadcast::Sender<Change>,
    ) -> Result<Self, Error> {
        let mut tasks = JoinSet::new();
        let mut firsts = Vec::new();
        let mut start = |resource: &ApiResource, config: Config, of: Of| {
            let (first, looked) = oneshot::channel();
            firsts.push(looked);
            let api = Api::namespaced_with(client.clone(), namespace, resource);
            tasks.spawn(follow(api, config, of, changes.clone(), first));
        };
        let all = Config::default().timeout(AT_MOST);
        for shape in shape::SHAPES {
            start(&resource(shape), all.clone(), Of::Kind(shape.kind));
        }
        let documents = all.clone().labels(names::KIND);
        start(&secrets::resource(), documents, Of::Secret);
        start(&own(chunk::WORD, chunk::PLURAL), all, Of::Log);
        let looked = futures::future::join_all(firsts);
        match tokio::time::timeout(FIRST, looked).await {
            Ok(_) => Ok(Self(tasks)),
            Err(late) => Err(Error::Home {
                what: "watch the namespace",
                source: late.into(),
            }),
        }
    }
}

/// What the objects of a watch are about.
#[derive(Clone, Copy)]
enum Of {
    Kind(Kind),
    Secret,
    Log,
}

impl Of {
    fn subject(self, meta: &ObjectMeta) -> Option<Subject> {
        match self {
            Of::Kind(kind) => {
                let name = names::of_object(meta)?;
                Some(Subject::Document(Key::new(kind, name)))
            }
            Of::Secret => names::of_secret(meta).map(Subject::Document),
            Of::Log => {
                let name = meta.annotations.as_ref()?.get(names::LOG)?;
                chunk::log_of(name).map(Subject::Log)
            }
        }
    }
}

/// What is known of the objects of one watch: their versions, and what they are about.
#[derive(Default)]
struct Known {
    there: HashMap<String, (String, Subject)>,
    /// What a look has found so far, while one is under way.
    found: Option<HashMap<String, (String, Subject)>>,
    /// Whether there was a look before.
    looked: bool,
}

impl Known {
    /// Takes in an event; what has changed.
    fn hear(&mut self, of: Of, event: Event<PartialObjectMeta<DynamicObject>>) -> Vec<Change> {
        match event {
            Event::Init => {
                self.found = Some(HashMap::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                if let (Some(found), Some((name, it))) = (&mut self.found, entry(of, object)) {
                    found.insert(name, it);
                }
                Vec::new()
            }
            Event::InitDone => self.looked(),
            Event::Apply(object) => match entry(of, object) {
                Some((name, it)) => {
                    let change = it.1.put();
                    self.there.insert(name, it);
                    vec![change]
                }
                None => Vec::new(),
            },
            Event::Delete(object) => {
                let name = object.metadata.name.unwrap_or_default();
                let gone = self.there.remove(&name);
                gone.and_then(|(_, it)| it.deleted()).into_iter().collect()
            }
        }
    }

    /// After a look: what has changed since the last one, if there was one.
    fn looked(&mut self) -> Vec<Change> {
        let found = self.found.take().unwrap_or_default();
        let before = std::mem::replace(&mut self.there, found);
        if !std::mem::replace(&mut self.looked, true) {
            return Vec::new();
        }
        let put = self.there.iter().filter_map(|(name, (version, it))| {
            let same = before.get(name).is_some_and(|(known, _)| known == version);
            (!same).then(|| it.put())
        });
        let gone = before
            .iter()
            .filter(|(name, _)| !self.there.contains_key(*name));
        put.chain(gone.filter_map(|(_, (_, it))| it.deleted()))
            .collect()
    }
}

fn entry(of: Of, object: PartialObjectMeta<DynamicObject>) -> Option<(String, (String, Subject))> {
    let subject = of.subject(&object.metadata)?;
    let name = object.metadata.name?;
    let version = object.metadata.resource_version.unwrap_or_default();
    Some((name, (version, subject)))
}

/// Follows the objects of one kind for ever.
async fn follow(
    api: Api<PartialObjectMeta<DynamicObject>>,
    config: Config,
    of: Of,
    changes: broadcast::Sender<Change>,
    first: oneshot::Sender<()>,
) {
    let mut first = Some(first);
    let mut known = Known::default();
    // It comes back by itself, with longer and longer pauses.
    let events = watcher(api, config).default_backoff();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                for change in known.hear(of, event) {
                    // Nobody may listen.
                    let _ = changes.send(change);
                }
                if known.looked {
                    first.take().map(|first| first.send(()));
                }
            }
            Err(error) => tracing::warn!("changes are told late: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, version: &str) -> PartialObjectMeta<DynamicObject> {
        PartialObjectMeta {
            types: None,
            metadata: ObjectMeta {
                name: Some(name.into()),
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            _phantom: std::marker::PhantomData,
        }
    }

    fn hear(known: &mut Known, event: Event<PartialObjectMeta<DynamicObject>>) -> Vec<Change> {
        known.hear(Of::Kind(Kind::Cluster), event)
    }

    fn look(known: &mut Known, objects: &[(&str, &str)]) -> Vec<Change> {
        hear(known, Event::Init);
        for (name, version) in objects {
            hear(known, Event::InitApply(object(name, version)));
        }
        hear(known, Event::InitDone)
    }

    #[test]
    fn a_second_look_tells_what_was_missed() {
        let mut known = Known::default();
        assert_eq!(look(&mut known, &[("a", "1"), ("b", "2"), ("c", "3")]), []);
        let mut told = look(&mut known, &[("a", "1"), ("b", "9"), ("d", "10")]);
        told.sort_by_key(|change| format!("{change:?}"));
        let key = |name| Key::new(Kind::Cluster, name);
        let wanted = [
            Change::Deleted(key("c")),
            Change::Put(key("b")),
            Change::Put(key("d")),
        ];
        assert_eq!(told, wanted);
        let gone = hear(&mut known, Event::Delete(object("d", "11")));
        assert_eq!(gone, [Change::Deleted(key("d"))]);
    }
}
