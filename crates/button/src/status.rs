//! What a handler says about a button's cluster, whatever the protocol.

use crate::{Text, Word};

/// The handler's word. Clusters are named as the handler names them: it has the last word about names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The handler can't do anything now.
    Unavailable,
    /// There is no cluster; one may be asked for.
    Available,
    /// A cluster is being made.
    Provisioning(Progress),
    /// A cluster is ready.
    Provisioned {
        /// Its name; version 1 doesn't say it.
        cluster: Option<Word>,
        /// Where its API answers: address, `host:port` or URL.
        address: Word,
    },
    /// A cluster is being removed.
    Removing(Progress),
    /// A cluster has been removed.
    Removed {
        /// Its name.
        cluster: Word,
    },
    /// Making or removing a cluster failed.
    Failed {
        /// Its name; version 1 doesn't say it.
        cluster: Option<Word>,
        /// Why.
        reason: Text,
    },
    /// The handler doesn't do what it was asked.
    Refused {
        /// Why not.
        reason: Text,
    },
}

/// How far something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The cluster's name.
    pub cluster: Word,
    /// How much of the run is done, 0 to 100; `None` if the handler doesn't know (version 1).
    pub percent: Option<u8>,
    /// What is being done.
    pub step: Option<Text>,
}

/// What a handler may be at work at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A cluster is made.
    Provision,
    /// A cluster is removed.
    Remove,
}
