//! One of several daemons leads: it alone carries out runs and keeps order.

use crate::replica::Replica;
use bramble_store::{Candidate, Renewal};
use std::time::Duration;
use tokio::sync::watch;

/// How long what only a leader does may take to stop, and then the processes of its runs. Together it is less than
/// the lead lasts.
const STOP: Duration = Duration::from_secs(5);
const END: Duration = Duration::from_secs(3);

/// Why a daemon must end: another one may lead from now on, so nothing that this one began may go on.
#[derive(Debug, thiserror::Error)]
#[error("this daemon no longer leads, so it ends: another one goes on with what it did")]
pub struct Lost;

/// Waits until this daemon leads, and has `work` done as long as it does. Told to stop, it hands the lead over at
/// once.
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
    touch(replica);
    let (tell, stopped) = watch::channel(false);
    let mut work = tokio::spawn(work(stopped));
    let mut pause = lead.terms().renew;
    loop {
        tokio::select! {
            () = told(&mut stop) => break,
            () = tokio::time::sleep(pause) => {}
        }
        match lead.renew().await {
            Renewal::Done => {
                touch(replica);
                pause = lead.terms().renew;
            }
            Renewal::Failed => pause = lead.terms().look,
            Renewal::Lost => {
                work.abort();
                leave(replica);
                return Err(Lost);
            }
        }
    }
    tell.send_replace(true);
    if tokio::time::timeout(STOP, &mut work).await.is_err() {
        work.abort();
    }
    leave(replica);
    match replica.ended(END).await {
        true => lead.release().await,
        false => tracing::warn!("processes of runs live on, so the lead ends by itself"),
    }
    Ok(())
}

fn touch(replica: &Replica) {
    if let Err(error) = replica.leads() {
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
