//! Which steps are done: what other steps wait for.

use crate::plan::Plan;
use bramble_machine::StepRef;
use std::collections::BTreeMap;
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

/// The status of every step of a plan.
pub(crate) struct Board(BTreeMap<StepRef, watch::Sender<Status>>);

impl Board {
    /// All steps of a plan. A step with nothing to do is done from the start: whoever needs it must
    /// not wait for the steps before it.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut board = BTreeMap::new();
        for (name, machine) in &plan.machines {
            for step in &machine.steps {
                let status = if step.items.is_empty() {
                    Status::Done
                } else {
                    Status::Open
                };
                board.insert(
                    (name.clone(), step.name.clone()),
                    watch::Sender::new(status),
                );
            }
        }
        for api in &plan.api {
            board.insert(
                (String::new(), api.step.name.clone()),
                watch::Sender::new(Status::Open),
            );
        }
        Self(board)
    }

    /// Whether the step is part of the plan.
    pub(crate) fn known(&self, step: &StepRef) -> bool {
        self.0.contains_key(step)
    }

    /// Where it is.
    pub(crate) fn get(&self, step: &StepRef) -> Status {
        self.0.get(step).map_or(Status::Done, |s| *s.borrow())
    }

    /// Says where it is.
    pub(crate) fn set(&self, step: &StepRef, status: Status) {
        if let Some(sender) = self.0.get(step) {
            sender.send_replace(status);
        }
    }

    /// A step of a machine failed: it and all open ones after it will not come.
    pub(crate) fn close(&self, machine: &str) {
        for ((name, _), sender) in &self.0 {
            if name == machine && *sender.borrow() == Status::Open {
                sender.send_replace(Status::Failed);
            }
        }
    }

    /// Waits until it is done or failed.
    pub(crate) async fn wait(&self, step: &StepRef) -> Status {
        let Some(sender) = self.0.get(step) else {
            return Status::Done;
        };
        let mut receiver = sender.subscribe();
        match receiver.wait_for(|s| *s != Status::Open).await {
            Ok(status) => *status,
            Err(_) => Status::Failed,
        }
    }
}
