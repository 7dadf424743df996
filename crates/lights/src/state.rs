//! What is the case, and what follows from it. Nothing is queued: the lights are computed from the state, so a
//! thousand events in front of a red one delay it by nothing but themselves.

use crate::lights::{Lights, Playing, Reason, Sound, lamps};
use crate::rules::{Alive, Beep, Color, Rule, Rules, Show};
use crate::signal::{Input, Key, Scope, Signal, Source};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long something that has just happened stays if its rule doesn't say.
const PASSING: SignedDuration = SignedDuration::from_secs(10);

/// How long a color stays for conditions that had no room and would have stayed until cleared.
const NO_ROOM: SignedDuration = SignedDuration::from_mins(10);

/// Conditions that are told of.
const TOLD: usize = 20;

/// A new beep comes at the earliest so long after another one began.
const BETWEEN: SignedDuration = SignedDuration::from_secs(5);

/// Something that is the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Condition {
    signal: Signal,
    show: Show,
    beep: Beep,
    since: Timestamp,
    heard: Timestamp,
    until: Option<Timestamp>,
    acknowledged: bool,
}

impl Condition {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// What there is no room for goes first: what shows least, of that what was heard of longest ago.
    fn weight(&self) -> (Show, Timestamp) {
        (self.show, self.heard)
    }
}

/// Conditions of a source for which there was no room: they are forgotten one by one, but what they show stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Crowd {
    show: Show,
    until: Timestamp,
    count: usize,
}

/// All that is the case. Its size is bounded by [`Rules::most`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct State {
    conditions: BTreeMap<Key, Condition>,
    crowds: BTreeMap<Source, Crowd>,
    heard: BTreeMap<String, Timestamp>,
    beep: Option<Timestamp>,
    playing: Option<Playing>,
    /// What lights elsewhere show, as they said last, by their names.
    elsewhere: BTreeMap<String, Lights>,
    /// When somebody has acknowledged: older beeps elsewhere are over here, too.
    acknowledged: Option<Timestamp>,
}

/// A state as it is kept while nobody runs.
#[derive(Serialize, Deserialize)]
struct Kept {
    conditions: Vec<Condition>,
    crowds: BTreeMap<Source, Crowd>,
    heard: BTreeMap<String, Timestamp>,
}

impl From<State> for Kept {
    fn from(state: State) -> Self {
        Self {
            conditions: state.conditions.into_values().collect(),
            crowds: state.crowds,
            heard: state.heard,
        }
    }
}

impl From<Kept> for State {
    fn from(kept: Kept) -> Self {
        let keyed = kept.conditions.into_iter().map(|c| (c.signal.key(), c));
        Self {
            conditions: keyed.collect(),
            crowds: kept.crowds,
            heard: kept.heard,
            beep: None,
            playing: None,
            elsewhere: BTreeMap::new(),
            acknowledged: None,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::from(Kept {
            conditions: Vec::new(),
            crowds: BTreeMap::new(),
            heard: BTreeMap::new(),
        })
    }
}

/// One step: what is the case after an input (none: only time has passed), and what is shown then.
pub fn step(
    rules: &Rules,
    mut state: State,
    now: Timestamp,
    input: Option<Input>,
) -> (State, Lights) {
    match input {
        Some(input) => state.absorb(rules, now, input),
        None => state.forget(now),
    }
    let lights = state.lights(rules, now);
    (state, lights)
}

impl State {
    /// Takes an input in.
    pub fn absorb(&mut self, rules: &Rules, now: Timestamp, input: Input) {
        self.forget(now);
        match input {
            Input::Signal(signal) => self.signal(rules, now, signal),
            Input::Whole { scope, signals } => self.whole(rules, now, &scope, signals),
            Input::Elsewhere { whose, lights } => self.elsewhere(whose, lights.map(|l| *l)),
            Input::Alive(source) => self.heard_of(rules, now, source, None),
            Input::Acknowledge => {
                self.beep = None;
                self.acknowledged = Some(now);
                for condition in self.conditions.values_mut() {
                    condition.acknowledged = true;
                }
            }
            Input::Play(what) => self.playing = Some(Playing { what, since: now }),
        }
    }

    fn elsewhere(&mut self, whose: String, lights: Option<Lights>) {
        let Some(lights) = lights else {
            self.elsewhere.remove(&whose);
            return;
        };
        let red = |lights: &Lights| lights.worst.color == Color::Red;
        if red(&lights) && !self.elsewhere.get(&whose).is_some_and(red) {
            self.playing = None;
        }
        self.elsewhere.insert(whose, lights);
    }

