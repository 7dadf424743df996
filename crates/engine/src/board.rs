//! Which steps are done: what other steps wait for.
//!
//! A teardown may come to a step in several parts: what was added to it later is undone first, then
//! steps that were made in between, then the rest. Whoever needs the step waits for all of it.

use crate::plan::{Plan, RELEASE};
use bramble_machine::StepRef;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Not done yet.
    Open,
    /// Done, or nothing to do.
    Done,
    /// Failed or left out.
    Failed,
}

/// How far a step is.
struct Place {
    status: Status,
    /// Parts that are not done yet.
    left: usize,
    /// Whether a part was begun.
    begun: bool,
    /// What the parts that are done came to.
    sum: Sum,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Changes made.
    pub(crate) changes: usize,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Place {
    fn of(left: usize) -> Self {
        Self {
            status: if left == 0 {
                Status::Done
            } else {
                Status::Open
            },
            left,
            begun: false,
            sum: Sum::default(),
        }
    }
}

/// The status of every step of a plan.
pub(crate) struct Board(BTreeMap<StepRef, watch::Sender<Place>>);

impl Board {
    /// All steps of a plan. A step with nothing to do is done from the start: whoever needs it must
    /// not wait for the steps before it.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut parts: BTreeMap<StepRef, usize> = BTreeMap::new();
        for (name, machine) in &plan.machines {
            for step in &machine.steps {
                let left = parts.entry((name.clone(), step.name.clone())).or_default();
                *left += usize::from(!step.items.is_empty());
            }
            if plan.down {
                parts.insert((name.clone(), RELEASE.to_owned()), 1);
            }
        }
        for api in &plan.api {
            parts.insert((String::new(), api.step.name.clone()), 1);
        }
        let place = |(step, left)| (step, watch::Sender::new(Place::of(left)));
        Self(parts.into_iter().map(place).collect())
    }

    /// Whether the step is part of the plan.
    pub(crate) fn known(&self, step: &StepRef) -> bool {
        self.0.contains_key(step)
    }

    /// Where it is.
    pub(crate) fn get(&self, step: &StepRef) -> Status {
        self.0.get(step).map_or(Status::Done, |s| s.borrow().status)
    }

    /// A part of it begins. True: it is the first.
    pub(crate) fn begin(&self, step: &StepRef) -> bool {
        let mut first = true;
        if let Some(sender) = self.0.get(step) {
            sender.send_modify(|place| first = !std::mem::replace(&mut place.begun, true));
        }
        first
    }

    /// A part of it is done. With the last one the step is, and this says what it came to.
    pub(crate) fn finish(&self, step: &StepRef, part: Sum) -> Option<Sum> {
        let mut whole = Some(part);
        if let Some(sender) = self.0.get(step) {
            sender.send_modify(|place| {
                place.left = place.left.saturating_sub(1);
                place.sum.changes += part.changes;
                place.sum.took += part.took;
                whole = (place.left == 0).then_some(place.sum);
                if place.left == 0 {
                    place.status = Status::Done;
                }
            });
        }
        whole
    }

    /// It failed, or will not come.
    pub(crate) fn fail(&self, step: &StepRef) {
        if let Some(sender) = self.0.get(step) {
            sender.send_modify(|place| place.status = Status::Failed);
        }
    }

    /// A step of a machine failed: it and all open ones after it will not come.
    pub(crate) fn close(&self, machine: &str) {
        for (step, _) in self.0.iter().filter(|((name, _), _)| name == machine) {
            if self.get(step) == Status::Open {
                self.fail(step);
            }
        }
    }

    /// Waits until it is done or failed.
    pub(crate) async fn wait(&self, step: &StepRef) -> Status {
        let Some(sender) = self.0.get(step) else {
            return Status::Done;
        };
        let mut receiver = sender.subscribe();
        match receiver.wait_for(|p| p.status != Status::Open).await {
            Ok(place) => place.status,
            Err(_) => Status::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::plan::{Scope, away};
    use bramble_machine::Observation;
    use bramble_machine::journal::{Journal, Line, to_line};
    use futures::FutureExt;

    fn join() -> StepRef {
        ("two".into(), "worker/join".into())
    }

    /// A teardown of a machine whose step got one resource more after others were made.
    fn grown() -> Board {
        let records = [
            ("file:/a", "worker/join"),
            ("file:/b", "demo"),
            ("file:/c", "worker/join"),
        ];
        let lines = records.map(|(id, step)| {
            to_line(&Line::Begin {
                id: id.into(),
                step: step.into(),
                undo: bramble_machine::Undo::Action(Default::default()),
            })
        });
        let seen = Observation {
            journal: Journal::parse(&lines.join("\n")),
            ..Observation::default()
        };
        let machine = away(&seen, &Scope::default(), "two").unwrap();
        let names: Vec<&str> = machine.steps.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["worker/join", "demo", "worker/join"]);
        let mut plan = Plan::default();
        plan.machines.insert("two".into(), machine);
        Board::new(&plan)
    }

    fn part(seconds: u64) -> Sum {
        Sum {
            changes: 1,
            took: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_step_in_parts_is_done_with_the_last_and_told_once() {
        let board = grown();
        assert!(board.begin(&join()));
        assert_eq!(board.finish(&join(), part(2)), None);
        assert_eq!(board.wait(&join()).now_or_never(), None, "one part is open");
        assert!(!board.begin(&join()), "it was begun before");
        let whole = Sum {
            changes: 2,
            took: Duration::from_secs(5),
        };
        assert_eq!(board.finish(&join(), part(3)), Some(whole));
        assert_eq!(board.wait(&join()).now_or_never(), Some(Status::Done));
    }

    #[test]
    fn a_teardown_is_over_when_its_machine_is_let_go() {
        let mut plan = Plan {
            down: true,
            ..Plan::default()
        };
        let release = |name: &str| (name.to_owned(), RELEASE.to_owned());
        for name in ["one", "two"] {
            plan.machines.insert(name.into(), Default::default());
        }
        let board = Board::new(&plan);
        assert_eq!(board.wait(&release("one")).now_or_never(), None);
        board.finish(&release("one"), Sum::default());
        assert_eq!(board.get(&release("one")), Status::Done);
        board.close("two");
        assert_eq!(board.get(&release("two")), Status::Failed);
        // Towards the file nobody waits for that.
        plan.down = false;
        assert!(!Board::new(&plan).known(&release("one")));
    }

    #[test]
    fn a_step_whose_second_part_does_not_come_failed() {
        let board = grown();
        board.finish(&join(), part(1));
        board.close("two");
        assert_eq!(board.get(&join()), Status::Failed);
    }
}
