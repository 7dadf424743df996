//! What can go wrong, with what to do about it.

use crate::document::Key;
use std::path::PathBuf;

/// Why something could not be remembered or recalled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is one of that name already.
    #[error("{0} is there already")]
    Exists(Key),
    /// There is none of that name.
    #[error("there is no {0}")]
    Missing(Key),
    /// Somebody else has changed it since it was read.
    #[error("{0} has been changed by someone else meanwhile")]
    Changed(Key),
    /// Somebody else changes it all the time.
    #[error("{key} was changed by someone else {tries} times in a row")]
    Contended {
        /// What was to be changed.
        key: Key,
        /// How often it was tried.
        tries: u32,
    },
    /// What is remembered can't be read as what it should be.
    #[error("{key} can't be read: it is from another release, or was changed by hand")]
    Unreadable {
        /// Which.
        key: Key,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The database could not be opened.
    #[error("{}: the database can't be opened", path.display())]
    Open {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another daemon has the database.
    #[error("{}: another daemon has this database", path.display())]
    Taken {
        /// Its file.
        path: PathBuf,
    },
    /// A newer release has been at work on the database.
    #[error("{}: written by a newer release (form {found}, this one knows {known})", path.display())]
    Newer {
        /// Its file.
        path: PathBuf,
        /// Form of what is there.
        found: i64,
        /// Newest form that this release knows.
        known: i64,
    },
    /// There is no room for more.
    #[error("{}: the disk of this folder is full, so nothing more can be kept", folder.display())]
    Full {
        /// The database's folder.
        folder: PathBuf,
        /// What failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The home did not do what it should.
    #[error("{what}")]
    Home {
        /// What it was to do.
        what: &'static str,
        /// Why it did not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record that the home has no form for, or something in it that is no record.
    #[error("{key} can't be kept or read here")]
    Unfit {
        /// Which.
        key: Key,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The Kubernetes API can't be reached as it should be.
    #[error("the Kubernetes API can't be used")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The Kubernetes API does not know Bramble's resources.
    #[error("the Kubernetes API does not know {0}.bramble.dev")]
    Undefined(&'static str),
    /// The Kubernetes API does not let this daemon do it.
    #[error("{what}: the Kubernetes API forbids it: {why}")]
    Forbidden {
        /// What it was to do.
        what: &'static str,
        /// Why it may not.
        why: String,
    },
    /// The Kubernetes API does not do what it was asked to.
    #[error("{what}: the Kubernetes API refuses it: {why}")]
    Refused {
        /// What it was to do.
        what: &'static str,
        /// Why it did not.
        why: String,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Changed(_) | Error::Contended { .. } => Some("read it again, then change it"),
            Error::Open { .. } => {
                Some("the folder must be there and belong to the user that the daemon runs as")
            }
            Error::Taken { .. } => {
                Some("stop the other one, or give this one a folder of its own (--data)")
            }
            Error::Full { .. } => {
                Some("make room on that disk (`df -h` shows how full it is), then try again")
            }
            Error::Newer { .. } => {
                Some("run that release, or give this one a folder of its own (--data)")
            }
            Error::Connect(_) => {
                Some("`kubectl get namespaces` must work with the same kubeconfig and context")
            }
            Error::Undefined(_) => {
                Some("make its resources known first: bramble serve crds | kubectl apply -f -")
            }
            Error::Forbidden { .. } => {
                Some("the daemon needs the rights that docs/kubernetes-store.md lists")
            }
            _ => None,
        }
    }
}
