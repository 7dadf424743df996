//! Carries a plan out: machines in parallel, steps in the order of their needs.

use crate::Sessions;
use crate::api::{ApiPlace, ApiProgress};
use crate::board::{Board, Status, Sum};
use crate::event::{Event, Happened};
use crate::facts::Facts;
use crate::lock::{self, LockError};
use crate::parts::chunks;
use crate::plan::{ApiPlan, FORGET, MachinePlan, Plan, RELEASE, StepPlan};
use crate::reader::Failure;
use crate::stage::Stage;
use bramble_fleet::{Fleet, Held, Target};
use bramble_machine::StepRef;
use bramble_machine::step::FactSource;
use futures::future::{join, join_all, try_join_all};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc::UnboundedSender, watch};

/// The name under which copies are told: they belong to no step.
const COPY: &str = "copy";

/// How long taking a lock may take before it is said what it waits for.
const LOCK_QUIET: Duration = Duration::from_secs(4);

/// What a run needs besides the plan.
pub struct Means<'a> {
    /// Open connections to the machines of the plan.
    pub sessions: &'a Sessions,
    /// How facts that steps need are read.
    pub facts: &'a BTreeMap<String, FactSource>,
    /// Where the bundle keeps the blob of a hash.
    pub blob: &'a (dyn Fn(&str) -> PathBuf + Sync),
    /// The cluster's API.
    pub api: Option<&'a dyn ApiPlace>,
    /// One line about who runs this, for others who find the lock taken.
    pub holder: String,
    /// A machine that is locked by every run, so that two runs that change different machines of
    /// one cluster exclude each other.
    pub anchor: Option<String>,
    /// How the machines are reached.
    pub targets: &'a [Target],
    /// Makes a fleet without open connections: a new one proves that a change has not cut a machine
    /// off.
    pub fresh: &'a (dyn Fn() -> Fleet + Sync),
    /// Where events go.
    pub events: UnboundedSender<Event>,
    /// Becomes true when no further step shall be started.
    pub stop: watch::Receiver<bool>,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Changes made.
    pub changes: usize,
    /// What failed: machine, step, message.
    pub failed: Vec<(String, String, String)>,
    /// What was left out because of that: machine and step.
    pub skipped: Vec<(String, String)>,
    /// The run was stopped by its operator before all was done.
    pub stopped: bool,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// The outcome of this run as the part of a whole that began with another.
    #[must_use]
    pub fn after(mut self, earlier: Self) -> Self {
        self.changes += earlier.changes;
        self.failed.splice(0..0, earlier.failed);
        self.skipped.splice(0..0, earlier.skipped);
        self.stopped |= earlier.stopped;
        self.took += earlier.took;
        self
    }

    /// Whether everything was done.
    pub fn complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && !self.stopped
    }
}

/// Carries out a plan.
///
/// # Errors
/// When a lock can't be had: nothing was changed then. What goes wrong later is in the outcome.
pub async fn run(plan: &Plan, means: Means<'_>) -> Result<Outcome, LockError> {
    let start = Instant::now();
    let mut stop = means.stop.clone();
    let locks = tokio::select! {
        biased;
        locks = lock_all(plan, &means) => locks?,
        // Dropping what was taken so far lets it go.
        _ = stop.wait_for(|stop| *stop) => return Ok(Outcome {
            stopped: true,
            took: start.elapsed(),
            ..Outcome::default()
        }),
    };
    let runner = Runner {
        plan,
        board: Board::new(plan),
        start,
        facts: Facts::new(means.facts.keys()),
        outcome: Mutex::new(Outcome::default()),
        locks: Mutex::new(locks),
        means,
    };
    let machines = join_all(
        plan.machines
            .iter()
            .map(|(name, plan)| runner.machine(name, plan)),
    );
    join(machines, runner.api()).await;
    runner.release_facts().await;
    // Awaited: what the lock leaves on the machine is gone when the run is over.
    let locks = runner.locks.into_inner();
    join_all(locks.into_values().map(Held::release)).await;
    let mut outcome = runner.outcome.into_inner();
    outcome.took = start.elapsed();
    Ok(outcome)
}

async fn lock_all(plan: &Plan, means: &Means<'_>) -> Result<BTreeMap<String, Held>, LockError> {
    let jobs = plan.machines.iter().filter_map(|(name, machine)| {
        let wanted = machine.changes() > 0 || means.anchor.as_deref() == Some(name);
        let session = means.sessions.get(name).filter(|_| wanted)?;
        let take = lock::take(session, name, &means.holder, machine.journal_size);
        Some(async move {
            let mut take = std::pin::pin!(take);
            if let Ok(done) = tokio::time::timeout(LOCK_QUIET, &mut take).await {
                return done.map(|lock| (name.clone(), lock));
            }
            let what = Happened::Waiting {
                what: "what a cut-off run left at work".into(),
                since: LOCK_QUIET,
                limit: Some(lock::LEFT_OVER),
            };
            let _ = means.events.send(Event {
                at: LOCK_QUIET,
                machine: name.clone(),
                step: String::new(),
                resource: None,
                what,
            });
            Ok((name.clone(), take.await?))
        })
    });
    // The first that is busy ends it and drops the others' locks: nothing is half taken.
    Ok(try_join_all(jobs).await?.into_iter().collect())
}