    fn signal(&mut self, rules: &Rules, now: Timestamp, signal: Signal) {
        self.heard_of(rules, now, signal.source, Some(&signal.reason));
        let shown = rules.find(&signal);
        let shown = shown.and_then(|rule| Some((rule, rule.show?)));
        let Some((rule, show)) = shown else {
            // It may have been worse before.
            self.conditions.remove(&signal.key());
            return;
        };
        self.raise(rule, now, show, signal);
        self.make_room(rules.most, now);
    }

    fn whole(&mut self, rules: &Rules, now: Timestamp, scope: &Scope, signals: Vec<Signal>) {
        let named: BTreeSet<Key> = signals.iter().map(Signal::key).collect();
        // What has only happened isn't the case any more, and goes by itself.
        self.conditions.retain(|key, condition| {
            !condition.signal.lasting || !scope.holds(&condition.signal) || named.contains(key)
        });
        for signal in signals {
            self.signal(rules, now, signal);
        }
    }

    fn raise(&mut self, rule: &Rule, now: Timestamp, show: Show, signal: Signal) {
        // A source whose clock is ahead must not make anything stay longer.
        let heard = signal.at.min(now);
        let stays = rule.stays.or((!signal.lasting).then_some(PASSING));
        let condition = Condition {
            show,
            beep: rule.beep,
            since: heard,
            heard,
            until: stays.map(|stays| later(heard, stays)),
            acknowledged: false,
            signal,
        };
        if condition.is_over(now) {
            return;
        }
        let key = condition.signal.key();
        if let Some(known) = self.conditions.get_mut(&key) {
            let (since, acknowledged) = (known.since, known.acknowledged);
            let worse = show > known.show;
            *known = Condition {
                since,
                acknowledged: acknowledged && !worse,
                ..condition
            };
            if worse {
                self.begun(now, show, rule.beep);
            }
            return;
        }
        self.conditions.insert(key, condition);
        self.begun(now, show, rule.beep);
    }

    /// Something has become worse than it was.
    fn begun(&mut self, now: Timestamp, show: Show, beep: Beep) {
        if show.color == Color::Red {
            self.playing = None;
        }
        let quiet = self
            .beep
            .is_none_or(|last| now.duration_since(last) >= BETWEEN);
        if beep != Beep::Never && quiet {
            self.beep = Some(now);
        }
    }

    fn make_room(&mut self, most: usize, now: Timestamp) {
        while self.conditions.len() > most {
            let least = self.conditions.iter().min_by_key(|(_, c)| c.weight());
            let Some(key) = least.map(|(key, _)| key.clone()) else {
                return;
            };
            let Some(gone) = self.conditions.remove(&key) else {
                return;
            };
            let until = gone.until.unwrap_or(later(now, NO_ROOM));
            let crowd = self.crowds.entry(key.source).or_insert(Crowd {
                show: gone.show,
                until,
                count: 0,
            });
            crowd.show = crowd.show.max(gone.show);
            crowd.until = crowd.until.max(until);
            crowd.count = crowd.count.saturating_add(1);
        }
    }

    /// A source has said that it is there, or a signal of that reason: a source may be half blind, and still
    /// tell what it sees.
    fn heard_of(&mut self, rules: &Rules, now: Timestamp, source: Source, reason: Option<&str>) {
        let counts = |alive: &&Alive| {
            let same = match (&alive.reason, reason) {
                (Some(wanted), Some(reason)) => wanted.eq_ignore_ascii_case(reason),
                (None, None) => true,
                _ => false,
            };
            same && alive.source == source
        };
        for alive in rules.alive.iter().filter(counts) {
            self.heard.insert(alive.name(), now);
        }
    }

    /// Drops what is over.
    fn forget(&mut self, now: Timestamp) {
        self.conditions.retain(|_, c| !c.is_over(now));
        self.crowds.retain(|_, crowd| crowd.until > now);
        if self.played(now).is_none() {
            self.playing = None;
        }
    }

    fn played(&self, now: Timestamp) -> Option<Playing> {
        self.playing
            .filter(|playing| now < later(playing.since, playing.what.lasts()))
    }

