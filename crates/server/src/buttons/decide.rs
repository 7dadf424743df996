//! What follows from a request: pure.

use super::known::Known;
use bramble_button::signed::is_fresh;
use bramble_button::{Ask, ClusterName, Nonce, Request, Status, Text, UnixTime};
use bramble_store::record::Button;

/// What is to be done about a request that is its button's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing but the answer.
    Tell(Status),
    /// A cluster is ordered.
    Begin(Name),
    /// The removal of the button's cluster is ordered.
    Remove {
        /// Which.
        cluster: String,
    },
}

/// What a cluster is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// A free one, like this.
    Like(ClusterName),
    /// The button's own, which isn't finished: it is tried again.
    Again(String),
}

/// Why a request is dropped without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// Its clock and the daemon's differ too much, or it was made long ago.
    #[error("the request is not of this time: check the button's clock, and the daemon's")]
    Time,
    /// It was heard before, or is older than one that was.
    #[error("the request was heard before, or a later one was")]
    Replayed,
}

/// What is to be done about a request.
pub(super) fn decide(known: &Known, ask: &Ask) -> Decision {
    let status = known.status();
    match ask {
        Ask::Status => Decision::Tell(status),
        Ask::Provision { cluster } => provision(known, status, cluster),
        Ask::Teardown { cluster } => teardown(known, status, cluster.as_str()),
    }
}

fn provision(known: &Known, status: Status, proposal: &ClusterName) -> Decision {
    match status {
        Status::Available | Status::Removed { .. } | Status::Failed { .. } => {
            Decision::Begin(match &known.standing {
                Some(own) if !matches!(status, Status::Removed { .. }) => {
                    Name::Again(own.name.clone())
                }
                _ => Name::Like(proposal.clone()),
            })
        }
        follow => Decision::Tell(follow),
    }
}

fn teardown(known: &Known, status: Status, confirmed: &str) -> Decision {
    if !known.button.profile.teardown {
        return refuse("this button may not remove clusters");
    }
    let own = known.standing.as_ref().map(|own| own.name.as_str());
    if own != Some(confirmed) {
        return refuse("that is not this button's cluster");
    }
    match status {
        Status::Provisioned { .. } | Status::Failed { .. } => Decision::Remove {
            cluster: confirmed.to_owned(),
        },
        // A run is under way, or it is gone already.
        follow => Decision::Tell(follow),
    }
}

fn refuse(reason: &str) -> Decision {
    Decision::Tell(Status::Refused {
        reason: Text::lossy(reason),
    })
}

/// Notes at a button that a request of it is carried out now.
///
/// # Errors
/// When it must not be: it is not of this time, or not newer than the last one. The requests of one wake have one
/// beginning of their nonces and count; two wakes are never in one second.
pub(super) fn take(button: &mut Button, request: &Request, now: UnixTime) -> Result<(), Stale> {
    if !is_fresh(request.time, now) {
        return Err(Stale::Time);
    }
    let made = request.time.seconds();
    let newer = made > button.last
        || made == button.last && nonce(button).is_some_and(|last| follows(&last, &request.nonce));
    if !newer {
        return Err(Stale::Replayed);
    }
    button.last = made;
    button.nonce = request.nonce.to_string();
    Ok(())
}

/// The nonce of a button's last request.
pub(super) fn nonce(button: &Button) -> Option<Nonce> {
    button.nonce.parse().ok()
}

/// Whether a nonce comes later in the same wake.
fn follows(last: &Nonce, next: &Nonce) -> bool {
    let (last, next) = (last.bytes(), next.bytes());
    let wake = bramble_button::ENTROPY;
    last[..wake] == next[..wake] && next[wake..] > last[wake..]
}
