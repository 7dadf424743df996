//! Following a run until its end.

use super::{Millis, Phase, Turn};
use crate::{Ask, Progress, Screen, Settings, Status, Task, Text, Word, limits, progress};

/// A run that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Follow {
    task: Task,
    /// As the handler calls it.
    cluster: Word,
    percent: Option<u8>,
    step: Option<Text>,
    began: Millis,
    /// When percentage or step last changed.
    changed: Millis,
    asked: Millis,
    /// What the bar shows. It never goes back while one run is followed.
    bar: u8,
    /// The number of the request that began it, if this button did: what answers an earlier one isn't about this run.
    since: u16,
}

impl Follow {
    pub(super) fn new(task: Task, progress: Progress, since: u16, now: Millis) -> Self {
        Self {
            task,
            cluster: progress.cluster,
            percent: progress.percent,
            step: progress.step,
            began: now,
            changed: now,
            asked: now,
            bar: progress::BEGUN,
            since,
        }
    }

    /// The handler's word of where it is. Another cluster or task is another run; the limits stay those of the first.
    fn learn(&mut self, task: Task, told: Progress, now: Millis) {
        if (told.percent, &told.step) != (self.percent, &self.step) {
            self.changed = now;
        }
        if task != self.task || told.cluster != self.cluster {
            self.bar = progress::BEGUN;
        }
        self.task = task;
        self.cluster = told.cluster;
        self.percent = told.percent;
        self.step = told.step;
    }

    fn move_bar(&mut self, settings: &Settings, now: Millis) {
        let bar = match self.percent {
            Some(percent) => progress::by_steps(percent),
            None => progress::by_time(now.saturating_sub(self.began), settings.average_ms()),
        };
        self.bar = self.bar.max(bar);
    }

    fn is_over(&self, settings: &Settings, now: Millis) -> bool {
        let followed = now.saturating_sub(self.began);
        let quiet = now.saturating_sub(self.changed) >= limits::FOLLOW_QUIET;
        let long = followed >= limits::follow(settings.average_ms());
        followed >= limits::FOLLOW_LONGEST || (long && quiet)
    }

    fn screen(&self) -> Screen {
        Screen::Working {
            task: self.task,
            cluster: self.cluster.clone(),
            step: self.step.clone(),
            percent: self.bar,
        }
    }
}

impl Turn<'_> {
    /// Begins to follow, or goes on after the connection was lost: what happened meanwhile, the handler is asked.
    pub(super) fn resume(&mut self, mut follow: Follow) {
        self.publish(Ask::Status);
        follow.asked = self.now;
        follow.move_bar(self.settings, self.now);
        self.show(follow.screen());
        self.enter(Phase::Following(follow), limits::FOLLOW_TICK);
    }

    pub(super) fn follow_on(&mut self, mut follow: Follow) {
        if follow.is_over(self.settings, self.now) {
            return self.end(Screen::Timeout);
        }
        if self.now.saturating_sub(follow.asked) >= limits::FOLLOW_ASK {
            self.publish(Ask::Status);
            follow.asked = self.now;
        }
        let before = follow.bar;
        follow.move_bar(self.settings, self.now);
        if follow.bar != before {
            self.show(follow.screen());
        }
        self.enter(Phase::Following(follow), limits::FOLLOW_TICK);
    }

    /// The handler's word while following.
    pub(super) fn followed(&mut self, follow: Follow, status: Status, re: Option<u16>) {
        if re.is_some_and(|re| re < follow.since) {
            return;
        }
        match status {
            Status::Provisioning(told) => self.goes_on(follow, Task::Provision, told),
            Status::Removing(told) => self.goes_on(follow, Task::Remove, told),
            verdict => self.verdict(verdict, follow.task, follow.cluster),
        }
    }

    /// The timer stays: what is heard can't put off the next look at the limits.
    fn goes_on(&mut self, mut follow: Follow, task: Task, told: Progress) {
        let before = follow.screen();
        follow.learn(task, told, self.now);
        follow.move_bar(self.settings, self.now);
        if follow.screen() != before {
            self.show(follow.screen());
        }
        self.state.phase = Phase::Following(follow);
    }
}