pub(crate) struct Runner<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) means: Means<'a>,
    pub(crate) board: Board,
    start: Instant,
    pub(crate) facts: Facts,
    pub(crate) outcome: Mutex<Outcome>,
    /// By machine.
    locks: Mutex<BTreeMap<String, Held>>,
}

impl Runner<'_> {
    pub(crate) fn say(&self, machine: &str, step: &str, resource: Option<&str>, what: Happened) {
        // Nobody listening is no reason to stop.
        let _ = self.means.events.send(Event {
            at: self.start.elapsed(),
            machine: machine.to_owned(),
            step: step.to_owned(),
            resource: resource.map(str::to_owned),
            what,
        });
    }

    /// A step, or a part of it, begins.
    fn started(&self, step: &StepRef) {
        if self.board.begin(step) {
            let title = step.1.clone();
            self.say(&step.0, &step.1, None, Happened::Started { title });
        }
    }

    /// A step, or a part of it, is done.
    fn finished(&self, step: &StepRef, part: Sum) {
        if let Some(Sum { changes, took }) = self.board.finish(step, part) {
            let what = Happened::Finished { changes, took };
            self.say(&step.0, &step.1, None, what);
        }
    }

    /// Runs a machine's steps, and copies files meanwhile.
    async fn machine(&self, name: &str, plan: &MachinePlan) {
        let stage = Stage::new(plan);
        let copies = async {
            if let Some(session) = self.means.sessions.get(name) {
                let say = |what| self.say(name, COPY, None, what);
                stage.copy(session, self.means.blob, &say).await;
            }
            // The steps end it.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.steps(name, plan, &stage) => {}
            () = copies => {}
        }
        if self.plan.down {
            self.let_go(name).await;
        }
    }

    /// A machine's teardown is over: nothing that others do now disturbs it. Awaited, because soon it may
    /// not be reached any more.
    async fn let_go(&self, name: &str) {
        let over = (name.to_owned(), RELEASE.to_owned());
        if self.board.get(&over) != Status::Open {
            return;
        }
        let lock = self.locks.lock().await.remove(name);
        if let Some(lock) = lock {
            lock.release().await;
        }
        self.board.finish(&over, Sum::default());
    }

    async fn steps(&self, name: &str, plan: &MachinePlan, stage: &Stage) {
        for step in &plan.steps {
            let key = (name.to_owned(), step.name.clone());
            if step.items.is_empty() {
                continue;
            }
            if !self.ready(name, &step.name, &step.needs).await {
                self.board.close(name);
                return;
            }
            let begun = Instant::now();
            self.started(&key);
            match self.step(name, step, stage).await {
                Ok(changes) => {
                    let took = begun.elapsed();
                    self.finished(&key, Sum { changes, took });
                }
                Err(failure) => {
                    self.fail(name, &step.name, failure).await;
                    self.board.close(name);
                    return;
                }
            }
        }
    }

    async fn api(&self) {
        let Some(place) = self.means.api else { return };
        let (apart, rest): (Vec<&ApiPlan>, Vec<_>) = self.plan.api.iter().partition(|a| a.apart);
        let in_order = async {
            for step in rest {
                self.api_step(place, step).await;
            }
        };
        let apart = join_all(apart.into_iter().map(|step| self.api_step(place, step)));
        join(in_order, apart).await;
    }

    async fn api_step(&self, place: &dyn ApiPlace, plan: &ApiPlan) {
        let ApiPlan { step, changes, .. } = plan;
        let key = (String::new(), step.name.clone());
        let nothing = changes.as_ref().is_some_and(Vec::is_empty);
        if nothing && !self.disturbed(&step.needs) {
            self.board.finish(&key, Sum::default());
            return;
        }
        if !self.ready("", &step.name, &step.needs).await
            || self.given_up(&step.name, &plan.unless_failed).await
        {
            self.board.fail(&key);
            return;
        }
        let begun = Instant::now();
        self.started(&key);
        let on = |progress| self.api_progress(&step.name, begun, progress);
        let mut stop = self.means.stop.clone();
        let stopped = async {
            // Nobody who could stop it any more: it goes on to its end.
            if !place.can_be_left(step) || stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let applied = tokio::select! {
            applied = place.apply(self.means.sessions, step, &on) => applied,
            () = stopped => {
                self.outcome.lock().await.stopped = true;
                match place.leave(self.means.sessions, step).await {
                    Ok(()) => {
                        self.board.fail(&key);
                        return;
                    }
                    Err(error) => Err(error),
                }
            }
        };
        match applied {
            Ok(changes) => {
                self.outcome.lock().await.changes += changes;
                let took = begun.elapsed();
                self.finished(&key, Sum { changes, took });
            }
            Err(error) => {
                let failure = Failure {
                    resource: None,
                    message: error.message,
                    log: error.log,
                };
                self.fail("", &step.name, failure).await;
                self.board.fail(&key);
            }
        }
    }

    /// Whether something that an API step builds on changes in this run: then what was planned for it
    /// is no longer the whole. A machine that joins anew is a new node, without its labels.
    fn disturbed(&self, needs: &[(String, String)]) -> bool {
        needs.iter().any(|(machine, name)| {
            if machine.is_empty() {
                let api = self.plan.api.iter().find(|a| a.step.name == *name);
                return api.is_some_and(|a| {
                    a.changes.as_ref().is_none_or(|c| !c.is_empty())
                        || self.disturbed(&a.step.needs)
                });
            }
            let steps = self
                .plan
                .machines
                .get(machine)
                .into_iter()
                .flat_map(|m| &m.steps);
            steps
                .filter(|s| s.name == *name)
                .any(|s| !s.items.is_empty())
        })
    }

    fn api_progress(&self, step: &str, begun: Instant, progress: ApiProgress) {
        match progress {
            ApiProgress::Changed { id } => {
                let what = Happened::Changed {
                    title: id.clone(),
                    took: begun.elapsed(),
                };
                self.say("", step, Some(&id), what);
            }
            ApiProgress::Waiting { what, since, limit } => {
                let limit = Some(limit);
                self.say("", step, None, Happened::Waiting { what, since, limit });
            }
        }
    }

    /// Waits for what a step needs. False: it must not run.
    async fn ready(&self, machine: &str, step: &str, needs: &[(String, String)]) -> bool {
        for need in needs {
            let begun = Instant::now();
            if !self.board.known(need) {
                // What is not part of the plan is as it is: either long done, or on a machine that
                // can't be reached.
                let Some(why) = self.plan.absent(&need.0) else {
                    continue;
                };
                self.skip(machine, step, &format!("{} {why}", need.0)).await;
                return false;
            }
            if self.board.get(need) == Status::Open {
                let what = Happened::Waiting {
                    what: describe(need),
                    since: begun.elapsed(),
                    limit: None,
                };
                self.say(machine, step, None, what);
            }
            if self.board.wait(need).await == Status::Failed {
                // Not begun, rather than failed: what failed by itself is told by itself.
                if *self.means.stop.borrow() {
                    self.outcome.lock().await.stopped = true;
                    return false;
                }
                self.skip(machine, step, &describe(need)).await;
                return false;
            }
        }
        if *self.means.stop.borrow() {
            self.outcome.lock().await.stopped = true;
            return false;
        }
        true
    }

    /// Whether one of the steps has failed without which another is not begun.
    async fn given_up(&self, step: &str, unless_failed: &[StepRef]) -> bool {
        let mut failed = unless_failed.iter();
        let Some(failed) = failed.find(|s| self.board.get(s) == Status::Failed) else {
            return false;
        };
        self.skip("", step, &describe(failed)).await;
        true
    }

    async fn skip(&self, machine: &str, step: &str, because: &str) {
        self.say(
            machine,
            step,
            None,
            Happened::Skipped {
                because: because.to_owned(),
            },
        );
        self.outcome
            .lock()
            .await
            .skipped
            .push((machine.to_owned(), step.to_owned()));
    }

    async fn fail(&self, machine: &str, step: &str, failure: Failure) {
        let message = failure.message.clone();
        let what = Happened::Failed {
            message: failure.message,
            log: failure.log,
        };
        self.say(machine, step, failure.resource.as_deref(), what);
        self.outcome
            .lock()
            .await
            .failed
            .push((machine.to_owned(), step.to_owned(), message));
    }

    async fn step(&self, machine: &str, step: &StepPlan, stage: &Stage) -> Result<usize, Failure> {
        let session = self
            .means
            .sessions
            .get(machine)
            .ok_or_else(|| Failure::new(format!("there is no connection to {machine}")))?;
        if step.name == FORGET {
            return self.forget(session, step).await;
        }
        let files: Vec<_> = step.items.iter().flat_map(|i| &i.change.uploads).collect();
        stage.wait(&files).await.map_err(Failure::new)?;
        let mut changes = 0;
        for part in chunks(step) {
            // Right before they are needed: a token ages while copies are waited for.
            let mut facts = Vec::new();
            for name in part.items.iter().flat_map(|i| &i.change.needs) {
                if !facts.iter().any(|(n, _)| n == name) {
                    facts.push((name.clone(), self.fact(name).await?));
                }
            }
            changes += self.program(machine, session, &part, &facts).await?;
        }
        Ok(changes)
    }
}

pub(crate) fn describe((machine, step): &StepRef) -> String {
    if step == RELEASE {
        format!("the teardown of {machine}")
    } else if machine.is_empty() {
        step.clone()
    } else {
        format!("{step} on {machine}")
    }
}
