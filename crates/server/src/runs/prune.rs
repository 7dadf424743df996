//! Old runs are forgotten.

use super::child::{self, Folder};
use super::{Error, Runs};
use bramble_store::record::Run;
use bramble_store::{Stored, Typed};
use std::collections::{BTreeMap, BTreeSet};

impl Runs {
    /// Forgets all but the last runs of each cluster, with their events and files; those that are not over stay.
    /// How many are forgotten.
    ///
    /// # Errors
    /// The store's.
    pub async fn prune(&self, keep: usize) -> Result<usize, Error> {
        let mut by_cluster: BTreeMap<String, Vec<Stored<Run>>> = BTreeMap::new();
        for run in self.store.all::<Run>().await? {
            by_cluster
                .entry(run.it.cluster.clone())
                .or_default()
                .push(run);
        }
        let mut forgotten = 0;
        for mut runs in by_cluster.into_values() {
            runs.sort_by_key(|run| std::cmp::Reverse(run.it.asked));
            for old in runs.iter().skip(keep).filter(|run| run.it.state.is_over()) {
                self.forget(&old.name).await?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// Deletes folders of runs that nobody remembers: another daemon has forgotten them, which has no access to the
    /// files of this one. How many there were.
    ///
    /// # Errors
    /// The store's; then none is deleted.
    pub async fn sweep(&self) -> Result<usize, Error> {
        // Looked for first: a run has its record before it has a folder.
        let folders = match child::folders(&self.settings.data) {
            Ok(folders) => folders,
            Err(error) => {
                tracing::warn!("folders of old runs can't be looked for: {error}");
                return Ok(0);
            }
        };
        let known = self.store.all::<Run>().await?;
        let known: BTreeSet<String> = known.into_iter().map(|run| run.name).collect();
        let mut swept = 0;
        for name in folders.iter().filter(|name| !known.contains(*name)) {
            // A list leaves out what can't be read, such as a record of a newer release.
            match self.store.find::<Run>(name).await {
                Ok(None) => {}
                Ok(Some(_)) => continue,
                Err(error) => {
                    tracing::warn!("files of run {name} stay: {error}");
                    continue;
                }
            }
            let folder = Folder::of(&self.settings.data, name);
            let deleted = match folder.lives() {
                Ok(true) => continue,
                Ok(false) => folder.delete(),
                Err(error) => Err(error),
            };
            match deleted {
                Ok(()) => swept += 1,
                Err(error) => tracing::warn!("files of run {name} stay: {error}"),
            }
        }
        Ok(swept)
    }
}
