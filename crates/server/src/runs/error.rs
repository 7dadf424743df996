//! Why a run is not accepted.

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
    /// The store failed.
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Busy { .. } => Some("follow it, or cancel it first"),
            Error::Over { .. } => None,
            Error::Store(error) => error.hint(),
        }
    }
}
