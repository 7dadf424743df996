//! The first part of a run whose machines can't all be reached yet: what lets them through, and the
//! wait until they answer.

use super::{Session, ending, engine_run};
use crate::args::Global;
use crate::context::Context;
use crate::error::{CliError, chain};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::stop;
use bramble_engine::arrival::Arrival;
use bramble_engine::observe::Unseen;
use bramble_engine::{Event, Outcome, Plan, ways};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long machines may take to ask for an address once there is somebody to give them one: boards
/// are switched on only then, and have to boot.
const FIRST_LIMIT: Duration = Duration::from_secs(150);
/// The same where they have been served before: networkd asks once a minute in the end. Who is late is
/// most likely off.
const LIMIT: Duration = Duration::from_secs(75);

/// Makes the ways that the session's plan leaves machines waiting for, and waits until those answer; the
/// caller looks again then. `None` where there is nothing to wait for.
pub async fn open_ways(
    context: &Context,
    global: &Global,
    session: &Session,
    part: &Plan,
    progress: Progress,
    printer: &Printer,
) -> Result<Outcome, CliError> {
    ending::begin(part, session.afterwards(part), printer);
    let (sender, receiver) = unbounded_channel();
    let shown = tokio::spawn(progress.follow(receiver));
    let outcome = open(context, global, session, part, sender, printer).await;
    let _ = shown.await;
    outcome
}

async fn open(
    context: &Context,
    global: &Global,
    session: &Session,
    part: &Plan,
    events: UnboundedSender<Event>,
    printer: &Printer,
) -> Result<Outcome, CliError> {
    let start = Instant::now();
    let stop = stop::listen(*printer);
    let run = engine_run(
        context,
        global,
        session,
        part,
        "up",
        events.clone(),
        stop.clone(),
    );
    let mut outcome = run.await?;
    if !outcome.complete() {
        return Ok(outcome);
    }
    let targets = context.targets(&[])?;
    // The connections of before know nothing of ways that were just made.
    let fleet = context.fleet(global);
    for through in part.machines.keys() {
        let behind = |name: &String| part.later.get(name) == Some(through);
        let mut unseen = session.look.unseen.iter().filter(|(name, _)| behind(name));
        let first = unseen.any(|(_, why)| matches!(why, Unseen::Closed { .. }));
        let arrival = Arrival {
            fleet: &fleet,
            targets: targets.iter().filter(|t| behind(&t.name)).collect(),
            through,
            limit: if first { FIRST_LIMIT } else { LIMIT },
            start,
            events: &events,
            stop: stop.clone(),
        };
        outcome.stopped |= !arrival.wait().await;
    }
    outcome.took = start.elapsed();
    Ok(outcome)
}

impl Session {
    /// Nobody waits a second time: who was waited for in vain is as unreachable as any machine.
    pub fn wait_no_longer(&mut self, awaited: BTreeMap<String, String>) {
        self.awaited = awaited;
        for (name, through) in std::mem::take(&mut self.plan.later) {
            let why = self.look.unseen.get(&name).map(|why| chain(why));
            let why = why.unwrap_or_else(|| format!("{through} lets nobody through"));
            self.plan.unreachable.insert(name, why);
        }
    }

    /// How many steps there are after a part, as far as one can say: what is to do on machines that were not
    /// seen yet is all that they should be.
    fn afterwards(&self, part: &Plan) -> usize {
        let unseen = part.later.keys().filter_map(|name| {
            let machine = self.blueprint.machines.get(name)?;
            Some(machine.steps.len())
        });
        self.plan.steps().saturating_sub(part.steps()) + unseen.sum::<usize>()
    }

    /// The part of the plan that must be carried out before all machines can be looked at.
    pub fn opening(&self) -> Option<Plan> {
        ways::opening(&self.plan, &self.blueprint.ways)
    }
}
