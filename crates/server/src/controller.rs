//! Clusters that are declared in the Kubernetes API rather than asked for: `kubectl apply` makes one or changes it,
//! `kubectl delete` takes it down before it goes. Only the daemon that leads does this.

use crate::runs::{self, Runs};
use bramble_store::record::{Actor, Cluster, End, Phase, Run, State, Verb};
use bramble_store::{Change, Declared, Kind, Kubernetes, Typed};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// The longest time without a look.
const LOOK: Duration = Duration::from_secs(60);

/// How soon to look again where something is under way: the end of a run is no change of its cluster.
const SOON: Duration = Duration::from_secs(2);

/// How soon a run that failed is tried again; doubled with each further one.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The longest of these pauses.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// Runs that are looked at to see how many failed in a row. After so many the pause is the longest.
const LAST: u64 = 7;

/// Who asks for runs here.
const BY: &str = "declared in Kubernetes";

/// What to do about a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Nothing, and nothing is expected.
    Nothing,
    /// Nothing yet.
    Later(Duration),
    /// Makes its deletion wait for a run that takes it down.
    Hold,
    /// Asks for a run.
    Run(Verb),
    /// Stops its run.
    Cancel(String),
    /// Lets its deletion happen.
    Release,
}

/// What to do about a cluster; its last runs come with the newest first.
fn step(declared: &Declared, cluster: &Cluster, last: &[(String, Run)], now: Timestamp) -> Step {
    let under_way = last.first().filter(|(_, run)| !run.state.is_over());
    let nothing_there = match cluster.phase {
        Phase::Gone => under_way.is_none(),
        _ => cluster.runs == 0 && last.is_empty(),
    };
    if declared.unwanted {
        return match under_way {
            // Nobody waits for a daemon: it goes by itself.
            _ if !declared.held => Step::Nothing,
            _ if nothing_there => Step::Release,
            Some((name, run)) if run.verb == Verb::Up && !run.cancel => Step::Cancel(name.clone()),
            Some(_) => Step::Later(SOON),
            None => due(Verb::Down, cluster, last, now),
        };
    }
    let wants_run = declared.wanted && under_way.is_none() && wants_run(cluster, last);
    if !declared.held && (wants_run || !nothing_there) {
        return Step::Hold;
    }
    match under_way {
        Some(_) if declared.wanted => Step::Later(SOON),
        None if wants_run => due(Verb::Up, cluster, last, now),
        _ => Step::Nothing,
    }
}

/// Whether a declared cluster is not what its last run made of it. One that somebody stopped or took down stays so
/// until it is declared otherwise.
fn wants_run(cluster: &Cluster, last: &[(String, Run)]) -> bool {
    match last.first() {
        None => true,
        Some((_, run)) if run.file != cluster.file => true,
        Some((_, run)) => run.verb == Verb::Up && run.state == State::Ended(End::Failed),
    }
}

/// The file to take a cluster down with: its own, unless that can't be used, or lacks a machine that the last run
/// was at. What was declared since then may never have been carried out.
fn removed<'a>(cluster: &'a Cluster, last: &'a [(String, Run)]) -> &'a str {
    let mut begun = last.iter().filter(|(_, run)| run.tries > 0);
    let Some((_, run)) = begun.next() else {
        return &cluster.file;
    };
    let machines = |file: &str| {
        let file = bramble_spec::load("bramble.yaml", file).ok()?;
        let machines = file.machines.into_iter().map(|m| (m.name, m.address));
        Some(machines.collect::<BTreeSet<_>>())
    };
    let own = machines(&cluster.file).filter(|_| fault(&cluster.file).is_none());
    match (own, machines(&run.file)) {
        (Some(own), Some(there)) if own.is_superset(&there) => &cluster.file,
        (Some(_), None) => &cluster.file,
        _ => &run.file,
    }
}

