//! Why a run is not accepted.

use crate::origins;

/// Why a run could not be accepted or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The cluster has one already.
    #[error("the run {run} of this cluster is not over")]
    Busy {
        /// Its name.
        run: String,
    },
    /// It is over already.
    #[error("the run {run} is over")]
    Over {
        /// Its name.
        run: String,
    },
    /// Nothing is left of the cluster, and its machines may be another one's.
    #[error("cluster {cluster} is gone already")]
    Gone {
        /// Its name.
        cluster: String,
    },
    /// The cluster is gone, and can't have its machines again.
    #[error(transparent)]
    Origin(origins::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Busy { .. } => Some("follow it, or cancel it first, on the page of that run"),
            Error::Over { .. } => None,
            Error::Gone { .. } => Some("forget it, or bring it up again"),
            Error::Origin(error) => error.hint(),
            Error::Store(error) => error.hint(),
        }
    }
}

impl From<origins::Error> for Error {
    fn from(error: origins::Error) -> Self {
        match error {
            origins::Error::Store(error) => Error::Store(error),
            error => Error::Origin(error),
        }
    }
}
