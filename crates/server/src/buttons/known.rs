//! What the store knows of a button.

use super::standing::Standing;
use bramble_button::Status;
use bramble_button::signed::Key;
use bramble_secret::Secret;
use bramble_store::record::{Button, Cluster, Run};
use bramble_store::{Error, Store, Stored, Typed};

/// A button with its cluster.
#[derive(Clone)]
pub(super) struct Known {
    /// The button.
    pub button: Button,
    /// Its cluster; `None` also for one that is forgotten.
    pub standing: Option<Standing>,
}

impl Known {
    /// Reads it; `None` for a button that nobody has registered.
    pub async fn read(store: &dyn Store, id: &str) -> Result<Option<Self>, Error> {
        match store.find::<Button>(id).await? {
            Some(found) => Ok(Some(Self::of(store, found.it).await?)),
            None => Ok(None),
        }
    }

    /// The rest of what is known.
    pub async fn of(store: &dyn Store, button: Button) -> Result<Self, Error> {
        let standing = match &button.cluster {
            Some(name) => standing(store, name).await?,
            None => None,
        };
        Ok(Self { button, standing })
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        match &self.standing {
            Some(standing) => standing.status(),
            None => Status::Available,
        }
    }

    /// Whether a run of its cluster is under way.
    pub fn is_busy(&self) -> bool {
        self.standing.as_ref().is_some_and(Standing::is_busy)
    }
}

async fn standing(store: &dyn Store, name: &str) -> Result<Option<Standing>, Error> {
    let Some(cluster) = store.find::<Cluster>(name).await? else {
        return Ok(None);
    };
    let run = last_run(store, &cluster).await?;
    Ok(Some(Standing {
        name: name.to_owned(),
        cluster: cluster.it,
        run,
    }))
}

/// The last run of a cluster. One that was made a moment ago may not be counted yet.
async fn last_run(store: &dyn Store, cluster: &Stored<Cluster>) -> Result<Option<Run>, Error> {
    for number in [cluster.it.runs + 1, cluster.it.runs] {
        let name = format!("{}-{number}", cluster.name);
        if let Some(run) = store.find::<Run>(&name).await? {
            return Ok(Some(run.it));
        }
    }
    Ok(None)
}

/// A button's key; `None` for an old one, or one whose record is damaged.
pub(super) fn key(button: &Button) -> Option<Key> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(&button.key, &mut bytes).ok()?;
    Some(Key::new(bytes))
}

/// Whether a button speaks only the seed's grammar.
pub(super) fn is_old(button: &Button) -> bool {
    button.key.is_empty()
}

/// A button's password at the broker.
pub(super) fn password(key: &Key) -> Secret {
    Secret::new(key.password().expose())
}
