//! The table: which signal shows what.

use crate::board::Board;
use crate::button::Actions;
use crate::glob::fits;
use crate::signal::{Signal, Source};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A lamp's color; the later, the worse.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Color {
    /// All is well.
    Green,
    /// Somebody should look.
    Yellow,
    /// Somebody must look.
    Red,
}

/// How a lamp shines; the later, the more it catches the eye.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Pattern {
    /// All the time.
    #[default]
    Steady,
    /// For a moment each second.
    Flash,
    /// Every other half second.
    Blink,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Show {
    /// The lamp.
    pub color: Color,
    /// How it shines.
    pub pattern: Pattern,
}

impl Show {
    /// What is shown while nothing is the case.
    pub const CALM: Show = Show {
        color: Color::Green,
        pattern: Pattern::Steady,
    };
}

/// Whether something beeps.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Beep {
    /// It doesn't.
    #[default]
    Never,
    /// When it begins.
    Once,
    /// Until somebody acknowledges it.
    Repeat,
}

/// A word or several with wildcards; none fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Words {
    fn fit(&self, word: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| fits(pattern, word))
    }
}

/// A line of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Sources that it is for.
    pub source: Words,
    /// Kinds of objects.
    pub kind: Words,
    /// Reasons.
    pub reason: Words,
    /// Namespaces.
    pub namespace: Words,
    /// Names of objects.
    pub name: Words,
    /// Severities.
    pub severity: Words,
    /// What is shown; `None` = nothing.
    pub show: Option<Show>,
    /// Whether it beeps.
    pub beep: Beep,
    /// How long it stays after it was last heard of, unless it is cleared before.
    pub stays: Option<SignedDuration>,
}

impl Rule {
    /// Whether it is for that signal.
    pub fn fits(&self, signal: &Signal) -> bool {
        self.source.fit(signal.source.as_str())
            && self.kind.fit(&signal.kind)
            && self.reason.fit(&signal.reason)
            && self.namespace.fit(&signal.namespace)
            && self.name.fit(&signal.name)
            && self.severity.fit(&signal.severity)
    }
}

/// A source that must be heard of again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// Which.
    pub source: Source,
    /// The reason of the signals that count; `None` = anything that it says.
    pub reason: Option<String>,
    /// How long it may be silent.
    pub within: SignedDuration,
    /// Whether it must be heard of at all; otherwise only once it was.
    pub always: bool,
}

impl Alive {
    /// What it is called where it is silent.
    pub fn name(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{} {reason}", self.source.as_str()),
            None => self.source.as_str().into(),
        }
    }
}

/// All that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The table: the first line that fits a signal counts.
    pub table: Vec<Rule>,
    /// Sources that must be heard of.
    pub alive: Vec<Alive>,
    /// Conditions kept at most.
    pub most: usize,
    /// Where the lamps are.
    pub board: Board,
    /// What the button on the traffic light does.
    pub button: Actions,
}

impl Rules {
    /// The line that counts for a signal.
    pub fn find(&self, signal: &Signal) -> Option<&Rule> {
        self.table.iter().find(|rule| rule.fits(signal))
    }
}
