//! Waiting for machines that are about to answer, because what lets them through was just made.

use crate::event::{Event, Happened};
use bramble_fleet::{Fleet, Target};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc::UnboundedSender, watch};
use tokio::time::{interval, sleep, timeout};

/// The name under which it is told: it belongs to no step.
const ARRIVAL: &str = "arrival";
/// Between two attempts at one machine.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is said what is waited for.
const SAY: Duration = Duration::from_secs(10);

/// A wait for machines.
pub struct Arrival<'a> {
    /// Connects; a fleet of its own finds the ways as they are now.
    pub fleet: &'a Fleet,
    /// Who is waited for.
    pub targets: Vec<&'a Target>,
    /// The machine that lets them through.
    pub through: &'a str,
    /// How long at most.
    pub limit: Duration,
    /// When the run began, for the time of events.
    pub start: Instant,
    /// Where events go.
    pub events: &'a UnboundedSender<Event>,
    /// Becomes true when nobody wants to wait any longer.
    pub stop: watch::Receiver<bool>,
}

impl Arrival<'_> {
    /// Waits until every machine answers, in whatever way, at most until the limit. Who is late is
    /// found out by the look that follows. False: it was stopped.
    pub async fn wait(self) -> bool {
        let mut stop = self.stop.clone();
        let all = timeout(self.limit, self.all());
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => false,
            _ = all => true,
        }
    }

    async fn all(&self) {
        let begun = Instant::now();
        let mut left: BTreeSet<&str> = self.targets.iter().map(|t| t.name.as_str()).collect();
        let mut coming: FuturesUnordered<_> = self
            .targets
            .iter()
            .map(|target| answer(self.fleet, target))
            .collect();
        let mut tick = interval(SAY);
        while !left.is_empty() {
            tokio::select! {
                Some(name) = coming.next() => {
                    left.remove(name);
                    let took = begun.elapsed();
                    self.say(name, Happened::Answers { took });
                }
                _ = tick.tick() => {
                    let names: Vec<&str> = left.iter().copied().collect();
                    let what = Happened::Waiting {
                        what: format!("{} to answer", names.join(", ")),
                        since: begun.elapsed(),
                        limit: Some(self.limit),
                    };
                    self.say(self.through, what);
                }
            }
        }
    }

    fn say(&self, machine: &str, what: Happened) {
        // Nobody listening is no reason to stop.
        let _ = self.events.send(Event {
            at: self.start.elapsed(),
            machine: machine.to_owned(),
            step: ARRIVAL.to_owned(),
            resource: None,
            what,
        });
    }
}

/// Tries until the machine answers. A refusal is an answer: the look says what is wrong.
async fn answer<'a>(fleet: &Fleet, target: &'a Target) -> &'a str {
    while let Err(why) = fleet.connect(target).await {
        if !why.is_unreachable() {
            break;
        }
        sleep(PAUSE).await;
    }
    &target.name
}