/// A run, once the pause after those that did the same in vain is over.
fn due(verb: Verb, cluster: &Cluster, last: &[(String, Run)], now: Timestamp) -> Step {
    let file = match verb {
        Verb::Up => &cluster.file,
        Verb::Down => removed(cluster, last),
    };
    let in_vain = |(_, run): &&(String, Run)| {
        run.verb == verb && run.file == file && run.state != State::Ended(End::Done)
    };
    let in_vain: Vec<_> = last.iter().take_while(in_vain).collect();
    let Some((_, newest)) = in_vain.first() else {
        return Step::Run(verb);
    };
    let doubled = u32::try_from(in_vain.len() - 1).unwrap_or(u32::MAX).min(10);
    let pause = AGAIN.saturating_mul(1 << doubled).min(LONGEST);
    let ended = newest.ended.unwrap_or(newest.asked);
    let left = pause - now.duration_since(ended);
    match Duration::try_from(left) {
        Ok(left) if !left.is_zero() => Step::Later(left),
        _ => Step::Run(verb),
    }
}

/// Why a file can't be used here, if it can't.
fn fault(file: &str) -> Option<String> {
    match bramble_spec::load("bramble.yaml", file) {
        Err(problems) => problems.list().first().map(|problem| match &problem.hint {
            Some(hint) => format!("{}: {hint}", problem.message),
            None => problem.message.clone(),
        }),
        // Whoever may make clusters may not read the daemon's files by it.
        Ok(cluster) => cluster
            .companions()
            .first()
            .map(|path| format!("the file names {path}, which the daemon does not have")),
    }
}

/// Why a look was cut short.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
    #[error(transparent)]
    Runs(#[from] runs::Error),
}

