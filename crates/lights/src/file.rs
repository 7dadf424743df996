//! The table as it is written: YAML or JSON, checked against a schema.

mod written;

use crate::board::{Board, Contact, HeadPins, Pin};
use crate::button::{Action, Actions, Verb};
use crate::frame::Frame;
use crate::rules::{Alive, Beep, Pattern, Rule, Rules, Show, Words};
use crate::signal::Source;
use bramble_spec::{Document, Problems, Seg, duration};
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use written::{File, Globs, Light};

/// The table that is used where nothing else is said, as a file.
pub const DEFAULT: &str = include_str!("default.yaml");

/// The `apiVersion` of the file.
pub const API_VERSION: &str = "bramble.dev/v1alpha1";

/// The `kind` of the file.
pub const KIND: &str = "Lights";

/// Conditions kept where the file doesn't say.
const MOST: usize = 1000;

/// The JSON schema of the file (draft 2020-12).
pub fn schema() -> Value {
    shared().clone()
}

fn shared() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(bramble_spec::schema_of::<File>)
}

/// Reads a file. `name` is for messages only.
///
/// # Errors
/// Every mistake, with its place and what to write instead.
pub fn load(name: &str, text: &str) -> Result<Rules, Problems> {
    let own = read(name, text)?;
    if !own.defaults {
        return Ok(own.rules);
    }
    let base = Rules::default();
    let mut rules = own.rules;
    rules.table.extend(base.table);
    if !own.says_alive {
        rules.alive = base.alive;
    }
    Ok(rules)
}

impl Default for Rules {
    /// The default table.
    fn default() -> Self {
        match read("the default rules", DEFAULT) {
            Ok(read) => read.rules,
            Err(problems) => unreachable!("a test reads them: {problems}"),
        }
    }
}

struct Read {
    rules: Rules,
    /// Whether the default rules come behind these.
    defaults: bool,
    says_alive: bool,
}

macro_rules! path {
    ($($seg:expr),* $(,)?) => { &[$(Seg::from($seg)),*] };
}

type Draft = Document<File>;

fn read(name: &str, text: &str) -> Result<Read, Problems> {
    let mut draft = Draft::read(name, text, shared())?;
    let file = draft.it.clone();
    for (key, has, wants) in [
        ("apiVersion", &file.api_version, API_VERSION),
        ("kind", &file.kind, KIND),
    ] {
        if has != wants {
            let hint = format!("write `{key}: {wants}`");
            draft.wrong(path![key], "not-lights", "is that of another file", &hint);
        }
    }
    let table = table(&mut draft, &file);
    let alive = alive(&mut draft, &file);
    let rules = Rules {
        table,
        alive,
        most: file.most.map_or(MOST, |most| most as usize),
        board: board(&mut draft, &file),
        button: button(&mut draft, &file),
    };
    draft.done(Read {
        rules,
        defaults: file.defaults.unwrap_or(true),
        says_alive: file.alive.is_some(),
    })
}

fn table(draft: &mut Draft, file: &File) -> Vec<Rule> {
    let mut out = Vec::new();
    for (i, rule) in file.rules.iter().flatten().enumerate() {
        let source = words(&rule.source);
        for word in &source.0 {
            let fits = |source: &Source| crate::glob::fits(word, source.as_str());
            if !Source::ALL.iter().any(fits) {
                let path = path!["rules", i, "source"];
                let hint = format!("known are: {}", sources());
                draft.wrong(path, "unknown-source", "fits no source", &hint);
            }
        }
        let color = rule.light.color();
        for (key, written) in [
            ("pattern", rule.pattern.is_some()),
            ("beep", rule.beep.is_some()),
            ("for", rule.stays.is_some()),
        ] {
            if written && color.is_none() {
                let path = path!["rules", i, key];
                let hint = "remove it, or give the rule a `light`";
                draft.wrong(path, "no-light", "has no effect without a light", hint);
            }
        }
        let show = color.map(|color| Show {
            color,
            pattern: rule.pattern.unwrap_or(Pattern::Steady),
        });
        out.push(Rule {
            source,
            kind: words(&rule.kind),
            reason: words(&rule.reason),
            namespace: words(&rule.namespace),
            name: words(&rule.name),
            severity: words(&rule.severity),
            show,
            beep: rule.beep.unwrap_or(Beep::Never),
            stays: rule
                .stays
                .as_ref()
                .and_then(|text| length(draft, path!["rules", i, "for"], text)),
        });
    }
    out
}

