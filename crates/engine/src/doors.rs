//! During a look: who lets others through. A machine behind one that never did is not waited for as
//! long as one that may only be slow.

use crate::observe::Unseen;
use crate::ways::Ways;
use bramble_machine::Observation;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;

/// How long a machine has to answer once it is known that its way was never made: it may be there all
/// the same, by a way that somebody else made.
const GRACE: Duration = Duration::from_secs(3);

/// What is known of the machines that let others through.
pub(crate) struct Doors<'a> {
    ways: &'a Ways,
    /// Whether a machine lets others through; those that nobody has looked at yet are missing.
    open: watch::Sender<BTreeMap<String, bool>>,
}

impl<'a> Doors<'a> {
    /// For a look at these machines.
    pub(crate) fn new<'b>(ways: &'a Ways, targets: impl Iterator<Item = &'b str>) -> Self {
        let asked: BTreeSet<&str> = targets.collect();
        let through = ways.values().map(|way| way.through.as_str());
        // Nobody learns anything about a machine that is not looked at.
        let unknown = through.filter(|name| !asked.contains(name));
        let open = unknown.map(|name| (name.to_owned(), true)).collect();
        Self {
            ways,
            open: watch::Sender::new(open),
        }
    }

    /// A machine was looked at.
    pub(crate) fn looked(&self, name: &str, seen: Option<&Observation>) {
        let Some(way) = self.ways.values().find(|way| way.through == name) else {
            return;
        };
        let made = |seen: &Observation| {
            let mut records = seen.journal.records.iter();
            records.any(|r| way.steps.contains(&r.step.as_str()))
        };
        // Of one that was not seen nothing is known, and it is said itself.
        let open = seen.is_none_or(made);
        self.open.send_modify(|all| {
            all.insert(name.to_owned(), open);
        });
    }

    /// The look at a machine, which ends early where its way was never made.
    pub(crate) async fn pass<T>(
        &self,
        name: &str,
        look: impl Future<Output = Result<T, Unseen>>,
    ) -> Result<T, Unseen> {
        let Some(way) = self.ways.get(name) else {
            return look.await;
        };
        let closed = || Unseen::Closed {
            through: way.through.clone(),
        };
        let given_up = async {
            if self.is_open(&way.through).await {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(GRACE).await;
        };
        let result = tokio::select! {
            result = look => result,
            () = given_up => return Err(closed()),
        };
        match result {
            Err(why) if why.is_unreachable() && !self.is_open(&way.through).await => Err(closed()),
            result => result,
        }
    }

    /// Waits until it is known whether a machine lets others through.
    async fn is_open(&self, name: &str) -> bool {
        let mut receiver = self.open.subscribe();
        let known = receiver.wait_for(|all| all.contains_key(name)).await;
        known.is_ok_and(|all| all.get(name).copied().unwrap_or(true))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_fleet::Error as FleetError;
    use bramble_machine::journal::{Journal, Line, to_line};
    use bramble_machine::{Undo, Way};
    use std::sync::Arc;

    fn ways() -> Ways {
        let way = Way {
            through: "gate".into(),
            steps: vec!["door"],
        };
        [("one".to_owned(), way)].into()
    }

    fn with_record(step: &str) -> Observation {
        let line = to_line(&Line::Begin {
            id: "file:/a".into(),
            step: step.into(),
            undo: Undo::Action(Default::default()),
        });
        Observation {
            journal: Journal::parse(&line),
            ..Observation::default()
        }
    }

    fn no_answer() -> Unseen {
        Unseen::Fleet(FleetError::Unreachable {
            machine: "one".into(),
            address: "10.77.0.11:22".into(),
            stage: "no TCP connection".into(),
            source: Arc::new(std::io::Error::other("no answer")),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_behind_a_door_that_was_never_made() {
        let ways = ways();
        let doors = Doors::new(&ways, ["gate", "one"].into_iter());
        let begin = tokio::time::Instant::now();
        doors.looked("gate", Some(&with_record("base")));
        let silent = std::future::pending::<Result<(), Unseen>>();
        let why = doors.pass("one", silent).await.unwrap_err();
        assert!(matches!(why, Unseen::Closed { through } if through == "gate"));
        assert_eq!(begin.elapsed(), GRACE);
        // Whoever answers all the same is seen.
        assert!(doors.pass("one", async { Ok(()) }).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn behind_an_open_door_a_machine_says_itself_why_it_was_not_seen() {
        let ways = ways();
        for seen in [Some(with_record("door")), None] {
            let doors = Doors::new(&ways, ["gate", "one"].into_iter());
            let slow = async {
                tokio::time::sleep(10 * GRACE).await;
                Err::<(), _>(no_answer())
            };
            doors.looked("gate", seen.as_ref());
            let why = doors.pass("one", slow).await.unwrap_err();
            assert!(matches!(why, Unseen::Fleet(_)), "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_before_the_door_is_known_waits_for_it() {
        let ways = ways();
        let doors = Doors::new(&ways, ["gate", "one"].into_iter());
        let late = async {
            tokio::time::sleep(GRACE).await;
            doors.looked("gate", Some(&with_record("base")));
        };
        let pass = doors.pass("one", async { Err::<(), _>(no_answer()) });
        let (why, ()) = tokio::join!(pass, late);
        assert!(matches!(why, Err(Unseen::Closed { .. })));
        // In a look without the gate there is nothing to wait for.
        let doors = Doors::new(&ways, ["one"].into_iter());
        let pass = doors.pass("one", async { Err::<(), _>(no_answer()) });
        assert!(matches!(pass.await, Err(Unseen::Fleet(_))));
    }
}
