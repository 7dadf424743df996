//! The daemon's lights: rules and state from the store, runs and the clusters that stand as their sources. Webhooks come
//! by the API.

pub mod clusters;

use bramble_lights::file;
use bramble_lights::sources::runs::{self, Standing};
use bramble_lights::{Panel, Signal};
use bramble_store::record::{End, LightRules, LightState, Run, State};
use bramble_store::{Change, Error, Key, Kind, Store, Stored, Typed};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;

/// How often what is the case is written down, if it has changed.
const KEEP: Duration = Duration::from_secs(5);

/// Keeps the daemon's lights until it is told to stop; then what is the case is written down, by the lights' name: of
/// several daemons on one store each has lights of its own, which show what it heard. The rules are all the same.
pub async fn keep(
    panel: Arc<Panel>,
    store: Arc<dyn Store>,
    name: String,
    mut stop: watch::Receiver<bool>,
) {
    // Listened to before the first look: nothing falls between.
    let changes = store.changes();
    rules(&panel, &*store).await;
    restore(&panel, &*store, &name).await;
    let mut kept = Kept { name, version: 0 };
    {
        let told = async move {
            // A sender that is gone tells to stop as well.
            let _ = stop.wait_for(|stop| *stop).await.map(drop);
        };
        let keeping = async {
            loop {
                tokio::time::sleep(KEEP).await;
                kept.write(&panel, &*store).await;
            }
        };
        tokio::select! {
            () = told => {}
            () = follow(&panel, &*store, changes) => {}
            () = panel.run() => {}
            () = keeping => {}
        }
    }
    kept.write(&panel, &*store).await;
}

/// Takes over the rules that are kept. Rules that an older or newer daemon understands and this one doesn't
/// leave the lights with those they have.
async fn rules(panel: &Panel, store: &dyn Store) {
    let found = match store.find::<LightRules>(LightRules::NAME).await {
        Ok(found) => found,
        Err(error) => return tracing::error!("the rules of the lights can't be read: {error}"),
    };
    let Some(found) = found else {
        return panel.set_rules(bramble_lights::Rules::default());
    };
    match file::load(LightRules::NAME, &found.it.file) {
        Ok(rules) => panel.set_rules(rules),
        Err(problems) => tracing::error!("the rules of the lights stay as they were: {problems}"),
    }
}

async fn restore(panel: &Panel, store: &dyn Store, name: &str) {
    match store.find::<LightState>(name).await {
        Ok(Some(found)) => match serde_json::from_value(found.it.state) {
            Ok(state) => panel.restore(state),
            Err(error) => tracing::warn!("the lights begin anew: {error}"),
        },
        Ok(None) => {}
        Err(error) => tracing::warn!("the lights begin anew: {error}"),
    }
}

struct Kept {
    /// The lights' name.
    name: String,
    /// The panel's number when it was written last.
    version: u64,
}

impl Kept {
    async fn write(&mut self, panel: &Panel, store: &dyn Store) {
        if panel.version() == self.version {
            return;
        }
        let (state, version) = panel.kept();
        match write(store, &self.name, &state).await {
            Ok(()) => self.version = version,
            Err(error) => tracing::warn!("the state of the lights can't be kept: {error}"),
        }
    }
}

async fn write(store: &dyn Store, name: &str, state: &bramble_lights::State) -> Result<(), Error> {
    let key = || Key::new(Kind::Light, name);
    let state = serde_json::to_value(state);
    let state = state.map_err(|source| Error::Unreadable { key: key(), source })?;
    let it = LightState { state };
    match store.add(name, it.clone()).await {
        Err(Error::Exists(_)) => {}
        done => return done.map(drop),
    }
    let changed = store.change::<LightState, Error, _>(name, |kept| {
        kept.clone_from(&it);
        Ok(())
    });
    changed.await.map(drop)
}

/// The number of the last run of each cluster.
type Last = BTreeMap<String, u64>;

/// Shows how runs stand, and takes over rules that somebody changes.
async fn follow(panel: &Panel, store: &dyn Store, mut changes: Receiver<Change>) {
    let mut last = all(panel, store).await;
    loop {
        match changes.recv().await {
            Ok(Change::Put(key)) if key.kind == Kind::Run => {
                match store.find::<Run>(&key.name).await {
                    Ok(Some(run)) => one(panel, &mut last, &run),
                    Ok(None) => {}
                    Err(error) => tracing::error!("run {} can't be read: {error}", key.name),
                }
            }
            Ok(Change::Deleted(key)) if key.kind == Kind::Run => gone(panel, &mut last, &key.name),
            Ok(Change::Put(key) | Change::Deleted(key))
                if key == Key::new(Kind::Setting, LightRules::NAME) =>
            {
                rules(panel, store).await;
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => {
                rules(panel, store).await;
                last = all(panel, store).await;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Shows how the last runs of all clusters stand.
async fn all(panel: &Panel, store: &dyn Store) -> Last {
    let mut newest: BTreeMap<String, (u64, Signal)> = BTreeMap::new();
    let runs = store.all::<Run>().await.unwrap_or_else(|error| {
        tracing::error!("runs can't be read: {error}");
        Vec::new()
    });
    for run in &runs {
        let Some((cluster, number)) = parts(&run.name) else {
            continue;
        };
        if newest.get(cluster).is_none_or(|(known, _)| number > *known) {
            newest.insert(cluster.into(), (number, signal(cluster, &run.it)));
        }
    }
    let (last, signals) = newest
        .into_iter()
        .map(|(cluster, (number, signal))| ((cluster, number), signal))
        .unzip();
    panel.hear(runs::all(signals));
    last
}

/// The cluster and the number that a run's name is made of.
fn parts(name: &str) -> Option<(&str, u64)> {
    let (cluster, number) = name.rsplit_once('-')?;
    Some((cluster, number.parse().ok()?))
}

/// How a run stands, since when.
fn signal(cluster: &str, run: &Run) -> Signal {
    let (standing, at) = match run.state {
        State::Accepted => (Standing::Accepted, None),
        State::Running => (Standing::Running, run.started),
        State::Ended(End::Done) => (Standing::Done, run.ended),
        State::Ended(End::Failed) => (Standing::Failed, run.ended),
        State::Ended(End::Cancelled) => (Standing::Cancelled, run.ended),
    };
    let words = run.reason.as_deref().unwrap_or_default();
    runs::signal(cluster, standing, words, at.unwrap_or(run.asked))
}

/// Shows how a run stands, if it is its cluster's last.
fn one(panel: &Panel, last: &mut Last, run: &Stored<Run>) {
    let Some((cluster, number)) = parts(&run.name) else {
        return;
    };
    let known = last.entry(cluster.to_owned()).or_default();
    if number >= *known {
        *known = number;
        panel.hear(runs::last(signal(cluster, &run.it)));
    }
}

fn gone(panel: &Panel, last: &mut Last, name: &str) {
    let Some((cluster, number)) = parts(name) else {
        return;
    };
    if last.get(cluster) == Some(&number) {
        last.remove(cluster);
        panel.hear(runs::forgotten(cluster, panel.now()));
    }
}
