//! What the display can show: one value for each state and each error. [`crate::draw`] makes pixels of them.

use crate::{Task, Text, Word, limits, progress};
use heapless::Vec;

/// One screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    /// The logo unfolds from the middle line.
    Logo {
        /// Lines above and below the middle that are open: 0 to 32.
        unfolded: u8,
    },
    /// Wi-Fi comes up.
    Wifi,
    /// The time is asked for.
    Clock,
    /// The broker is connected.
    Broker,
    /// The handler is asked how it is.
    Asking,
    /// A removal waits for a second press.
    ConfirmRemoval {
        /// Which cluster would be removed.
        cluster: Word,
    },
    /// A request waits for the handler's confirmation.
    Requesting(Task),
    /// A run is followed.
    Working {
        /// What is done.
        task: Task,
        /// To which cluster.
        cluster: Word,
        /// What is being done now.
        step: Option<Text>,
        /// How far it is, 0 to 100. 100 only when it has succeeded.
        percent: u8,
    },
    /// A cluster is ready.
    Ready {
        /// Its name.
        cluster: Word,
        /// Where its API answers.
        address: Word,
    },
    /// A cluster is removed.
    Removed {
        /// Its name.
        cluster: Word,
    },
    /// No Wi-Fi in time.
    WifiFailed,
    /// No time in time.
    ClockNotSet,
    /// The broker couldn't be reached.
    BrokerFailed,
    /// The broker doesn't let the button in.
    BrokerRefused,
    /// The connection was lost more often than it is made again.
    BrokerLost,
    /// The handler doesn't answer, or says that it can't do anything.
    HandlerUnavailable(Unanswered),
    /// The handler didn't confirm a request.
    Unconfirmed(Task),
    /// Nobody confirmed a removal.
    NotConfirmed,
    /// There is no cluster to be removed.
    NothingToRemove,
    /// Version 1 has no removal.
    RemovalUnknown,
    /// The handler doesn't do it.
    Refused {
        /// Why not.
        reason: Text,
    },
    /// A run failed.
    Failed {
        /// What it was to do.
        task: Task,
        /// To which cluster.
        cluster: Word,
        /// Why.
        reason: Text,
    },
    /// The run that was followed is over, but how it went wasn't heard.
    ResultUnknown,
    /// The run takes longer than a button follows.
    Timeout,
}

/// What is known about a handler that gives no proven answer. None of it is proven; it only chooses words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// Nothing.
    Silent,
    /// Its last will says that it is offline.
    Offline,
    /// What it said at last before this press: a cluster was ready. Signed, but it may be out of date.
    LastKnown {
        /// Where the cluster's API was.
        address: Word,
    },
    /// It refuses this button without a signature: it has no key for it, or another one.
    Stranger,
}

/// Lines of text, from the top.
pub type Lines<'a> = Vec<&'a str, 4>;

/// A screen of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<'a> {
    /// Centered lines.
    pub lines: Lines<'a>,
    /// How much of the bar is filled, in percent; `None` without a bar.
    pub bar: Option<u8>,
}

impl Unanswered {
    /// Keeps whichever says more.
    pub(crate) fn learn(&mut self, other: Self) {
        if other.rank() > self.rank() {
            *self = other;
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Silent => 0,
            Self::Offline => 1,
            Self::LastKnown { .. } => 2,
            Self::Stranger => 3,
        }
    }
}

impl Screen {
    /// The text and the bar; the logo has neither.
    pub fn page(&self) -> Page<'_> {
        let text = |lines: &[&'static str]| Page::new(lines, None);
        match self {
            Self::Logo { .. } => text(&[]),
            Self::Wifi => text(&["Joining", "Wi-Fi"]),
            Self::Clock => text(&["Asking", "for the time"]),
            Self::Broker => text(&["Connecting", "to the broker"]),
            Self::Asking => text(&["Asking", "the handler"]),
            Self::ConfirmRemoval { cluster } => {
                Page::new(&["Remove", cluster.as_str(), "Press to confirm."], None)
            }
            Self::Requesting(task) => {
                let what = match task {
                    Task::Provision => "K8s cluster",
                    Task::Remove => "removal",
                };
                Page::new(&["Requesting", what], Some(progress::REQUESTED))
            }
            Self::Working {
                task,
                cluster,
                step,
                percent,
            } => working(*task, cluster, step.as_ref(), *percent),
            Self::Ready { cluster, address } => {
                Page::new(&[cluster.as_str(), address.as_str(), "is ready."], None)
            }
            Self::Removed { cluster } => Page::new(&[cluster.as_str(), "is removed."], None),
            Self::WifiFailed => text(&["WiFi connection", "failed"]),
            Self::ClockNotSet => text(&["Clock", "not set"]),
            Self::BrokerFailed => text(&["MQTT connection", "failed"]),
            Self::BrokerRefused => text(&["MQTT connection", "refused"]),
            Self::BrokerLost => text(&["MQTT connection", "lost"]),
            Self::HandlerUnavailable(why) => unavailable(why),
            Self::Unconfirmed(Task::Provision) => {
                text(&["Can't confirm", "provisioning", "request"])
            }
            Self::Unconfirmed(Task::Remove) => text(&["Can't confirm", "removal", "request"]),
            Self::NotConfirmed => text(&["Not confirmed:", "nothing removed"]),
            Self::NothingToRemove => text(&["Nothing", "to remove"]),
            Self::RemovalUnknown => text(&["Removal needs", "protocol 2"]),
            Self::Refused { reason } => Page::new(&["Refused", reason.as_str()], None),
            Self::Failed {
                task,
                cluster,
                reason,
            } => {
                let what = match task {
                    Task::Provision => "Provisioning failed",
                    Task::Remove => "Removal failed",
                };
                Page::new(&[what, cluster.as_str(), reason.as_str()], None)
            }
            Self::ResultUnknown => text(&["Ended,", "result unknown"]),
            Self::Timeout => text(&["Timeout"]),
        }
    }

    /// How long it stays if it is the last one before sleep, in milliseconds. The result of a run stays as long if it
    /// is a failure: whoever waited for it for minutes may not be looking at this moment.
    pub const fn held_ms(&self) -> u64 {
        match self {
            Self::Ready { .. } | Self::Removed { .. } | Self::Failed { .. } => limits::SHOW_RESULT,
            Self::Timeout | Self::ResultUnknown => limits::SHOW_TIMEOUT,
            _ => limits::SHOW_ERROR,
        }
    }
}

fn working<'a>(task: Task, cluster: &'a Word, step: Option<&'a Text>, percent: u8) -> Page<'a> {
    let what = match task {
        Task::Provision => "Provisioning",
        Task::Remove => "Removing",
    };
    match step {
        Some(step) => Page::new(&[what, cluster.as_str(), step.as_str()], Some(percent)),
        None => Page::new(&[what, cluster.as_str()], Some(percent)),
    }
}

fn unavailable(why: &Unanswered) -> Page<'_> {
    match why {
        Unanswered::Silent => Page::new(&["Handler", "unavailable"], None),
        Unanswered::Offline => Page::new(&["Handler", "unavailable", "It is offline."], None),
        Unanswered::LastKnown { address } => Page::new(
            &["Handler", "unavailable", "Last known:", address.as_str()],
            None,
        ),
        Unanswered::Stranger => {
            Page::new(&["Handler", "unavailable", "Button not known to it."], None)
        }
    }
}

impl<'a> Page<'a> {
    fn new(lines: &[&'a str], bar: Option<u8>) -> Self {
        Self {
            lines: lines.iter().copied().collect(),
            bar,
        }
    }
}
