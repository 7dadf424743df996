//! Accepts runs, and sees to it that each is carried out once.

use super::child::Folder;
use super::error::Error;
use super::events::Heard;
use super::follow::Lines;
use bramble_store::record::{Actor, Cluster, End, Phase, Progress, Run, State, Verb};
use bramble_store::{Change, Kind, Log, Store, Stored, Typed};
use jiff::Timestamp;
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// How often a run's events are looked for: what a browser sees is at most so old.
const LOOK: Duration = Duration::from_millis(25);

/// How often progress is written, and wishes to cancel are looked for.
const WRITE: Duration = Duration::from_millis(250);

/// After how long a run is looked at again whose files or record could not be read; doubled each time.
const AGAIN: Duration = Duration::from_secs(1);

/// The longest of these pauses.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs of one cluster that are tried for a free number at once.
const NUMBERS: u32 = 8;

/// Lines of what a run said that explain an end without events.
const EXPLAIN: usize = 6;

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
    settings: Settings,
    followed: Mutex<HashSet<String>>,
}

impl Runs {
    /// Runs that this store remembers.
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            store,
            settings,
            followed: Mutex::default(),
        })
    }

    /// Where and how they are carried out.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Accepts a run: once this returns it will be carried out, whatever becomes of the daemon.
    ///
    /// # Errors
    /// [`Error::Busy`] with the run that is not over yet; the store's.
    pub async fn accept(&self, cluster: &str, verb: Verb, by: Actor) -> Result<Stored<Run>, Error> {
        for _ in 0..NUMBERS {
            let found = self.store.need::<Cluster>(cluster).await?;
            let last = format!("{cluster}-{}", found.it.runs);
            if let Some(run) = self.store.find::<Run>(&last).await?
                && !run.it.state.is_over()
            {
                return Err(Error::Busy { run: last });
            }
            let number = found.it.runs + 1;
            let name = format!("{cluster}-{number}");
            let run = Run {
                cluster: cluster.into(),
                verb,
                by: by.clone(),
                file: found.it.file.clone(),
                asked: Timestamp::now(),
                state: State::Accepted,
                cancel: false,
                started: None,
                ended: None,
                progress: Progress::default(),
                reason: None,
                tries: 0,
            };
            // The name is the lock: of several who ask at once one makes it.
            let made = match self.store.add(&name, run).await {
                Ok(made) => Some(made),
                Err(bramble_store::Error::Exists(_)) => None,
                Err(error) => return Err(error.into()),
            };
            // Also for one who was cut off before it counted.
            self.store
                .change::<Cluster, Error, _>(cluster, |it| {
                    it.runs = it.runs.max(number);
                    Ok(())
                })
                .await?;
            if let Some(made) = made {
                return Ok(made);
            }
        }
        Err(bramble_store::Error::Contended {
            key: bramble_store::Key::new(Kind::Cluster, cluster),
            tries: NUMBERS,
        }
        .into())
    }

    /// Asks a run to stop after the steps that it is at.
    ///
    /// # Errors
    /// [`Error::Over`]; the store's.
    pub async fn cancel(&self, run: &str) -> Result<Stored<Run>, Error> {
        self.store
            .change(run, |it: &mut Run| {
                if it.state.is_over() {
                    return Err(Error::Over { run: run.into() });
                }
                it.cancel = true;
                Ok(())
            })
            .await
    }

    /// Carries out what is accepted, and what was not over when the last daemon ended, until told to stop;
    /// the processes of runs go on then.
    pub async fn supervise(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut changes = self.store.changes();
        self.look().await;
        let told = async move {
            // A sender that is gone tells to stop as well.
            let _ = stop.wait_for(|stop| *stop).await.map(drop);
        };
        tokio::pin!(told);
        loop {
            let change = tokio::select! {
                () = &mut told => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(Change::Put(key)) if key.kind == Kind::Run => self.look().await,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => self.look().await,
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Follows every run that is not over and that nobody follows.
    async fn look(self: &Arc<Self>) {
        let all = match self.store.all::<Run>().await {
            Ok(all) => all,
            Err(error) => {
                tracing::error!("runs can't be read: {error}");
                return;
            }
        };
        for run in all.into_iter().filter(|run| !run.it.state.is_over()) {
            if !self.followed().insert(run.name.clone()) {
                continue;
            }
            let runs = Arc::clone(self);
            tokio::spawn(async move {
                let name = run.name;
                let mut pause = AGAIN;
                while let Err(error) = runs.carry(&name).await {
                    tracing::error!("run {name} can't be followed: {error}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
                runs.followed().remove(&name);
            });
        }
    }

    fn followed(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings one run to its end.
    async fn carry(&self, name: &str) -> Result<(), Fault> {
        let mut heard = Heard::default();
        let folder = Folder::of(&self.settings.data, name);
        let mut lines = None;
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
                child = match self.begin(&run, &folder).await? {
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
                let why = said(&folder);
                return self.end(name, &heard, End::Failed, Some(why)).await;
            }
        }
    }

    /// Starts the process of a run; why it could not be.
    async fn begin(
        &self,
        run: &Stored<Run>,
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
        let cluster = self.store.find::<Cluster>(&run.it.cluster).await?;
        let origin = cluster.and_then(|cluster| cluster.it.origin);
        let (folder, verb, file) = (folder.clone(), run.it.verb, run.it.file.clone());
        let program = self.settings.program.clone();
        let started =
            tokio::task::spawn_blocking(move || folder.start(&program, verb, origin, &file)).await;
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
        lines: &mut Option<Lines>,
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

    /// Puts new events into the store. A line's place there is its place in the file, so that none is told
    /// twice by a daemon that begins again.
    async fn pass_on(
        &self,
        name: &str,
        folder: &Folder,
        lines: &mut Option<Lines>,
        heard: &mut Heard,
    ) -> Result<(), Fault> {
        let log = Log::Run(name.to_owned());
        let mut known = 0;
        let reader = match lines {
            Some(reader) => reader,
            None => match Lines::open(&folder.events()).await {
                Ok(reader) => {
                    // Nothing is added: it tells where the last daemon stopped.
                    known = self.store.append(&log, Vec::new()).await?;
                    lines.insert(reader)
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

    /// Forgets a run that is over: its record, events and files.
    ///
    /// # Errors
    /// [`Error::Busy`] for one that is not over; the store's.
    pub async fn forget(&self, run: &str) -> Result<(), Error> {
        let found = self.store.need::<Run>(run).await?;
        if !found.it.state.is_over() {
            return Err(Error::Busy { run: run.into() });
        }
        if let Err(error) = Folder::of(&self.settings.data, run).delete() {
            tracing::warn!("files of run {run} stay: {error}");
        }
        self.store.prune(&Log::Run(run.into()), u64::MAX).await?;
        let key = bramble_store::Key::new(Kind::Run, run);
        self.store.delete(&key, None).await?;
        Ok(())
    }
}

/// Why a run can't be followed at the moment.
#[derive(Debug, thiserror::Error)]
enum Fault {
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

/// The last lines that a process said, as one sentence.
fn said(folder: &Folder) -> String {
    let text = std::fs::read(folder.said()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(EXPLAIN);
    match lines[from..].join("\n") {
        said if said.is_empty() => "it ended without a word".into(),
        said => said,
    }
}
