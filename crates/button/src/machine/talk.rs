//! The talk with the handler until it is at work: ask, confirm a removal, request.

use super::{Follow, Millis, Output, Phase, Press, Turn};
use crate::{
    Ask, ClusterName, Progress, Protocol, Screen, Status, Task, Unanswered, Word, limits, progress,
};

/// A request that waits for the handler's confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requested {
    until: Millis,
    task: Task,
    /// The name that was asked for.
    cluster: Word,
    /// The request's number: a verdict on an earlier one isn't meant.
    number: u16,
}

impl Turn<'_> {
    pub(super) fn ask_first(&mut self) {
        self.show(Screen::Asking);
        let until = self.now.saturating_add(limits::ASK);
        self.ask_on(until, Unanswered::Silent);
    }

    pub(super) fn ask_on(&mut self, until: Millis, why: Unanswered) {
        if self.now >= until {
            return self.end(Screen::HandlerUnavailable(why));
        }
        self.publish(Ask::Status);
        self.enter_until(Phase::Asking { until, why }, until);
    }

    pub(super) fn request_on(&mut self, requested: Requested) {
        if self.now >= requested.until {
            return self.end(Screen::Unconfirmed(requested.task));
        }
        self.publish(Ask::Status);
        let until = requested.until;
        self.enter_until(Phase::Requesting(requested), until);
    }

    /// Enters a phase that asks again until its limit.
    fn enter_until(&mut self, phase: Phase, until: Millis) {
        let left = until.saturating_sub(self.now);
        self.enter(phase, limits::ASK_AGAIN.min(left));
    }

    /// Publishes a request and says its number. Without the time nothing is said; the answer then doesn't come.
    pub(super) fn publish(&mut self, ask: Ask) -> u16 {
        let made = self.state.session.request(self.settings, ask, self.now);
        match made {
            Some((number, request)) => {
                self.say(Output::Publish(request));
                number
            }
            None => u16::MAX,
        }
    }

    /// What isn't proven can at most give a better reason for silence.
    pub(super) fn hinted(&mut self, hint: Unanswered) {
        if let Phase::Asking { why, .. } = &mut self.state.phase {
            why.learn(hint);
        }
    }

    /// The handler's word, in a phase that talks with it.
    pub(super) fn believed(&mut self, status: Status, re: Option<u16>) {
        match &self.state.phase {
            Phase::Asking { .. } => match self.state.session.press {
                Press::Short => self.answered_provision(status),
                Press::Long => self.answered_removal(status),
            },
            Phase::Requesting(requested) => {
                let requested = requested.clone();
                self.answered_request(requested, status, re);
            }
            Phase::Following(follow) => {
                let follow = follow.clone();
                self.followed(follow, status, re);
            }
            _ => {}
        }
    }

    /// How things stand, for a button that wants a cluster.
    fn answered_provision(&mut self, status: Status) {
        let seed = matches!(self.settings.protocol, Protocol::Seed { .. });
        match status {
            // In version 1 the end of anybody's run is heard by all. The handler is available right after.
            Status::Provisioned { .. } | Status::Failed { .. } if seed => {}
            // A failed run is tried again.
            Status::Available | Status::Removed { .. } | Status::Failed { .. } => self.provision(),
            Status::Provisioning(progress) => self.follow(Task::Provision, progress, 0),
            Status::Removing(progress) => self.follow(Task::Remove, progress, 0),
            Status::Provisioned {
                cluster: Some(cluster),
                address,
            } => self.end(Screen::Ready { cluster, address }),
            Status::Refused { reason } => self.end(Screen::Refused { reason }),
            Status::Unavailable | Status::Provisioned { cluster: None, .. } => {}
        }
    }

    /// How things stand, for a button that wants none. Only what the display named and a second press confirmed goes.
    fn answered_removal(&mut self, status: Status) {
        match status {
            Status::Provisioned {
                cluster: Some(cluster),
                ..
            }
            | Status::Failed {
                cluster: Some(cluster),
                ..
            } => {
                self.show(Screen::ConfirmRemoval {
                    cluster: cluster.clone(),
                });
                self.enter(Phase::Confirming { cluster }, limits::CONFIRM);
            }
            Status::Provisioning(progress) => self.follow(Task::Provision, progress, 0),
            Status::Removing(progress) => self.follow(Task::Remove, progress, 0),
            Status::Refused { reason } => self.end(Screen::Refused { reason }),
            Status::Available
            | Status::Removed { .. }
            | Status::Provisioned { .. }
            | Status::Failed { .. } => self.end(Screen::NothingToRemove),
            Status::Unavailable => {}
        }
    }

    fn provision(&mut self) {
        let Some(time) = self.state.session.time(self.now) else {
            return self.end(Screen::ClockNotSet);
        };
        let cluster = ClusterName::made(&self.settings.id, time);
        let name = Word::from(&cluster);
        self.request(Ask::Provision { cluster }, Task::Provision, name);
    }

    pub(super) fn pressed(&mut self) {
        if let Phase::Confirming { cluster } = &self.state.phase {
            let cluster = cluster.clone();
            let ask = Ask::Teardown {
                cluster: cluster.clone(),
            };
            self.request(ask, Task::Remove, cluster);
        }
    }

    /// The question for the status follows a second later: the seed's handler loses the second of two messages at once.
    fn request(&mut self, ask: Ask, task: Task, cluster: Word) {
        self.show(Screen::Requesting(task));
        let number = self.publish(ask);
        let until = self.now.saturating_add(limits::REQUEST);
        let requested = Requested {
            until,
            task,
            cluster,
            number,
        };
        self.enter_until(Phase::Requesting(requested), until);
    }

    /// An answer to a request, or a late one to a question from before it.
    fn answered_request(&mut self, requested: Requested, status: Status, re: Option<u16>) {
        let since = requested.number;
        if re.is_some_and(|re| re < since) {
            return;
        }
        match (status, requested.task) {
            (Status::Provisioning(progress), _) => self.follow(Task::Provision, progress, since),
            (Status::Removing(progress), _) => self.follow(Task::Remove, progress, since),
            (Status::Available | Status::Unavailable, _) => {}
            // How things were before: the request isn't carried out yet.
            (Status::Provisioned { .. }, Task::Remove)
            | (Status::Removed { .. }, Task::Provision) => {}
            (verdict, task) => self.verdict(verdict, task, requested.cluster),
        }
    }

    /// A run is over.
    pub(super) fn verdict(&mut self, status: Status, task: Task, followed: Word) {
        match (status, task) {
            (Status::Provisioned { cluster, address }, _) => {
                let cluster = cluster.unwrap_or(followed);
                let result = Screen::Ready {
                    cluster: cluster.clone(),
                    address,
                };
                self.succeed(Task::Provision, cluster, result);
            }
            (Status::Removed { cluster }, Task::Remove) => {
                let result = Screen::Removed {
                    cluster: cluster.clone(),
                };
                self.succeed(Task::Remove, cluster, result);
            }
            (Status::Failed { cluster, reason }, _) => self.end(Screen::Failed {
                task,
                cluster: cluster.unwrap_or(followed),
                reason,
            }),
            (Status::Refused { reason }, _) => self.end(Screen::Refused { reason }),
            (Status::Unavailable, _) => {
                self.end(Screen::HandlerUnavailable(Unanswered::Silent));
            }
            // The run isn't there any more, and how it went was said while nobody listened.
            _ => self.end(Screen::ResultUnknown),
        }
    }

    fn succeed(&mut self, task: Task, cluster: Word, result: Screen) {
        self.leave();
        self.show(Screen::Working {
            task,
            cluster,
            step: None,
            percent: progress::DONE,
        });
        self.enter(Phase::Full { result }, limits::FULL);
    }

    fn follow(&mut self, task: Task, progress: Progress, since: u16) {
        let follow = Follow::new(task, progress, since, self.now);
        self.resume(follow);
    }
}
