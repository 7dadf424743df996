//! The clusters that stand, each watched by its own API with what only the daemon has: the administrator's access, asked
//! of the cluster's machines and kept in memory alone. Each has lights of its own, which the daemon's show as well.

use crate::ask::Asker;
use bramble_lights::{Input, Lights, Panel, Rules, Source, watch};
use bramble_secret::Secret;
use bramble_store::record::{Cluster, Origin, Phase};
use bramble_store::{Change, Kind, Store, Typed};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Pauses before a cluster's machines are asked for the access again: the first, and the longest.
const PAUSE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];

/// A cluster that has not been heard of for so long may have other certificates: the access is asked for anew.
const ANEW: Duration = Duration::from_secs(600);

/// After how long clusters are looked for again that could not be read.
const AGAIN: Duration = Duration::from_secs(5);

/// How often it is looked whether the rules are others.
const LOOK: Duration = Duration::from_secs(2);

/// Watches all clusters that are ready, for ever.
pub async fn watch(panel: Arc<Panel>, store: Arc<dyn Store>, asker: Arc<Asker>) {
    let asker = Arc::new(asker.apart());
    // Listened to before the first look: nothing falls between.
    let mut changes = store.changes();
    // A set of one task ends it when it goes.
    let mut watched: HashMap<String, (String, JoinSet<()>)> = HashMap::new();
    loop {
        let mut again = None;
        match ready(&*store).await {
            Ok(ready) => {
                let gone = watched
                    .extract_if(|name, (file, _)| ready.get(name) != Some(file))
                    .collect::<Vec<_>>();
                for (name, (_, mut task)) in gone {
                    // Its last word comes before it is forgotten.
                    task.shutdown().await;
                    forget(&panel, &name);
                }
                for (name, file) in ready {
                    watched.entry(name.clone()).or_insert_with(|| {
                        let one = one(panel.clone(), asker.clone(), name, file.clone());
                        (file, JoinSet::from_iter([one]))
                    });
                }
            }
            Err(error) => {
                tracing::error!("clusters can't be read: {error}");
                again = Some(Instant::now() + AGAIN);
            }
        }
        loop {
            let changed = tokio::select! {
                changed = changes.recv() => changed,
                () = due(again) => break,
            };
            match changed {
                Ok(Change::Put(key) | Change::Deleted(key)) if key.kind == Kind::Cluster => break,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Names and files of the clusters that stand. A platform's own clusters have no machines that could be asked.
async fn ready(store: &dyn Store) -> Result<HashMap<String, String>, bramble_store::Error> {
    let all = store.all::<Cluster>().await?;
    let stands = |it: &Cluster| it.phase == Phase::Ready && it.origin != Some(Origin::Ccp);
    let ready = all.into_iter().filter(|found| stands(&found.it));
    Ok(ready.map(|found| (found.name, found.it.file)).collect())
}

fn forget(panel: &Panel, name: &str) {
    panel.hear(Input::Elsewhere {
        whose: name.to_owned(),
        lights: None,
    });
}

/// Watches one cluster, for ever.
async fn one(panel: Arc<Panel>, asker: Arc<Asker>, name: String, file: String) {
    let own = Panel::new(expecting(&panel.rules()));
    tokio::join!(
        own.run(),
        show(&own, &panel, &name),
        same_rules(&own, &panel),
        follow(&own, &asker, &name, &file),
    );
}

/// A cluster that stands is missed from the start.
fn expecting(rules: &Rules) -> Rules {
    let mut rules = rules.clone();
    rules.alive.retain(|alive| alive.source == Source::Watch);
    rules.alive.iter_mut().for_each(|alive| alive.always = true);
    rules
}

/// Has the daemon's lights show a cluster's.
async fn show(own: &Panel, panel: &Panel, name: &str) {
    let mut shown = own.shown();
    shown.mark_changed();
    // The panel is borrowed: its sender outlives this.
    while shown.changed().await.is_ok() {
        let lights = named(&shown.borrow_and_update(), name);
        panel.hear(Input::Elsewhere {
            whose: name.to_owned(),
            lights: Some(Box::new(lights)),
        });
    }
}

/// With the cluster's name, since there are others.
fn named(lights: &Lights, name: &str) -> Lights {
    let mut lights = lights.clone();
    for silent in &mut lights.unknown {
        *silent = format!("{silent} {name}");
    }
    for reason in &mut lights.reasons {
        reason.cluster = Some(name.to_owned());
    }
    lights
}

/// Rules that somebody changes are for clusters, too.
async fn same_rules(own: &Panel, panel: &Panel) {
    let mut known = panel.rules();
    loop {
        sleep(LOOK).await;
        let rules = panel.rules();
        if rules != known {
            own.set_rules(expecting(&rules));
            known = rules;
        }
    }
}

/// Watches a cluster's API with the access that its machines give, for ever.
async fn follow(own: &Panel, asker: &Asker, name: &str, file: &str) {
    let mut pause = PAUSE[0];
    loop {
        match access(asker, file).await {
            Ok(access) => {
                pause = PAUSE[0];
                let said = |why: String| tracing::warn!("the cluster {name}: {why}");
                tokio::select! {
                    error = watch::begin(&access, own, said) => {
                        tracing::warn!("the cluster {name} can't be watched: {error}");
                    }
                    () = silence(own) => {
                        tracing::warn!("the cluster {name} is silent: its access is asked for anew");
                    }
                }
            }
            Err(why) => tracing::warn!("the cluster {name} can't be watched: {why}"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE[1]);
    }
}

/// Waits until a cluster has not been heard of for long.
async fn silence(own: &Panel) {
    let mut shown = own.shown();
    loop {
        // The panel is borrowed: its sender outlives this.
        let _ = shown
            .wait_for(|lights| !lights.unknown.is_empty())
            .await
            .map(drop);
        tokio::select! {
            () = sleep_until(Instant::now() + ANEW) => return,
            _ = shown.wait_for(|lights| lights.unknown.is_empty()) => {}
        }
    }
}

/// The administrator's kubeconfig of a cluster.
async fn access(asker: &Asker, file: &str) -> Result<Secret, String> {
    let words = ["kubeconfig".to_owned(), "--print".to_owned()];
    let said = asker.ask(&words, file).await.map_err(|e| e.to_string())?;
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr);
        let why = why.lines().next().unwrap_or("no reason given");
        return Err(format!("its machines give no access: {why}"));
    }
    match String::from_utf8(said.stdout) {
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err("its access is no text".into()),
    }
}