    /// What is shown at a time.
    pub fn lights(&self, rules: &Rules, now: Timestamp) -> Lights {
        let mut all: Vec<(&Key, &Condition)> = self.conditions.iter().collect();
        all.retain(|(_, condition)| !condition.is_over(now));
        let crowds = self.crowds.values().filter(|crowd| crowd.until > now);
        let worst = all
            .iter()
            .map(|(_, c)| c.show)
            .chain(crowds.clone().map(|c| c.show));
        let worst = worst
            .max()
            .map_or(Show::CALM, |worst| worst.max(Show::CALM));
        let unknown: Vec<String> = silent(rules, &self.heard, now).collect();
        let repeat = |c: &Condition| c.beep == Beep::Repeat && !c.acknowledged;
        let repeat = all.iter().any(|(_, c)| repeat(c));
        let crowded: usize = crowds.map(|crowd| crowd.count).sum();
        let more = all.len().saturating_sub(TOLD).saturating_add(crowded);
        let own = Lights {
            lamps: lamps(worst, !unknown.is_empty()),
            worst,
            unknown,
            sound: self.beep.map(|since| Sound { since, repeat }),
            playing: self.played(now),
            reasons: told(all),
            more,
        };
        let heard = |sound: &Sound| self.acknowledged.is_none_or(|at| sound.since > at);
        self.elsewhere.values().fold(own, |all, lights| {
            all.beside(lights, lights.sound.filter(heard), TOLD)
        })
    }

    /// When the lights change by themselves, at the earliest; `None` = not at all.
    pub fn next(&self, rules: &Rules, now: Timestamp) -> Option<Timestamp> {
        let ends = self.conditions.values().filter_map(|c| c.until);
        let crowds = self.crowds.values().map(|crowd| crowd.until);
        let silences = rules.alive.iter().filter_map(|alive| {
            let heard = self.heard.get(&alive.name())?;
            Some(later(*heard, alive.within))
        });
        let played = self.playing.map(|p| later(p.since, p.what.lasts()));
        let all = ends.chain(crowds).chain(silences).chain(played);
        all.filter(|at| *at > now).min()
    }

    /// Takes in what was kept before; what was heard since is newer. Every source has its time anew.
    pub fn revive(&mut self, kept: State, rules: &Rules, now: Timestamp) {
        for (key, condition) in kept.conditions {
            self.conditions.entry(key).or_insert(condition);
        }
        for (source, crowd) in kept.crowds {
            self.crowds.entry(source).or_insert(crowd);
        }
        for name in kept.heard.into_keys() {
            self.heard.entry(name).or_insert(now);
        }
        self.revise(rules, now);
    }

    /// By other rules than before: conditions show what they show now.
    pub fn revise(&mut self, rules: &Rules, now: Timestamp) {
        self.heard
            .retain(|name, _| rules.alive.iter().any(|alive| alive.name() == *name));
        self.conditions.retain(|_, condition| {
            let Some(rule) = rules.find(&condition.signal) else {
                return false;
            };
            let stays = rule
                .stays
                .or((!condition.signal.lasting).then_some(PASSING));
            condition.until = stays.map(|stays| later(condition.heard, stays));
            condition.beep = rule.beep;
            if let Some(show) = rule.show {
                condition.show = show;
            }
            rule.show.is_some()
        });
        self.forget(now);
        self.make_room(rules.most, now);
    }

    /// Conditions that are known one by one.
    pub fn len(&self) -> usize {
        self.conditions.len()
    }

    /// Whether nothing is the case.
    pub fn is_empty(&self) -> bool {
        let calm = |lights: &Lights| lights.reasons.is_empty() && lights.more == 0;
        self.conditions.is_empty() && self.crowds.is_empty() && self.elsewhere.values().all(calm)
    }
}

/// Sources that should have been heard of.
fn silent<'a>(
    rules: &'a Rules,
    heard: &'a BTreeMap<String, Timestamp>,
    now: Timestamp,
) -> impl Iterator<Item = String> + 'a {
    rules.alive.iter().filter_map(move |alive| {
        let name = alive.name();
        let silent = match heard.get(&name) {
            Some(heard) => now.duration_since(*heard) >= alive.within,
            None => alive.always,
        };
        silent.then_some(name)
    })
}

/// The worst first, of the same the newest.
fn told<'a>(mut all: Vec<(&'a Key, &'a Condition)>) -> Vec<Reason> {
    let order = |(a, x): &(&'a Key, &'a Condition), (b, y): &(&'a Key, &'a Condition)| {
        let worse = (y.show, y.since).cmp(&(x.show, x.since));
        worse.then_with(|| a.cmp(b))
    };
    if all.len() > TOLD {
        all.select_nth_unstable_by(TOLD, order);
        all.truncate(TOLD);
    }
    all.sort_by(order);
    let reason = |c: &Condition| Reason {
        signal: c.signal.clone(),
        cluster: None,
        show: c.show,
        since: c.since,
    };
    all.into_iter().map(|(_, c)| reason(c)).collect()
}

/// A time that long after another one, or the last one that there is.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
