//! Server-sent events: what happens in a run, and what changes at all.

use super::caller::Viewer;
use super::problem::Problem;
use super::rights::while_known;
use super::state::App;
use crate::auth::Caller;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use bramble_store::record::{LightRules, Run};
use bramble_store::{Change, Key, Kind, Log, Store, Typed};
use futures::Stream;
use futures::stream;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// One event; a stream of them has no errors, it ends.
pub(super) type Item = Result<Event, Infallible>;

/// Lines read at once.
const CHUNK: usize = 500;

/// What a run's events are read with.
struct Follow {
    store: Arc<dyn Store>,
    run: String,
    log: Log,
    behind: u64,
    changes: Receiver<Change>,
    ready: VecDeque<Event>,
    over: bool,
}

/// The events of a run behind a place, those to come as well, until it is over.
pub(super) fn run(
    app: &App,
    caller: Caller,
    run: String,
    behind: u64,
) -> Sse<impl Stream<Item = Item> + use<>> {
    let store = app.store.clone();
    let follow = Follow {
        // Listened to before the first look: nothing falls between.
        changes: store.changes(),
        store,
        log: Log::Run(run.clone()),
        run,
        behind,
        ready: VecDeque::new(),
        over: false,
    };
    let events = stream::unfold(follow, |mut follow| async move {
        let event = follow.next().await?;
        Some((Ok(event), follow))
    });
    Sse::new(while_known(app, caller, events)).keep_alive(KeepAlive::default())
}

impl Follow {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            // Asked before the lines: what came until it was over is read then.
            let run = self.store.find::<Run>(&self.run).await.ok()?;
            let over = run.is_none_or(|run| run.it.state.is_over());
            let lines = self.store.read(&self.log, self.behind, CHUNK).await.ok()?;
            let full = lines.len() == CHUNK;
            for line in lines {
                self.behind = line.at;
                let event = Event::default().id(line.at.to_string()).data(line.text);
                self.ready.push_back(event);
            }
            if over && !full {
                self.over = true;
                self.ready
                    .push_back(Event::default().event("over").data("{}"));
            }
            if self.ready.is_empty() {
                self.changed().await?;
            }
        }
    }

    /// Waits until something about the run has changed.
    async fn changed(&mut self) -> Option<()> {
        loop {
            match self.changes.recv().await {
                Ok(Change::Grown(log)) if log == self.log => return Some(()),
                Ok(Change::Put(key) | Change::Deleted(key))
                    if key.kind == Kind::Run && key.name == self.run =>
                {
                    return Some(());
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(()),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Kinds whose changes everybody who is logged in may know of.
const TOLD: [Kind; 6] = [
    Kind::Cluster,
    Kind::Machine,
    Kind::Template,
    Kind::Run,
    Kind::Button,
    Kind::Light,
];

/// Of settings, the rules of the lights are for everybody.
fn told(key: &Key) -> bool {
    TOLD.contains(&key.kind) || (key.kind == Kind::Setting && key.name == LightRules::NAME)
}

/// What changes from now on: kind and name. Who reads too slowly gets `missed`, and reads all anew.
#[utoipa::path(get, path = "/events", tag = "daemon", responses(
    (status = 200, content_type = "text/event-stream", body = String),
    (status = 401, body = Problem),
))]
pub(super) async fn changes(
    Viewer(caller): Viewer,
    State(app): State<App>,
) -> Sse<impl Stream<Item = Item>> {
    let events = stream::unfold(app.store.changes(), |mut changes| async move {
        loop {
            let (word, key) = match changes.recv().await {
                Ok(Change::Put(key)) => ("put", key),
                Ok(Change::Deleted(key)) => ("deleted", key),
                Ok(Change::Grown(_)) => continue,
                Err(RecvError::Lagged(_)) => {
                    let event = Event::default().event("missed").data("{}");
                    return Some((Ok(event), changes));
                }
                Err(RecvError::Closed) => return None,
            };
            if told(&key) {
                let text = json!({ "kind": key.kind, "name": key.name }).to_string();
                let event = Event::default().event(word).data(text);
                return Some((Ok(event), changes));
            }
        }
    });
    Sse::new(while_known(&app, caller, events)).keep_alive(KeepAlive::default())
}
