//! One of several daemons leads: it alone carries out runs and keeps order.

use crate::lifeline;
use crate::replica::Replica;
use bramble_store::{Candidate, Renewal};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long what only a leader does may take to stop, and then the processes of its runs. Together it is less than
/// the lead lasts.
const STOP: Duration = Duration::from_secs(5);
const END: Duration = Duration::from_secs(3);

/// Why a daemon must end, and be started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Another one may lead from now on, so nothing that this one began may go on.
    #[error("this daemon no longer leads, so it ends: another one goes on with what it did")]
    Lead,
    /// It would accept requests and carry none of them out.
    #[error(
        "what carries out runs and keeps order has ended by a fault of its own, so the daemon ends: its log says where"
    )]
    Work,
}

/// Waits until this daemon leads, and has `work` done as long as it does. Told to stop, it hands the lead over at
/// once; where the work ends by itself, too.
///
/// # Errors
/// [`Lost`]: then the process must end, and be started again as one that does not lead.
pub async fn lead<F: Future<Output = ()> + Send + 'static>(
    candidate: Candidate,
    replica: &Replica,
    mut stop: watch::Receiver<bool>,
    work: impl FnOnce(watch::Receiver<bool>) -> F,
) -> Result<(), Lost> {
    let mut lead = tokio::select! {
        lead = candidate.lead() => lead,
        () = told(&mut stop) => return Ok(()),
    };
    tracing::info!("{} leads from now on", replica.name());
    touch(replica, lifeline::now().saturating_sub(lead.age()));
    let (tell, stopped) = watch::channel(false);
    // A set of one task ends it when it goes.
    let mut work = JoinSet::from_iter([work(stopped)]);
    let mut due = Instant::now() + lead.terms().renew;
    let ended = loop {
        tokio::select! {
            () = told(&mut stop) => break Ok(()),
            _ = work.join_next() => break Err(Lost::Work),
            () = tokio::time::sleep_until(due) => {}
        }
        due = Instant::now();
        let asked = lifeline::now();
        match lead.renew().await {
            Renewal::Done => {
                touch(replica, asked);
                due += lead.terms().renew;
            }
            Renewal::Failed => due = Instant::now() + lead.terms().look,
            Renewal::Lost => {
                work.abort_all();
                leave(replica);
                return Err(Lost::Lead);
            }
        }
    };
    tell.send_replace(true);
    // Where renewals have failed before, less of the lead is left than that.
    let limit = STOP.min(lead.left());
    if tokio::time::timeout(limit, work.join_next()).await.is_err() {
        work.abort_all();
    }
    leave(replica);
    match replica.ended(END).await {
        true => lead.release().await,
        false => tracing::warn!("processes of runs live on, so the lead ends by itself"),
    }
    ended
}

fn touch(replica: &Replica, renewed: Duration) {
    if let Err(error) = replica.leads(renewed) {
        tracing::error!("the processes of runs will end: {error}");
    }
}

/// Where it fails, the processes of runs end a few seconds later.
fn leave(replica: &Replica) {
    if let Err(error) = replica.leads_no_more() {
        tracing::error!("the processes of runs end late: {error}");
    }
}

/// Waits until told to stop; a sender that is gone tells so as well.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}
