//! What happens by itself: machines of clusters that are gone become free, and what has had its time is taken
//! down.

use super::{Error, Origins};
use bramble_store::record::{Actor, Claim, Cluster, Machine, Origin, Phase, Verb};
use bramble_store::{Change, Kind, Stored, Typed};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// The longest time without a look: what was missed is found then.
const LOOK: Duration = Duration::from_secs(60);

/// How many runs of each cluster are remembered.
const RUNS: usize = 50;

/// How often older ones are looked for.
const PRUNED: Duration = Duration::from_secs(3600);

/// How old a claim is that no cluster's record says, before it is released: another daemon may be about to write that
/// record.
const SETTLED: SignedDuration = SignedDuration::from_mins(2);

/// When a teardown that failed is tried again.
const AGAIN: SignedDuration = SignedDuration::from_mins(15);

impl Origins {
    /// Keeps order until told to stop.
    pub async fn keep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut changes = self.store.changes();
        let told = async move {
            // A sender that is gone tells to stop as well.
            let _ = stop.wait_for(|stop| *stop).await.map(drop);
        };
        tokio::pin!(told);
        if let Err(error) = self.lab.hold().await {
            tracing::error!("networks of labs are not held: {error}");
        }
        let mut pruned = None;
        loop {
            if pruned.is_none_or(|at: Instant| at.elapsed() >= PRUNED) {
                pruned = Some(Instant::now());
                if let Err(error) = self.runs.prune(RUNS).await {
                    tracing::error!("old runs stay: {error}");
                }
                if let Err(error) = self.runs.sweep().await {
                    tracing::error!("folders of old runs stay: {error}");
                }
            }
            let pause = match self.look(Timestamp::now()).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!("the order among clusters can't be kept: {error}");
                    LOOK
                }
            };
            let wait = tokio::time::sleep(pause);
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    () = &mut told => return,
                    () = &mut wait => break,
                    change = changes.recv() => match change {
                        Ok(Change::Put(key) | Change::Deleted(key)) if key.kind == Kind::Cluster => break,
                        Ok(_) => {}
                        Err(broadcast::error::RecvError::Lagged(_)) => break,
                        Err(broadcast::error::RecvError::Closed) => return,
                    },
                }
            }
        }
    }

    /// Does what is due; when to look again at the latest.
    async fn look(&self, now: Timestamp) -> Result<Duration, Error> {
        let clusters = {
            // A cluster that is about to be made has its machines before it has its record.
            let _one = self.runs.choosing().await;
            let clusters = self.store.all::<Cluster>().await?;
            self.set_free(&clusters, now).await?;
            clusters
        };
        let mut pause = LOOK;
        for cluster in &clusters {
            match (cluster.it.expires, cluster.it.phase) {
                (None, _) | (_, Phase::Gone) => {}
                (Some(end), _) if end > now => {
                    let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
                    pause = pause.min(left);
                }
                (Some(_), _) => self.take_down(&cluster.name, now).await?,
            }
        }
        Ok(pause)
    }

    async fn set_free(&self, clusters: &[Stored<Cluster>], now: Timestamp) -> Result<(), Error> {
        let known: BTreeMap<&str, &Cluster> = clusters
            .iter()
            .map(|cluster| (cluster.name.as_str(), &cluster.it))
            .collect();
        let over = |claim: &Claim| match known.get(claim.cluster.as_str()) {
            Some(cluster) if cluster.claim == claim.id => cluster.phase == Phase::Gone,
            // No cluster says it has the machine by this claim; one that is being made may be about to.
            _ => !self.runs.are_shared() || now.duration_since(claim.since) >= SETTLED,
        };
        let machines = self.store.all::<Machine>().await?;
        let claims = machines.into_iter().filter_map(|m| m.it.claim);
        let over: BTreeMap<_, Claim> = claims
            .filter(over)
            .map(|claim| ((claim.cluster.clone(), claim.id.clone()), claim))
            .collect();
        for claim in over.values() {
            if let Some(pool) = self.source(Origin::Pool) {
                pool.release(claim).await?;
            }
        }
        Ok(())
    }

    /// Its time is over. Where a run is under way, the next look finds it again.
    async fn take_down(&self, cluster: &str, now: Timestamp) -> Result<(), Error> {
        let by = Actor::Daemon("its time is over".into());
        match self.runs.accept(cluster, Verb::Down, by).await {
            Ok(_) => {}
            Err(crate::runs::Error::Store(bramble_store::Error::Missing(_))) => return Ok(()),
            Err(crate::runs::Error::Store(error)) => return Err(error.into()),
            Err(error @ crate::runs::Error::Busy { .. }) => {
                tracing::info!("{cluster} has had its time, but {error}");
                return Ok(());
            }
            Err(error) => tracing::info!("{cluster} has had its time, but {error}"),
        }
        let later = now.checked_add(AGAIN).ok();
        // By then this run is over, unless it failed.
        let postponed = self.store.change(cluster, |it: &mut Cluster| {
            it.expires = later;
            Ok::<_, bramble_store::Error>(())
        });
        match postponed.await {
            Ok(_) | Err(bramble_store::Error::Missing(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
