//! How a button's cluster stands, in the words of the protocol.

use bramble_button::{Progress, Status, Text, Word};
use bramble_store::record::{Cluster, Phase, Run, Verb};

/// A cluster as the store knows it.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// Its name.
    pub name: String,
    /// The cluster.
    pub cluster: Cluster,
    /// Its last run, if that is still remembered.
    pub run: Option<Run>,
}

/// What is shown for an address that isn't known.
const UNKNOWN: &str = "unknown";

impl Standing {
    /// What there is to tell about it.
    pub fn status(&self) -> Status {
        let cluster = word(&self.name);
        match &self.run {
            Some(run) if !run.state.is_over() => underway(run, cluster),
            run => self.result(run.as_ref(), cluster),
        }
    }

    /// Whether a run is under way.
    pub fn is_busy(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.state.is_over())
    }

    fn result(&self, run: Option<&Run>, cluster: Word) -> Status {
        let unmeasured = |cluster| Progress {
            cluster,
            percent: None,
            step: None,
        };
        match self.cluster.phase {
            // Made, but never begun: as if it had not been asked for.
            Phase::New => Status::Available,
            // The phase is written before the run.
            Phase::Building => Status::Provisioning(unmeasured(cluster)),
            Phase::Removing => Status::Removing(unmeasured(cluster)),
            Phase::Ready => Status::Provisioned {
                cluster: Some(cluster),
                address: address(self.cluster.address.as_deref()),
            },
            Phase::Gone => Status::Removed { cluster },
            Phase::Failed => Status::Failed {
                cluster: Some(cluster),
                reason: self.why(run),
            },
        }
    }

    fn why(&self, run: Option<&Run>) -> Text {
        let run = run.and_then(|run| run.reason.as_deref());
        let why = self.cluster.message.as_deref().or(run);
        Text::lossy(why.unwrap_or("the daemon's log says why"))
    }
}

fn underway(run: &Run, cluster: Word) -> Status {
    let step = run.progress.step.trim();
    let progress = Progress {
        cluster,
        percent: Some(run.progress.percent()),
        step: (!step.is_empty()).then(|| Text::lossy(step)),
    };
    match run.verb {
        Verb::Up => Status::Provisioning(progress),
        Verb::Down => Status::Removing(progress),
    }
}

/// An address for a small display: all of them speak HTTPS.
fn address(url: Option<&str>) -> Word {
    let url = url.unwrap_or(UNKNOWN);
    word(url.strip_prefix("https://").unwrap_or(url))
}

/// A text as a word: what can't be shown is left out.
fn word(text: &str) -> Word {
    let shown = text.chars().filter(char::is_ascii_graphic);
    let shown: String = shown.take(Word::LONGEST).collect();
    shown.parse().unwrap_or_else(|_| {
        // Only an empty text is no word by now.
        #[expect(clippy::expect_used, reason = "a constant that is a word")]
        UNKNOWN.parse().expect("a word")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_store::record::{Actor, End, Progress as Done, State};
    use jiff::Timestamp;

    fn standing(phase: Phase, state: State, verb: Verb) -> Standing {
        let progress = Done {
            done: 9,
            total: 9,
            step: "base on one".into(),
        };
        let run = Run {
            cluster: "c1".into(),
            verb,
            by: Actor::Button("dash01".into()),
            file: String::new(),
            asked: Timestamp::UNIX_EPOCH,
            state,
            cancel: false,
            started: None,
            ended: None,
            progress,
            reason: Some("no route".into()),
            tries: 1,
            host: None,
        };
        let cluster = Cluster {
            file: String::new(),
            origin: None,
            claim: None,
            owner: "button/dash01".into(),
            created: Timestamp::UNIX_EPOCH,
            expires: None,
            lifetime: None,
            phase,
            message: None,
            address: Some("https://10.77.0.5:6443".into()),
            runs: 1,
        };
        Standing {
            name: "c1".into(),
            cluster,
            run: Some(run),
        }
    }

    #[test]
    fn a_hundred_percent_is_for_success_alone() {
        let under_way = standing(Phase::Building, State::Running, Verb::Up).status();
        let Status::Provisioning(progress) = under_way else {
            panic!("{under_way:?}");
        };
        assert_eq!(progress.percent, Some(99));
        assert_eq!(progress.step.unwrap().as_str(), "base on one");
    }

    #[test]
    fn a_run_counts_before_the_phase() {
        for phase in [Phase::New, Phase::Ready, Phase::Failed, Phase::Gone] {
            let up = standing(phase, State::Accepted, Verb::Up).status();
            assert!(matches!(up, Status::Provisioning(_)), "{phase:?}");
            let down = standing(phase, State::Running, Verb::Down).status();
            assert!(matches!(down, Status::Removing(_)), "{phase:?}");
        }
    }

    #[test]
    fn results_are_told_with_address_or_reason() {
        let ready = standing(Phase::Ready, State::Ended(End::Done), Verb::Up).status();
        let Status::Provisioned { cluster, address } = ready else {
            panic!("{ready:?}");
        };
        assert_eq!(cluster.unwrap().as_str(), "c1");
        assert_eq!(address.as_str(), "10.77.0.5:6443");
        let failed = standing(Phase::Failed, State::Ended(End::Failed), Verb::Up).status();
        let Status::Failed { reason, .. } = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(reason.as_str(), "no route");
        let mut gone = standing(Phase::Gone, State::Ended(End::Done), Verb::Down);
        gone.run = None;
        assert!(matches!(gone.status(), Status::Removed { .. }));
    }

    #[test]
    fn any_text_becomes_a_word() {
        assert_eq!(word("").as_str(), "unknown");
        assert_eq!(word("a b\u{e4}c").as_str(), "abc");
        assert_eq!(word(&"x".repeat(200)).as_str().len(), Word::LONGEST);
    }
}
