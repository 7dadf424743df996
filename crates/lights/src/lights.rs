//! What is shown at one moment, and why.

use crate::rules::{Color, Pattern, Show};
use crate::sequence::Play;
use crate::signal::Signal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a lamp does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Lamp {
    /// Dark.
    #[default]
    Off,
    /// Shines.
    Steady,
    /// Shines for a moment each second.
    Flash,
    /// Shines every other half second.
    Blink,
}

impl From<Pattern> for Lamp {
    fn from(pattern: Pattern) -> Self {
        match pattern {
            Pattern::Steady => Lamp::Steady,
            Pattern::Flash => Lamp::Flash,
            Pattern::Blink => Lamp::Blink,
        }
    }
}

/// The three lamps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lamps {
    /// Somebody must look.
    pub red: Lamp,
    /// Somebody should look; blinking while a source is silent.
    pub yellow: Lamp,
    /// All is well.
    pub green: Lamp,
}

/// Something that is the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// What its source said.
    #[serde(flatten)]
    pub signal: Signal,
    /// The cluster that it is about, where several are watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What it shows.
    pub show: Show,
    /// Since when it is the case, as far as is known here.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// A beep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sound {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Whether it goes on until somebody acknowledges it.
    pub repeat: bool,
}

/// A sequence that is played instead of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Playing {
    /// Which.
    pub what: Play,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// What is shown at one moment, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lights {
    /// The lamps.
    pub lamps: Lamps,
    /// The worst that is known to be the case; green and steady if nothing is.
    pub worst: Show,
    /// Sources that should be heard of and are not; if there is one, nobody knows whether all is well.
    pub unknown: Vec<String>,
    /// The beep that was begun last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
    /// What is played instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playing: Option<Playing>,
    /// What is the case, the worst first; a few of many.
    pub reasons: Vec<Reason>,
    /// How many more are the case.
    pub more: usize,
}

impl Lights {
    /// In one word: the color, or `unknown`. Red that is known stays red.
    pub fn word(&self) -> &'static str {
        match (self.worst.color, self.unknown.is_empty()) {
            (Color::Red, _) => "red",
            (_, false) => "unknown",
            (Color::Yellow, true) => "yellow",
            (Color::Green, true) => "green",
        }
    }
}

impl Lights {
    /// Both at once: the worst of them, and what either doesn't know. `sound` is what of the other's is heard.
    pub(crate) fn beside(self, other: &Lights, sound: Option<Sound>, told: usize) -> Self {
        let worst = self.worst.max(other.worst);
        let mut unknown = self.unknown;
        unknown.extend(other.unknown.iter().cloned());
        let sound = match (self.sound, sound) {
            (Some(a), Some(b)) => Some(Sound {
                since: a.since.max(b.since),
                repeat: a.repeat || b.repeat,
            }),
            (a, b) => a.or(b),
        };
        let mut reasons = self.reasons;
        reasons.extend(other.reasons.iter().cloned());
        // Those that are as bad stay as they were: these before the others.
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.show));
        let over = reasons.len().saturating_sub(told);
        reasons.truncate(told);
        Self {
            lamps: lamps(worst, !unknown.is_empty()),
            worst,
            unknown,
            sound,
            playing: self.playing.or(other.playing),
            reasons,
            more: self.more.saturating_add(other.more).saturating_add(over),
        }
    }
}

/// Which lamps shine: the worst alone; while a source is silent yellow blinks, and green would be a lie.
pub(crate) fn lamps(worst: Show, unknown: bool) -> Lamps {
    let lamp = Lamp::from(worst.pattern);
    let mut lamps = Lamps::default();
    match worst.color {
        Color::Red => lamps.red = lamp,
        Color::Yellow => lamps.yellow = lamp,
        Color::Green => lamps.green = lamp,
    }
    if unknown {
        lamps.yellow = Lamp::Blink;
        lamps.green = Lamp::Off;
    }
    lamps
}
