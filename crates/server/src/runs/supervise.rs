//! Accepts runs, and sees to it that each is carried out once.

use super::accept::FORGOTTEN;
use super::child::{Folder, Task};
use super::events::Heard;
use super::follow::Lines;
use crate::origins::Networks;
use crate::replica::Replica;
use crate::{files, origins};
use bramble_store::record::{Cluster, End, Origin, Phase, Run, State, Verb};
use bramble_store::{Change, Kind, Log, Store, Stored, Typed};
use jiff::Timestamp;
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

/// How often a run's events are looked for: what a browser sees is at most so old.
const LOOK: Duration = Duration::from_millis(25);

/// How often progress is written, and wishes to cancel are looked for.
const WRITE: Duration = Duration::from_millis(250);

/// After how long a run is looked at again whose files or record could not be read; doubled each time.
const AGAIN: Duration = Duration::from_secs(1);

/// The longest of these pauses.
const LONGEST: Duration = Duration::from_secs(60);

/// Where and how runs are carried out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The daemon's folder; runs have theirs below `runs`.
    pub data: PathBuf,
    /// The program: `bramble`.
    pub program: PathBuf,
    /// How often a run is begun that never comes to its end, from 1.
    pub tries: u32,
}

/// All runs.
pub struct Runs {
    pub(super) store: Arc<dyn Store>,
    pub(super) settings: Settings,
    /// Which daemon this is, where there are several.
    pub(super) replica: Option<Arc<Replica>>,
    followed: Mutex<HashSet<String>>,
    choosing: tokio::sync::Mutex<()>,
    pub(super) networks: Arc<Networks>,
}

impl Runs {
    /// Runs that this store remembers.
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Arc<Self> {
        Self::of(store, settings, None)
    }

    /// Runs that several daemons remember together. Only the one that leads may [`Runs::supervise`] them.
    pub fn shared(store: Arc<dyn Store>, settings: Settings, replica: Arc<Replica>) -> Arc<Self> {
        Self::of(store, settings, Some(replica))
    }

    fn of(store: Arc<dyn Store>, settings: Settings, replica: Option<Arc<Replica>>) -> Arc<Self> {
        Arc::new(Self {
            store,
            settings,
            replica,
            followed: Mutex::default(),
            choosing: tokio::sync::Mutex::default(),
            networks: Arc::default(),
        })
    }