fn words(globs: &Option<Globs>) -> Words {
    Words(match globs {
        None => Vec::new(),
        Some(Globs::One(word)) => vec![word.clone()],
        Some(Globs::Many(words)) => words.clone(),
    })
}

fn sources() -> String {
    let names: Vec<&str> = Source::ALL.iter().map(|s| s.as_str()).collect();
    names.join(", ")
}

fn length(draft: &mut Draft, path: &[Seg], text: &str) -> Option<SignedDuration> {
    let length = duration(text).and_then(|d| SignedDuration::try_from(d).ok());
    if length.is_none() {
        let hint = "write a number and its unit: 90s, 5m, 1h, 7d";
        draft.wrong(path, "not-a-time", "is no length of time", hint);
    }
    length
}

fn alive(draft: &mut Draft, file: &File) -> Vec<Alive> {
    let mut out: Vec<Alive> = Vec::new();
    for (i, entry) in file.alive.iter().flatten().enumerate() {
        let Some(within) = length(draft, path!["alive", i, "within"], &entry.within) else {
            continue;
        };
        let alive = Alive {
            source: entry.source,
            reason: entry.reason.clone(),
            within,
            always: entry.always.unwrap_or(false),
        };
        if out.iter().any(|known| known.name() == alive.name()) {
            let hint = "remove one of the two";
            draft.wrong(
                path!["alive", i],
                "twice",
                "stands here a second time",
                hint,
            );
        }
        out.push(alive);
    }
    out
}

fn board(draft: &mut Draft, file: &File) -> Board {
    let base = Board::default();
    let Some(board) = &file.board else {
        return base;
    };
    let heads: Vec<HeadPins> = match &board.heads {
        None => base.heads,
        Some(heads) => heads.iter().map(|head| head.pins()).collect(),
    };
    if heads.len() > Frame::HEADS {
        let hint = "drive at most four traffic lights; further ones can share their lines";
        draft.wrong(path!["board", "heads"], "too-many", "has too many", hint);
    }
    let pressed = |button: &written::Button| Contact {
        pin: Pin {
            line: button.line,
            active_low: button.active_low.unwrap_or(true),
        },
        debounce: Duration::from_millis(u64::from(button.debounce.unwrap_or(30))),
    };
    // Who says where the lamps are has another board than the default one.
    let other = board.heads.is_some();
    let made = Board {
        chip: board
            .chip
            .as_ref()
            .map_or(base.chip, |c| Path::new(c).into()),
        heads,
        buzzer: match &board.buzzer {
            Some(pin) => Some(pin.pin()),
            None => base.buzzer.filter(|_| !other),
        },
        button: match &board.button {
            Some(button) => Some(pressed(button)),
            None => base.button.filter(|_| !other),
        },
    };
    let mut seen = BTreeSet::new();
    let lines = made.outputs().chain(made.button.map(|b| b.pin));
    if let Some(twice) = lines.map(|pin| pin.line).find(|line| !seen.insert(*line)) {
        let said = format!("uses line {twice} twice");
        let hint = "give each lamp, the beeper and the button a line of its own";
        draft.wrong(path!["board"], "line-twice", &said, hint);
    }
    made
}

fn button(draft: &mut Draft, file: &File) -> Actions {
    let base = Actions::default();
    let Some(button) = &file.button else {
        return base;
    };
    let mut list = |key: &str, texts: &Option<Vec<String>>, base: Vec<Action>| {
        let Some(texts) = texts else { return base };
        let mut out = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            let path = path!["button", key, i];
            match Action::of(text) {
                None => {
                    let hint =
                        "known are: acknowledge, self-test, show, run up CLUSTER, run down CLUSTER";
                    draft.wrong(path, "unknown-action", "is no action", hint);
                }
                Some(Action::Run(Verb::Down, _)) if key == "press" => {
                    let hint = "put it under `hold`: a cluster is not lost by a touch";
                    draft.wrong(path, "too-easy", "takes a cluster down", hint);
                }
                Some(action) => out.push(action),
            }
        }
        out
    };
    Actions {
        press: list("press", &button.press, base.press),
        hold: list("hold", &button.hold, base.hold),
    }
}

impl Light {
    fn color(self) -> Option<crate::rules::Color> {
        use crate::rules::Color;
        match self {
            Light::Red => Some(Color::Red),
            Light::Yellow => Some(Color::Yellow),
            Light::Green => Some(Color::Green),
            Light::None => None,
        }
    }
}
