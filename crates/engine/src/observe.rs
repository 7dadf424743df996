//! One look at all machines.

use crate::doors::Doors;
use crate::{Sessions, nonce};
use bramble_fleet::{Error as FleetError, Fleet, Session, Target};
use bramble_machine::probe;
use bramble_machine::step::Blueprint;
use bramble_machine::{Facts, Observation, Query};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long one look may take.
const LIMIT: Duration = Duration::from_secs(60);
/// More rounds than any kind asks for: each gives answers that the next question depends on.
const ROUNDS: usize = 5;

/// Why a machine could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Unseen {
    /// No connection, or it broke.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// It answered nonsense.
    #[error(transparent)]
    Probe(#[from] probe::ProbeError),
    /// The probe program failed.
    #[error("the look at the machine ended with {exit}: {said}")]
    Failed {
        /// How it ended.
        exit: String,
        /// Last lines of its errors.
        said: String,
    },
    /// It can't be reached before another machine lets it through, and that never did.
    #[error("{through} lets nobody through yet")]
    Closed {
        /// The other machine.
        through: String,
    },
}

impl Unseen {
    /// Whether it did not answer at all; else it answers, and something else is in the way.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Unseen::Fleet(error) => error.is_unreachable(),
            Unseen::Closed { .. } => true,
            Unseen::Probe(_) | Unseen::Failed { .. } => false,
        }
    }
}

/// What was seen.
#[derive(Default)]
pub struct Look {
    /// Open connections.
    pub sessions: Sessions,
    /// By machine.
    pub seen: BTreeMap<String, Observation>,
    /// Machines that could not be looked at.
    pub unseen: BTreeMap<String, Unseen>,
}

impl Look {
    /// What the machines are, for the blueprint.
    pub fn facts(&self) -> BTreeMap<String, Facts> {
        self.seen
            .iter()
            .map(|(name, seen)| (name.clone(), seen.facts.clone()))
            .collect()
    }
}

/// Connects to all targets and reads everything that the blueprint mentions. The blueprint is made
/// anew once the facts are there; only what the first look did not cover is asked for again.
pub async fn observe(
    fleet: &Fleet,
    targets: &[Target],
    blueprint: &(dyn Fn(&BTreeMap<String, Facts>) -> Blueprint + Sync),
    on: &(dyn Fn(&str, Option<&Unseen>) + Sync),
) -> Look {
    let mut look = Look::default();
    for round in 0..ROUNDS {
        let now = blueprint(&look.facts());
        let doors = Doors::new(&now.ways, targets.iter().map(|t| t.name.as_str()));
        let empty = Observation::default();
        // Nobody knows yet what the machines are: asked for what either kind needs, most of them never
        // need a second look.
        let other = (round == 0).then(|| blueprint(&unusual(targets)));
        let asks = targets
            .iter()
            .filter(|t| !look.unseen.contains_key(&t.name))
            .filter_map(|t| {
                let seen = look.seen.get(&t.name);
                let mut wants = wanted(&now, &t.name, seen.unwrap_or(&empty));
                if let Some(other) = &other {
                    wants.extend(wanted(other, &t.name, &empty));
                }
                (seen.is_none() || !wants.is_empty()).then_some((t, wants))
            });
        let jobs: Vec<_> = asks
            .map(|(target, wants)| {
                let session = look.sessions.get(&target.name).cloned();
                let seen = look.seen.get(&target.name).cloned().unwrap_or_default();
                let doors = &doors;
                async move {
                    let look = ask(fleet, target, session, wants, seen, round == 0);
                    let result = match round {
                        0 => doors.pass(&target.name, look).await,
                        _ => look.await,
                    };
                    if round == 0 {
                        let seen = result.as_ref().ok().map(|(_, seen)| seen);
                        doors.looked(&target.name, seen);
                        on(&target.name, result.as_ref().err());
                    }
                    (target.name.clone(), result)
                }
            })
            .collect();
        if jobs.is_empty() {
            break;
        }
        for (name, result) in join_all(jobs).await {
            match result {
                Ok((session, seen)) => {
                    look.sessions.insert(name.clone(), session);
                    look.seen.insert(name, seen);
                }
                Err(why) => {
                    look.seen.remove(&name);
                    look.unseen.insert(name, why);
                }
            }
        }
    }
    look
}

/// All targets as machines that lack much.
fn unusual(targets: &[Target]) -> BTreeMap<String, Facts> {
    let facts = |t: &Target| (t.name.clone(), Facts::unusual());
    targets.iter().map(facts).collect()
}

/// What must still be asked of a machine.
fn wanted(blueprint: &Blueprint, machine: &str, seen: &Observation) -> BTreeSet<Query> {
    let Some(machine) = blueprint.machines.get(machine) else {
        return BTreeSet::new();
    };
    machine
        .steps
        .iter()
        .flat_map(|s| &s.resources)
        .flat_map(|r| r.wants(seen))
        .filter(|q| !seen.knows(q))
        .collect()
}

async fn ask(
    fleet: &Fleet,
    target: &Target,
    session: Option<Session>,
    wants: BTreeSet<Query>,
    mut seen: Observation,
    first: bool,
) -> Result<(Session, Observation), Unseen> {
    let session = match session {
        Some(session) => session,
        None => fleet.connect(target).await?,
    };
    let nonce = nonce();
    let program = probe::program(&wants, &nonce, first);
    let done = session
        .run(program.as_bytes(), LIMIT, "look", |_| {})
        .await?;
    if !done.success() {
        let said = done.stderr_tail(5);
        return Err(Unseen::Failed {
            exit: done.exit.to_string(),
            said,
        });
    }
    probe::read(
        &String::from_utf8_lossy(&done.stdout),
        &wants,
        &nonce,
        &mut seen,
    )?;
    Ok((session, seen))
}
