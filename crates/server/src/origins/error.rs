//! Why there is no cluster for somebody.

/// Why a cluster could not be made after a template.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such template.
    #[error("there is no template {0:?}")]
    NoTemplate(String),
    /// The template makes no cluster file without mistakes.
    #[error("the template makes a file with mistakes:\n{0}")]
    Template(String),
    /// A platform's clusters are not for daemons that keep all in a Kubernetes API.
    #[error("the origin ccp is not for daemons with the store in Kubernetes")]
    Shared,
    /// No cluster file could have such a machine.
    #[error("{0}")]
    Machine(String),
    /// There is a cluster of that name.
    #[error("there is a cluster {0:?}")]
    Taken(String),
    /// The pool has not enough free machines.
    #[error("{free} of {wanted} machines are free{labels}")]
    Few {
        /// Free ones that fit.
        free: usize,
        /// Those that the template wants.
        wanted: usize,
        /// Which labels they must have, for people; may be empty.
        labels: String,
    },
    /// A machine of a cluster that is gone belongs to another one.
    #[error("machine {machine} is cluster {cluster}'s now")]
    Given {
        /// Its name.
        machine: String,
        /// Whose it is.
        cluster: String,
    },
    /// A machine of a cluster that is gone is not in the pool.
    #[error("the pool has no machine {0} with the address that the cluster's file says")]
    Unregistered(String),
    /// The network of a lab that is gone belongs to another one.
    #[error("the network {network} is {lab}'s now")]
    Network {
        /// Its addresses.
        network: ipnet::IpNet,
        /// Whose it is.
        lab: String,
    },
    /// All networks for labs are in use.
    #[error("all networks for labs on this computer are in use")]
    NoNetwork,
    /// This computer gives no random numbers.
    #[error(transparent)]
    Random(#[from] bramble_keys::KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::NoTemplate(_) => Some("make it, or name another one"),
            Error::Template(_) => Some("change the template's spec"),
            Error::Taken(_) => Some("choose another name"),
            Error::Few { .. } => {
                Some("register more machines, or take a cluster down: its machines are free then")
            }
            Error::Given { .. } | Error::Network { .. } => {
                Some("make another cluster: it gets what is free")
            }
            Error::Unregistered(_) => {
                Some("register it as it was, or make another cluster: it gets what is free")
            }
            Error::NoNetwork => Some(
                "take a lab down (bramble lab list), or look for a route of this computer that has 10.80.0.0/16: ip route",
            ),
            Error::Shared => Some(
                "order the cluster with `bramble ccp up`, or by a daemon with a store of its own",
            ),
            Error::Machine(_) | Error::Random(_) => None,
            Error::Store(error) => error.hint(),
        }
    }
}
