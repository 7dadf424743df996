//! The API of a cluster, watched: nodes, pods, warnings.

use crate::panel::Panel;
use crate::signal::{Input, Scope, Signal, Source};
use crate::sources::objects;
use bramble_kube::{Api, Error, Seen, Watched};
use futures::{Stream, StreamExt};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is watched.
const ALL: [Watched; 3] = [Watched::Nodes, Watched::Pods, Watched::Warnings];

/// How often the API server is asked whether it is there: at the most, and at the least.
const PULSE: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// Pauses after a failure: the first, and the longest.
const PAUSE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(15)];

/// How long the next object of a list may take.
const LIST: Duration = Duration::from_secs(30);

/// Signals of one list that are taken in; in a cluster with more the lights have long been red.
const MOST: usize = 20_000;

/// Watches a cluster's API for a panel, for ever. What does not work is told to `said`, in a sentence. The
/// cluster counts as heard of while the API server answers and all watches stand.
pub async fn run(api: &Api, panel: &Panel, said: impl Fn(String)) {
    let standing = [const { AtomicBool::new(false) }; ALL.len()];
    let follow = |i: usize| follow(api, panel, ALL[i], &standing[i], &said);
    let beat = async {
        loop {
            let all = standing.iter().all(|one| one.load(Ordering::Relaxed));
            if all && api.answers().await.is_ok() {
                panel.hear(Input::Alive(Source::Watch));
            }
            let wait = if all { pulse(panel) } else { PULSE[0] };
            tokio::time::sleep(wait).await;
        }
    };
    let ((), (), (), ()) = futures::join!(follow(0), follow(1), follow(2), beat);
}

/// Often enough that two answers may be lost before the source counts as silent.
fn pulse(panel: &Panel) -> Duration {
    let rules = panel.rules();
    let watches = rules.alive.iter().filter(|a| a.source == Source::Watch);
    let within = watches.map(|alive| alive.within.unsigned_abs()).min();
    let third = within.map_or(PULSE[1], |within| within / 3);
    third.clamp(PULSE[0], PULSE[1])
}

async fn follow(
    api: &Api,
    panel: &Panel,
    what: Watched,
    standing: &AtomicBool,
    said: &impl Fn(String),
) {
    let mut pause = PAUSE[0];
    let mut last = String::new();
    loop {
        let stream = std::pin::pin!(api.watch(what));
        let stood = || standing.store(true, Ordering::Relaxed);
        let why = listen(stream, panel, what, stood).await;
        if standing.swap(false, Ordering::Relaxed) {
            pause = PAUSE[0];
            last.clear();
        }
        if why != last {
            said(why.clone());
            last = why;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE[1]);
    }
}

/// Takes in what is seen until the stream ends; why it did.
async fn listen(
    mut stream: impl Stream<Item = Result<Seen, Error>> + Unpin,
    panel: &Panel,
    what: Watched,
    stood: impl Fn(),
) -> String {
    // What the objects of a list say, until it is complete.
    let mut list = Some(Vec::new());
    loop {
        let item = match list {
            Some(_) => match tokio::time::timeout(LIST, stream.next()).await {
                Ok(item) => item,
                Err(_) => return format!("{}: no list within {} s", what.kind(), LIST.as_secs()),
            },
            None => stream.next().await,
        };
        match item {
            Some(Ok(Seen::Begin)) => list = Some(Vec::new()),
            Some(Ok(Seen::Object(object))) => match &mut list {
                Some(list) if list.len() < MOST => list.extend(wrong(what, &object, panel)),
                Some(_) => {}
                None => panel.hear_all(changed(what, &object, panel)),
            },
            Some(Ok(Seen::Complete)) => {
                // Warnings of the time before are old.
                let signals = list.take().filter(|_| what != Watched::Warnings);
                panel.hear(Input::Whole {
                    scope: Scope::Kind {
                        source: Source::Watch,
                        kind: what.kind().into(),
                    },
                    signals: signals.unwrap_or_default(),
                });
                stood();
            }
            Some(Ok(Seen::Gone(object))) => panel.hear_all(gone(what, &object, panel)),
            Some(Err(error)) => return chain(&error),
            None => return format!("{}: the watch has ended", what.kind()),
        }
    }
}

fn wrong(what: Watched, object: &Value, panel: &Panel) -> Vec<Signal> {
    match what {
        Watched::Nodes => objects::node(Source::Watch, object, panel.now()),
        Watched::Pods => objects::pod(Source::Watch, object, panel.now()),
        Watched::Warnings => Vec::new(),
    }
}

fn changed(what: Watched, object: &Value, panel: &Panel) -> Option<Input> {
    match what {
        Watched::Warnings => objects::event(Source::Watch, object, panel.now()).map(Input::Signal),
        Watched::Nodes | Watched::Pods => {
            objects::whole(Source::Watch, what.kind(), object, panel.now())
        }
    }
}

fn gone(what: Watched, object: &Value, panel: &Panel) -> Option<Input> {
    match what {
        // They end by themselves after an hour.
        Watched::Warnings => None,
        Watched::Nodes | Watched::Pods => Some(objects::nothing(
            Source::Watch,
            what.kind(),
            object,
            panel.now(),
        )),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        // Some errors repeat their source.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}