/// Does what is declared, until told to stop.
pub async fn control(store: Arc<Kubernetes>, runs: Arc<Runs>, mut stop: watch::Receiver<bool>) {
    use bramble_store::Store;
    let mut changes = store.changes();
    let told = async move {
        // A sender that is gone tells to stop as well.
        let _ = stop.wait_for(|stop| *stop).await.map(drop);
    };
    tokio::pin!(told);
    loop {
        let pause = look(&store, &runs).await.unwrap_or_else(|error| {
            tracing::error!("what is declared can't be seen: {error}");
            SOON
        });
        let wait = tokio::time::sleep(pause);
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut told => return,
                () = &mut wait => break,
                change = changes.recv() => match change {
                    Ok(Change::Put(key)) if key.kind == Kind::Cluster => break,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => break,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }
}

/// One look at all clusters; when to look again at the latest.
async fn look(store: &Kubernetes, runs: &Runs) -> Result<Duration, Fault> {
    let mut pause = LOOK;
    for declared in store.declared().await? {
        let name = &declared.name;
        match reconcile(store, runs, &declared).await {
            Ok(again) => pause = pause.min(again),
            // Others are served all the same.
            Err(error) => {
                tracing::error!("cluster {name} can't be made what it is declared to be: {error}");
                pause = pause.min(SOON);
            }
        }
    }
    Ok(pause)
}

async fn reconcile(
    store: &Kubernetes,
    runs: &Runs,
    declared: &Declared,
) -> Result<Duration, Fault> {
    let name = &declared.name;
    let Some(found) = store.find::<Cluster>(name).await? else {
        return Ok(LOOK);
    };
    let last = last_runs(store, name, found.it.runs).await?;
    let step = step(declared, &found.it, &last, Timestamp::now());
    tracing::debug!("cluster {name}: {step:?}");
    match step {
        Step::Nothing => return Ok(LOOK),
        Step::Later(pause) => return Ok(pause),
        Step::Hold => store.hold(name).await?,
        Step::Cancel(run) => match runs.cancel(&run).await {
            Ok(_) | Err(runs::Error::Over { .. }) => {}
            Err(error) => return Err(error.into()),
        },
        Step::Release => {
            forget(store, runs, name).await?;
            store.release(name).await?;
            return Ok(LOOK);
        }
        Step::Run(verb) => {
            let file = match verb {
                Verb::Up => &found.it.file,
                Verb::Down => removed(&found.it, &last),
            };
            if let Some(fault) = fault(file) {
                refuse(store, name, &found.it, fault).await?;
                return Ok(LOOK);
            }
            let by = Actor::Daemon(BY.into());
            match runs.accept_with(name, verb, Some(file), by).await {
                Ok(_) | Err(runs::Error::Busy { .. }) => {}
                Err(error @ runs::Error::Origin(_)) => {
                    refuse(store, name, &found.it, error.to_string()).await?;
                    return Ok(LOOK);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(SOON)
}

/// The last runs of a cluster, the newest first: more than one only where they failed.
async fn last_runs(
    store: &Kubernetes,
    cluster: &str,
    count: u64,
) -> Result<Vec<(String, Run)>, bramble_store::Error> {
    let mut last = Vec::new();
    for number in (count.saturating_sub(LAST) + 1..=count + 1).rev() {
        let name = format!("{cluster}-{number}");
        let Some(run) = store.find::<Run>(&name).await? else {
            match number > count {
                // One that was made, and not yet counted, may come behind the last.
                true => continue,
                // Old ones may have been forgotten.
                false => break,
            }
        };
        let done = !run.it.state.is_over() || run.it.state == State::Ended(End::Done);
        last.push((name, run.it));
        if done {
            break;
        }
    }
    Ok(last)
}

/// Says at a cluster why its file can't be used; once.
async fn refuse(
    store: &Kubernetes,
    name: &str,
    cluster: &Cluster,
    fault: String,
) -> Result<(), bramble_store::Error> {
    if cluster.message.as_ref() == Some(&fault) {
        return Ok(());
    }
    store
        .change::<Cluster, bramble_store::Error, _>(name, |it| {
            if it.phase == Phase::New {
                it.phase = Phase::Failed;
            }
            it.message = Some(fault.clone());
            Ok(())
        })
        .await?;
    Ok(())
}

/// Forgets the runs of a cluster that goes: another one of its name counts from 1.
async fn forget(store: &Kubernetes, runs: &Runs, cluster: &str) -> Result<(), Fault> {
    for run in store.all::<Run>().await? {
        if run.it.cluster == cluster {
            runs.forget(&run.name).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn declared(wanted: bool, unwanted: bool, held: bool) -> Declared {
        Declared {
            name: "home".into(),
            wanted,
            unwanted,
            held,
        }
    }

    fn cluster(phase: Phase) -> Cluster {
        Cluster {
            file: "file".into(),
            origin: None,
            claim: None,
            owner: "kubernetes".into(),
            created: NOW,
            expires: None,
            lifetime: None,
            phase,
            message: None,
            address: None,
            runs: match phase {
                Phase::New => 0,
                _ => 1,
            },
        }
    }

    fn run(verb: Verb, state: State, minutes_ago: i64) -> (String, Run) {
        let run = Run {
            cluster: "home".into(),
            verb,
            by: Actor::Daemon(BY.into()),
            file: "file".into(),
            asked: NOW,
            state,
            cancel: false,
            started: None,
            ended: Some(NOW - SignedDuration::from_mins(minutes_ago)),
            progress: Default::default(),
            reason: None,
            tries: 0,
            host: None,
        };
        ("home-1".into(), run)
    }

    const DONE: State = State::Ended(End::Done);
    const FAILED: State = State::Ended(End::Failed);
    const CANCELLED: State = State::Ended(End::Cancelled);

    #[test]
    fn what_is_applied_is_held_then_made() {
        let new = cluster(Phase::New);
        let wish = |held| step(&declared(true, false, held), &new, &[], NOW);
        assert_eq!(wish(false), Step::Hold);
        assert_eq!(wish(true), Step::Run(Verb::Up));
        let asked = declared(false, false, false);
        assert_eq!(
            step(&asked, &new, &[], NOW),
            Step::Nothing,
            "nobody declared it"
        );
        let ready = cluster(Phase::Ready);
        let made = [run(Verb::Up, DONE, 9)];
        assert_eq!(
            step(&asked, &ready, &made, NOW),
            Step::Hold,
            "it can be deleted"
        );
    }

    #[test]
    fn a_change_is_made_once() {
        let wanted = declared(true, false, true);
        let at = |last: &[(String, Run)]| step(&wanted, &cluster(Phase::Ready), last, NOW);
        assert_eq!(at(&[run(Verb::Up, DONE, 0)]), Step::Nothing);
        assert_eq!(at(&[run(Verb::Up, State::Running, 0)]), Step::Later(SOON));
        let mut other = run(Verb::Up, DONE, 0);
        other.1.file = "other".into();
        assert_eq!(at(&[other.clone()]), Step::Run(Verb::Up));
        other.1.state = State::Accepted;
        assert_eq!(at(&[other]), Step::Later(SOON));
        // What people do otherwise counts until the file changes.
        assert_eq!(at(&[run(Verb::Up, CANCELLED, 0)]), Step::Nothing);
        assert_eq!(at(&[run(Verb::Down, DONE, 0)]), Step::Nothing);
    }

    #[test]
    fn what_failed_is_tried_again_after_longer_and_longer_pauses() {
        let wanted = declared(true, false, true);
        let at = |count: usize, minutes| {
            let last = vec![run(Verb::Up, FAILED, minutes); count];
            step(&wanted, &cluster(Phase::Failed), &last, NOW)
        };
        let minutes = |m: u64| Step::Later(Duration::from_secs(m * 60));
        assert_eq!(at(1, 0), minutes(1));
        assert_eq!(at(1, 1), Step::Run(Verb::Up));
        assert_eq!(at(3, 1), minutes(3));
        assert_eq!(at(7, 0), minutes(60));
        // Another file is another try.
        let mut failed = run(Verb::Up, FAILED, 0);
        failed.1.file = "other".into();
        let step = step(&wanted, &cluster(Phase::Failed), &[failed], NOW);
        assert_eq!(step, Step::Run(Verb::Up));
    }

    #[test]
    fn what_is_deleted_is_taken_down_then_let_go() {
        let unwanted = declared(true, true, true);
        let at = |phase, last: &[(String, Run)]| step(&unwanted, &cluster(phase), last, NOW);
        assert_eq!(at(Phase::New, &[]), Step::Release);
        let up = run(Verb::Up, State::Running, 0);
        let stop = Step::Cancel("home-1".into());
        assert_eq!(at(Phase::Building, std::slice::from_ref(&up)), stop);
        let mut stopped = up;
        stopped.1.cancel = true;
        assert_eq!(at(Phase::Building, &[stopped]), Step::Later(SOON));
        let down = Step::Run(Verb::Down);
        for state in [DONE, FAILED, CANCELLED] {
            assert_eq!(at(Phase::Failed, &[run(Verb::Up, state, 0)]), down);
        }
        let failed = at(Phase::Failed, &[run(Verb::Down, FAILED, 0)]);
        assert_eq!(failed, Step::Later(Duration::from_secs(60)));
        assert_eq!(at(Phase::Gone, &[run(Verb::Down, DONE, 0)]), Step::Release);
        let nobody = declared(true, true, false);
        assert_eq!(
            step(&nobody, &cluster(Phase::Ready), &[], NOW),
            Step::Nothing
        );
    }

    fn file(more: &str) -> String {
        format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: home }}\nspec:\n  machines: \
             [{{ name: one, address: 10.0.0.1, roles: [control-plane] }}]\n{more}"
        )
    }

    #[test]
    fn what_is_deleted_is_taken_down_with_a_file_of_what_is_there() {
        let mut up = run(Verb::Up, DONE, 0);
        up.1.file = file("");
        up.1.tries = 1;
        let with = |file: &str, last: &[(String, Run)]| {
            let mut cluster = cluster(Phase::Ready);
            cluster.file = file.into();
            removed(&cluster, last).to_owned()
        };
        let made = std::slice::from_ref(&up);
        let faulty = file("  nonsense: 1\n");
        assert_eq!(with(&faulty, made), up.1.file);
        let elsewhere = file("").replace("10.0.0.1", "10.0.0.2");
        assert_eq!(with(&elsewhere, made), up.1.file, "it was never made so");
        let mended = file("  addons: [demo]\n");
        assert_eq!(with(&mended, made), mended);
        assert_eq!(with(&faulty, &[]), faulty, "nothing was made");
        // A teardown that fails pauses as well.
        let mut down = run(Verb::Down, FAILED, 0);
        down.1.file = file("");
        down.1.tries = 1;
        let mut declared_since = cluster(Phase::Failed);
        declared_since.file = faulty;
        let again = step(
            &declared(true, true, true),
            &declared_since,
            &[down, up],
            NOW,
        );
        assert_eq!(again, Step::Later(Duration::from_secs(60)));
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why() {
        assert_eq!(fault(&file("")), None);
        let twice = file("").replace("one,", "one, adress: x,");
        assert!(fault(&twice).is_some_and(|why| why.contains("address")));
        let names = file("  addons: [{ name: shop, manifests: /etc }]\n");
        assert!(fault(&names).is_some_and(|why| why.contains("/etc")));
    }
}
