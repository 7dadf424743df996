//! The file as it is written: nothing filled in. The comments are the schema's descriptions.

use crate::board::{HeadPins, Pin};
use crate::rules::{Beep, Pattern};
use crate::signal::Source;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a traffic light shows, and where its lamps are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Bramble lights file")]
pub struct File {
    /// Version of this file's format: `bramble.dev/v1alpha1`.
    #[schemars(extend("const" = super::API_VERSION))]
    pub api_version: String,
    /// What the file describes: `Lights`.
    #[schemars(extend("const" = super::KIND))]
    pub kind: String,
    /// Rules, from the top: the first one that fits counts.
    #[serde(default)]
    pub rules: Option<Vec<Rule>>,
    /// Whether the default rules come behind these. Default: true.
    #[serde(default)]
    pub defaults: Option<bool>,
    /// Sources that must be heard of again and again. Default: those of the default rules.
    #[serde(default)]
    pub alive: Option<Vec<Alive>>,
    /// Conditions kept at most. Default: 1000.
    #[serde(default)]
    #[schemars(range(min = 10, max = 100_000))]
    pub most: Option<u32>,
    /// Where lamps, beeper and button are. Default: the PiTraffic on a Raspberry Pi.
    #[serde(default)]
    pub board: Option<Board>,
    /// What the button on the traffic light does.
    #[serde(default)]
    pub button: Option<Actions>,
}

/// What a signal shows. A word may have `*` and `?`; upper and lower case are the same.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Who says it: watch, kubewatch, alertmanager, bramble. Default: anybody.
    #[serde(default)]
    pub source: Option<Globs>,
    /// Kind of the object: Node, Pod, Alert, Run, ... Default: any.
    #[serde(default)]
    pub kind: Option<Globs>,
    /// What is the case: NotReady, CrashLoopBackOff, an alert's name, ... Default: anything.
    #[serde(default)]
    pub reason: Option<Globs>,
    /// Namespace of the object. Default: any.
    #[serde(default)]
    pub namespace: Option<Globs>,
    /// Name of the object. Default: any.
    #[serde(default)]
    pub name: Option<Globs>,
    /// How bad it is by the word of its source: critical, warning, info, ... Default: any.
    #[serde(default)]
    pub severity: Option<Globs>,
    /// The lamp: red, yellow, green; `none` = nothing is shown.
    pub light: Light,
    /// How it shines: steady, flash, blink. Default: steady.
    #[serde(default)]
    pub pattern: Option<Pattern>,
    /// Whether it beeps: never, once, or repeat until somebody acknowledges it. Default: never.
    #[serde(default)]
    pub beep: Option<Beep>,
    /// How long it stays after it was last heard of, such as 90s, 5m, 1h. Default: until it is cleared; what has
    /// only happened stays for 10s.
    #[serde(default, rename = "for")]
    pub stays: Option<String>,
}

/// One word or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Globs {
    /// One.
    One(String),
    /// Any of them.
    Many(Vec<String>),
}

/// A lamp.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Light {
    /// Somebody must look.
    Red,
    /// Somebody should look.
    Yellow,
    /// All is well.
    Green,
    /// Nothing is shown.
    None,
}

/// A source that must be heard of again and again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alive {
    /// Which source.
    pub source: Source,
    /// The reason of the signals that count, such as Watchdog. Default: anything that it says.
    #[serde(default)]
    pub reason: Option<String>,
    /// How long it may be silent, such as 90s, 5m.
    pub within: String,
    /// Whether it is missed before it was ever heard of. Default: false.
    #[serde(default)]
    pub always: Option<bool>,
}

/// Where lamps, beeper and button are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Board {
    /// The GPIO chip. Default: /dev/gpiochip0.
    #[serde(default)]
    pub chip: Option<String>,
    /// Traffic lights, at most four. Default: the PiTraffic's.
    #[serde(default)]
    pub heads: Option<Vec<Head>>,
    /// The beeper's line.
    #[serde(default)]
    pub buzzer: Option<Line>,
    /// The button.
    #[serde(default)]
    pub button: Option<Button>,
}

/// A traffic light: the lines of its lamps.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// Red.
    red: Line,
    /// Yellow.
    yellow: Line,
    /// Green.
    green: Line,
}

impl Head {
    pub(super) fn pins(&self) -> HeadPins {
        HeadPins {
            red: self.red.pin(),
            yellow: self.yellow.pin(),
            green: self.green.pin(),
        }
    }
}

/// A line of the chip: its number, or a section that says more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Line {
    /// A line where high is on. On a Raspberry Pi: the BCM number.
    Number(u32),
    /// A line and what is on.
    Said(Said),
}

/// A line and what is on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Said {
    /// Its number on the chip.
    line: u32,
    /// Whether low is on. Default: false.
    #[serde(default)]
    active_low: Option<bool>,
}

impl Line {
    pub(super) fn pin(&self) -> Pin {
        match self {
            Line::Number(line) => Pin::high(*line),
            Line::Said(said) => Pin {
                line: said.line,
                active_low: said.active_low.unwrap_or(false),
            },
        }
    }
}

/// The button's line.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Button {
    /// Its number on the chip.
    pub line: u32,
    /// Whether low is pressed. Default: true.
    #[serde(default)]
    pub active_low: Option<bool>,
    /// Milliseconds that it must be quiet before it counts. Default: 30.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub debounce: Option<u32>,
}

/// What the button does: `acknowledge`, `self-test`, `show`, `run up CLUSTER`; under `hold` also `run down CLUSTER`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Actions {
    /// A short press. Default: acknowledge.
    #[serde(default)]
    pub press: Option<Vec<String>>,
    /// Two seconds or longer. Default: self-test.
    #[serde(default)]
    pub hold: Option<Vec<String>>,
}
