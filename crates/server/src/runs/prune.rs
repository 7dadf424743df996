//! Old runs are forgotten.

use super::{Error, Runs};
use bramble_store::record::Run;
use bramble_store::{Stored, Typed};
use std::collections::BTreeMap;

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
}
