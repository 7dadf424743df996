//! Networks that this daemon holds against other programs of its computer: two daemons with a store each know nothing
//! of each other's clusters before these have machines.

use bramble_lab::Reservation;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What is held.
#[derive(Default)]
pub(crate) struct Networks(Mutex<BTreeMap<Ipv4Net, Option<Reservation>>>);

impl Networks {
    /// Holds a network from now on; `false` if another program does.
    pub(super) fn hold(&self, network: Ipv4Net) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(&network) {
            return true;
        }
        match Reservation::take(network) {
            Ok(None) => return false,
            Ok(Some(reservation)) => held.insert(network, Some(reservation)),
            Err(error) => {
                // Whose daemon can't write there can't make labs either.
                tracing::debug!("{network} can't be reserved: {error}");
                held.insert(network, None)
            }
        };
        true
    }

    /// All that are held.
    pub(super) fn held(&self) -> Vec<Ipv4Net> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.keys().copied().collect()
    }

    /// Gives up all others.
    pub(super) fn keep(&self, wanted: &BTreeSet<Ipv4Net>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|network, _| wanted.contains(network));
    }
}