    /// Held by who takes or frees machines: two who choose at once would choose the same.
    pub(crate) async fn choosing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.choosing.lock().await
    }

    /// Networks of labs that are this daemon's.
    pub(crate) fn networks(&self) -> &Arc<Networks> {
        &self.networks
    }

    /// Where and how they are carried out.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether several daemons remember them.
    pub fn are_shared(&self) -> bool {
        self.replica.is_some()
    }

    /// Carries out what is accepted, and what was not over when the last daemon ended, until told to stop;
    /// the processes of runs go on then.
    pub async fn supervise(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut changes = self.store.changes();
        let told = async move {
            // A sender that is gone tells to stop as well.
            let _ = stop.wait_for(|stop| *stop).await.map(drop);
        };
        tokio::pin!(told);
        // Nothing is followed any more once this one ends.
        let mut tasks = JoinSet::new();
        let mut due = Some(Instant::now());
        loop {
            if due.is_some_and(|due| due <= Instant::now()) {
                let seen = self.look(None, &mut tasks).await;
                due = (!seen).then(|| Instant::now() + AGAIN);
            }
            let again = tokio::time::sleep(
                due.map_or(LONGEST, |due| due.saturating_duration_since(Instant::now())),
            );
            let change = tokio::select! {
                () = &mut told => return,
                () = again => continue,
                change = changes.recv() => change,
            };
            let which = match change {
                Ok(Change::Put(key)) if key.kind == Kind::Run => Some(key.name),
                Ok(_) => continue,
                Err(broadcast::error::RecvError::Lagged(_)) => None,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            // Each event of a run that is followed is a change as well.
            let known = which
                .as_ref()
                .is_some_and(|run| self.followed().contains(run));
            if !known && !self.look(which, &mut tasks).await {
                due.get_or_insert_with(|| Instant::now() + AGAIN);
            }
        }
    }

    /// Follows every run, or one, that is not over and that nobody follows. Whether they could be seen.
    async fn look(self: &Arc<Self>, which: Option<String>, tasks: &mut JoinSet<()>) -> bool {
        while tasks.try_join_next().is_some() {}
        let found = match &which {
            Some(run) => {
                let run = self.store.find::<Run>(run).await;
                run.map(|run| run.into_iter().collect())
            }
            None => self.store.all::<Run>().await,
        };
        let found: Vec<Stored<Run>> = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::error!("runs can't be read: {error}");
                return false;
            }
        };
        for run in found.into_iter().filter(|run| !run.it.state.is_over()) {
            if !self.followed().insert(run.name.clone()) {
                continue;
            }
            let following = Following {
                runs: Arc::clone(self),
                name: run.name,
            };
            tasks.spawn(async move {
                let mut pause = AGAIN;
                while let Err(error) = following.runs.carry(&following.name).await {
                    tracing::error!("run {} can't be followed: {error}", following.name);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            });
        }
        true
    }

    fn followed(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings one run to its end.
    async fn carry(&self, name: &str) -> Result<(), Fault> {
        let folder = Folder::of(&self.settings.data, name);
        let (behind, mut heard) = self.adopt(name, &folder).await?;
        let mut lines = Events {
            lines: None,
            behind,
        };
        loop {
            let run = self.store.need::<Run>(name).await?;
            if run.it.state.is_over() {
                return Ok(());
            }
            // Looked at before the lines, which are all there then.
            let lives = folder.lives()?;
            // What one did that ended while the daemon was away.
            self.pass_on(name, &folder, &mut lines, &mut heard).await?;
            let mut child = None;
            if !lives {
                if let Some((end, why)) = heard.end() {
                    return self.end(name, &heard, end, why).await;
                }
                if run.it.cancel {
                    return self.end(name, &heard, End::Cancelled, None).await;
                }
                if run.it.tries >= self.settings.tries {
                    let why = format!("begun {} times, and never came to an end", run.it.tries);
                    return self.end(name, &heard, End::Failed, Some(why)).await;
                }
                let cluster = self.store.find::<Cluster>(&run.it.cluster).await?;
                let Some(cluster) = cluster else {
                    // It was forgotten while this run was accepted: its machines may be another one's.
                    let why = Some(FORGOTTEN.to_owned());
                    return self.end(name, &heard, End::Cancelled, why).await;
                };
                child = match self.begin(&run, cluster.it.origin, &folder).await? {
                    Ok(child) => Some(child),
                    Err(why) => return self.end(name, &heard, End::Failed, Some(why)).await,
                };
            }
            let status = self
                .follow(name, &folder, child, &mut lines, &mut heard)
                .await?;
            if let Some((end, why)) = heard.end() {
                return self.end(name, &heard, end, why).await;
            }
            // Who ended by itself without a word about it said why on the way.
            if status.is_some_and(|status| status.code().is_some()) {
                let why = folder.last_words();
                return self.end(name, &heard, End::Failed, Some(why)).await;
            }
        }
    }

    /// Starts the process of a run; why it could not be.
    async fn begin(
        &self,
        run: &Stored<Run>,
        origin: Option<Origin>,
        folder: &Folder,
    ) -> Result<Result<Child, String>, Fault> {
        self.store
            .change::<Run, bramble_store::Error, _>(&run.name, |it| {
                it.state = State::Running;
                it.tries += 1;
                Ok(())
            })
            .await?;
        self.phase(&run.it, None, None).await?;
        let place = match origin {
            Some(Origin::Ccp) => Some(origins::kubeconfig(&self.settings.data, &run.it.cluster)),
            Some(Origin::Pool | Origin::Lab) | None => None,
        };
        if let Some(folder) = place.as_ref().and_then(|place| place.parent()) {
            files::folder(folder)?;
        }
        let (folder, verb, file) = (folder.clone(), run.it.verb, run.it.file.clone());
        let program = self.settings.program.clone();
        let lead = self.replica.as_ref().map(|replica| replica.lead());
        let started = tokio::task::spawn_blocking(move || {
            let task = Task {
                verb,
                origin,
                file: &file,
                lead: lead.as_deref(),
            };
            folder.start(&program, &task)
        });
        let started = started.await;
        let program = self.settings.program.display();
        Ok(match started {
            Ok(Ok(child)) => Ok(child),
            Ok(Err(error)) => Err(format!("{program} could not be started: {error}")),
            Err(error) => Err(format!("{program} could not be started: {error}")),
        })
    }

    /// Follows a process to its end; how it ended, if it was this daemon's.
    async fn follow(
        &self,
        name: &str,
        folder: &Folder,
        mut child: Option<Child>,
        lines: &mut Events,
        heard: &mut Heard,
    ) -> Result<Option<ExitStatus>, Fault> {
        let mut written = Instant::now();
        let mut interrupted = false;
        loop {
            // Looked at before the lines: what it wrote last is read then.
            let over = match &mut child {
                Some(child) => child.try_wait()?,
                None if folder.lives()? => None,
                None => Some(ExitStatus::default()),
            };
            self.pass_on(name, folder, lines, heard).await?;
            if let Some(status) = over {
                self.progress(name, heard).await?;
                return Ok(child.is_some().then_some(status));
            }
            if written.elapsed() >= WRITE {
                written = Instant::now();
                let run = self.progress(name, heard).await?;
                if run.cancel && !interrupted {
                    interrupted = folder.interrupt()?;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Puts new events into the store. A line's place there comes from its place in the file, so that none is told
    /// twice by a daemon that begins again.
    async fn pass_on(
        &self,
        name: &str,
        folder: &Folder,
        lines: &mut Events,
        heard: &mut Heard,
    ) -> Result<(), Fault> {
        let log = Log::Run(name.to_owned());
        let mut known = 0;
        let reader = match &mut lines.lines {
            Some(reader) => reader,
            None => match Lines::open(&folder.events()).await {
                Ok(reader) => {
                    // Nothing is added: it tells where the last daemon stopped.
                    let last = self.store.append(&log, Vec::new()).await?;
                    known = last.saturating_sub(lines.behind);
                    lines.lines.insert(reader)
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error.into()),
            },
        };
        let more = reader.more().await?;
        for line in &more {
            heard.line(line);
        }
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new: Vec<String> = more.into_iter().skip(known).collect();
        if !new.is_empty() {
            self.store.append(&log, new).await?;
        }
        Ok(())
    }

    /// Writes how far a run is, if that has changed.
    async fn progress(&self, name: &str, heard: &Heard) -> Result<Run, Fault> {
        let run = self.store.need::<Run>(name).await?.it;
        let progress = heard.progress();
        if run.progress == progress {
            return Ok(run);
        }
        let changed = self
            .store
            .change::<Run, bramble_store::Error, _>(name, |it| {
                it.progress = progress.clone();
                if it.started.is_none() {
                    it.started = Some(Timestamp::now());
                }
                Ok(())
            })
            .await?;
        Ok(changed.it)
    }

    /// The cluster first: a daemon that is killed between the two finds the run again and says both.
    async fn end(
        &self,
        name: &str,
        heard: &Heard,
        end: End,
        why: Option<String>,
    ) -> Result<(), Fault> {
        let run = self.store.need::<Run>(name).await?.it;
        let address = heard.address().or_else(|| address(&run));
        self.phase(&run, Some((end, why.clone())), address).await?;
        self.store
            .change::<Run, bramble_store::Error, _>(name, |it| {
                it.state = State::Ended(end);
                it.ended = Some(Timestamp::now());
                it.reason = why.clone();
                Ok(())
            })
            .await?;
        Ok(())
    }

    /// Says at the cluster what its run makes of it.
    async fn phase(
        &self,
        run: &Run,
        end: Option<(End, Option<String>)>,
        address: Option<String>,
    ) -> Result<(), Fault> {
        let phase = match (run.verb, &end) {
            (Verb::Up, None) => Phase::Building,
            (Verb::Down, None) => Phase::Removing,
            (Verb::Up, Some((End::Done, _))) => Phase::Ready,
            (Verb::Down, Some((End::Done, _))) => Phase::Gone,
            (_, Some(_)) => Phase::Failed,
        };
        let message = end.and_then(|(end, why)| match end {
            End::Cancelled => Some("the last run was cancelled".to_owned()),
            _ => why,
        });
        let changed = self
            .store
            .change::<Cluster, bramble_store::Error, _>(&run.cluster, |it| {
                it.phase = phase;
                it.message = message.clone();
                match it.phase {
                    Phase::Ready => it.address = address.clone(),
                    Phase::Gone => it.address = None,
                    _ => {}
                }
                Ok(())
            })
            .await;
        match changed {
            // It was forgotten meanwhile.
            Err(bramble_store::Error::Missing(_)) => Ok(()),
            done => Ok(done.map(|_| ())?),
        }
    }
}

/// A run that is followed, until this is dropped.
struct Following {
    runs: Arc<Runs>,
    name: String,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.runs.followed().remove(&self.name);
    }
}

/// The events of a run's process.
struct Events {
    /// Their file, once there is one.
    lines: Option<Lines>,
    /// The place in the run's log that its first line comes behind.
    behind: u64,
}

/// Why a run can't be followed at the moment.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("its process under an earlier lead of this daemon has not ended yet")]
    Earlier,
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
    #[error("its files: {0}")]
    Files(#[from] std::io::Error),
}

/// Where the API of a run's cluster is, by its file.
fn address(run: &Run) -> Option<String> {
    let file = bramble_spec::load("bramble.yaml", &run.file).ok()?;
    Some(format!("https://{}", file.api_endpoint()))
}
