//! What is asked of runs: to be accepted, to stop, to be forgotten.

use super::child::Folder;
use super::error::Error;
use super::supervise::Runs;
use crate::origins;
use bramble_store::record::{Actor, Cluster, End, Origin, Phase, Progress, Run, State, Verb};
use bramble_store::{Kind, Log, Stored, Typed};
use jiff::Timestamp;

/// Runs of one cluster that are tried for a free number at once.
const NUMBERS: u32 = 8;

/// Why a run ends that nothing was done for.
pub(super) const FORGOTTEN: &str = "its cluster was forgotten";

fn key(cluster: &str) -> bramble_store::Key {
    bramble_store::Key::new(Kind::Cluster, cluster)
}

impl Runs {
    /// Accepts a run: once this returns it will be carried out, whatever becomes of the daemon.
    ///
    /// # Errors
    /// [`Error::Busy`] with the run that is not over yet; [`Error::Origin`] for a cluster that is gone and whose
    /// machines are another one's by now, [`Error::Gone`] where those would be taken down; the store's.
    pub async fn accept(&self, cluster: &str, verb: Verb, by: Actor) -> Result<Stored<Run>, Error> {
        self.accept_with(cluster, verb, None, by).await
    }

    /// Accepts a run with another file than the cluster's own, if there is one.
    ///
    /// # Errors
    /// As of [`Runs::accept`].
    pub(crate) async fn accept_with(
        &self,
        cluster: &str,
        verb: Verb,
        file: Option<&str>,
        by: Actor,
    ) -> Result<Stored<Run>, Error> {
        for _ in 0..NUMBERS {
            let mut found = self.store.need::<Cluster>(cluster).await?;
            let last = format!("{cluster}-{}", found.it.runs);
            if let Some(run) = self.store.find::<Run>(&last).await?
                && !run.it.state.is_over()
            {
                return Err(Error::Busy { run: last });
            }
            if found.it.phase == Phase::Gone {
                found = match (verb, found.it.origin) {
                    (_, None) => found,
                    (Verb::Up, Some(_)) => self.revive(cluster).await?,
                    (Verb::Down, Some(Origin::Pool)) => {
                        return Err(Error::Gone {
                            cluster: cluster.into(),
                        });
                    }
                    (Verb::Down, Some(_)) => found,
                };
            }
            let number = found.it.runs + 1;
            let name = format!("{cluster}-{number}");
            let run = Run {
                cluster: cluster.into(),
                verb,
                by: by.clone(),
                file: file.unwrap_or(&found.it.file).to_owned(),
                asked: Timestamp::now(),
                state: State::Accepted,
                cancel: false,
                started: None,
                ended: None,
                progress: Progress::default(),
                reason: None,
                tries: 0,
                host: None,
            };
            // The name is the lock: of several who ask at once one makes it.
            let made = match self.store.add(&name, run).await {
                Ok(made) => Some(made),
                Err(bramble_store::Error::Exists(_)) => None,
                Err(error) => return Err(error.into()),
            };
            // Also for one who was cut off before it counted.
            let counted = self.store.change::<Cluster, Error, _>(cluster, |it| {
                if it.created != found.it.created {
                    return Err(bramble_store::Error::Missing(key(cluster)).into());
                }
                it.runs = it.runs.max(number);
                Ok(())
            });
            match (counted.await, made) {
                (Ok(_), Some(made)) => return Ok(made),
                (Ok(_), None) => {}
                (Err(error @ Error::Store(bramble_store::Error::Missing(_))), Some(_)) => {
                    self.undo(&name).await?;
                    return Err(error);
                }
                (Err(error), _) => return Err(error),
            }
        }
        Err(bramble_store::Error::Contended {
            key: key(cluster),
            tries: NUMBERS,
        }
        .into())
    }

    /// Ends a run whose cluster was forgotten while it was accepted, before anything is done.
    async fn undo(&self, run: &str) -> Result<(), Error> {
        let undone = self.store.change::<Run, Error, _>(run, |it| {
            it.cancel = true;
            if it.state == State::Accepted {
                it.state = State::Ended(End::Cancelled);
                it.ended = Some(Timestamp::now());
                it.reason = Some(FORGOTTEN.into());
            }
            Ok(())
        });
        undone.await.map(drop)
    }

    /// Gives a cluster that is gone its place once more, before anything is done there: it is as if it were new.
    async fn revive(&self, cluster: &str) -> Result<Stored<Cluster>, Error> {
        let _one = self.choosing().await;
        let gone = self.store.need::<Cluster>(cluster).await?;
        if gone.it.phase != Phase::Gone {
            return Ok(gone);
        }
        let claim = origins::again(&self.store, &self.networks, cluster, &gone.it).await?;
        let mut revived = gone;
        revived.it.phase = Phase::New;
        revived.it.message = None;
        revived.it.expires = origins::expires(revived.it.lifetime, Timestamp::now());
        revived.it.claim = claim.and_then(|claim| claim.id);
        // At its version: of several daemons one does it, and the keeper frees what the others took.
        Ok(self.store.save(revived).await?)
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
        self.store.forget(&Log::Run(run.into())).await?;
        let key = bramble_store::Key::new(Kind::Run, run);
        self.store.delete(&key, None).await?;
        Ok(())
    }
}
