//! One `up` or `down`.

use crate::document::Kind;
use crate::typed::Record;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A run. Its name is the cluster's, a hyphen and its number from 1, so that of two who ask at once one is
/// first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its cluster.
    pub cluster: String,
    /// What it does.
    pub verb: Verb,
    /// Who asked for it.
    pub by: Actor,
    /// The file that it makes true, as it was when it was asked for.
    pub file: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// How far it is.
    pub state: State,
    /// Whether somebody wants it to stop.
    #[serde(default)]
    pub cancel: bool,
    /// When its first step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How much of it is done.
    #[serde(default)]
    pub progress: Progress,
    /// Why it failed, in a sentence or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was begun: a daemon that was killed begins it again.
    #[serde(default)]
    pub tries: u32,
    /// Where its process is; `None` where there is one daemon only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
}

impl Record for Run {
    const KIND: Kind = Kind::Run;
}

/// Where the process of a run is, among several daemons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// The daemon, by the name that it keeps in its folder.
    pub replica: String,
    /// Place in the run's log behind which the events of that process begin: those before it are of others.
    pub behind: u64,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Makes the cluster as its file says.
    Up,
    /// Takes it down.
    Down,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Asked for, and kept.
    Accepted,
    /// Under way.
    Running,
    /// Over.
    Ended(End),
}

impl State {
    /// Whether it is over.
    pub fn is_over(self) -> bool {
        matches!(self, State::Ended(_))
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// All of it is done.
    Done,
    /// A part of it failed.
    Failed,
    /// It was stopped by somebody.
    Cancelled,
}

/// Who asked for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Actor {
    /// A user, by name.
    User(String),
    /// A button, by its id.
    Button(String),
    /// The daemon itself, for the stated reason.
    Daemon(String),
}

/// How much of a run is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Steps that are done.
    pub done: u32,
    /// Steps in all; 0 as long as that is not known.
    pub total: u32,
    /// What it does just now.
    pub step: String,
}

impl Progress {
    /// Per cent, from 0 to 99: only the end of a run is 100.
    pub fn percent(&self) -> u8 {
        if self.total == 0 {
            return 0;
        }
        let part = u64::from(self.done) * 100 / u64::from(self.total);
        u8::try_from(part.min(99)).unwrap_or(99)
    }
}
