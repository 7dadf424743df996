//! What all tests use.

use bramble_lights::signal::{Input, Scope, Signal, Source};
use bramble_lights::sources::{alertmanager, kubewatch};
use bramble_lights::{Lights, Rules, State, file, step};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// When the tests begin.
pub fn begin() -> Timestamp {
    "2026-03-04T05:06:07Z".parse().unwrap()
}

pub fn after(seconds: i64) -> Timestamp {
    begin() + SignedDuration::from_secs(seconds)
}

/// The default rules.
pub fn rules() -> Rules {
    Rules::default()
}

/// Rules of a file with these lines besides its head.
pub fn rules_of(lines: &str) -> Rules {
    let head = "apiVersion: bramble.dev/v1alpha1\nkind: Lights\n";
    file::load("lights.yaml", &format!("{head}{lines}")).unwrap_or_else(|p| panic!("{p}"))
}

/// Lights that hear one thing after the other.
pub struct Play {
    pub rules: Rules,
    pub state: State,
}

impl Play {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::default(),
        }
    }

    pub fn hear(&mut self, seconds: i64, input: Input) -> Lights {
        self.step(seconds, Some(input))
    }

    pub fn at(&mut self, seconds: i64) -> Lights {
        self.step(seconds, None)
    }

    fn step(&mut self, seconds: i64, input: Option<Input>) -> Lights {
        let state = std::mem::take(&mut self.state);
        let (state, lights) = step(&self.rules, state, after(seconds), input);
        self.state = state;
        lights
    }

    /// Takes in the body of a webhook.
    pub fn post(&mut self, seconds: i64, name: &str) -> Option<Lights> {
        let body = fixture(name)?;
        let inputs = match name.starts_with("alertmanager") {
            true => alertmanager::inputs(&body, after(seconds)),
            false => kubewatch::inputs(&body, after(seconds)),
        };
        for input in inputs.unwrap_or_else(|error| panic!("{name}: {error}")) {
            self.hear(seconds, input);
        }
        Some(self.at(seconds))
    }
}

pub fn node(name: &str, reason: &str) -> Signal {
    let signal = Signal::lasting(Source::Watch, "Node", reason, begin());
    signal.of("", name).severity("critical")
}

pub fn pod(name: &str, reason: &str) -> Signal {
    let signal = Signal::lasting(Source::Watch, "Pod", reason, begin());
    signal.of("default", name).severity("warning")
}

pub fn fine(signal: &Signal) -> Input {
    Input::Whole {
        scope: Scope::object(signal),
        signals: Vec::new(),
    }
}

/// The folder with bodies of webhooks; says so where it is absent.
pub fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/events");
    // A work tree may be one level deeper.
    let deeper =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/fixtures/events");
    let found = [folder, deeper].into_iter().find(|dir| dir.is_dir());
    if found.is_none() {
        eprintln!("SKIPPED: the bodies of webhooks (shared/fixtures/events) are absent");
    }
    found
}

pub fn fixture(name: &str) -> Option<Vec<u8>> {
    let path = folder()?.join(name);
    Some(std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}
