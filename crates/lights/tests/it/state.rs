//! The state: worst wins, what is cleared or expired goes, silence is unknown.

use crate::common::{Play, after, begin, fine, node, pod, rules, rules_of};
use bramble_lights::rules::{Color, Pattern, Show};
use bramble_lights::sequence::Play as Sequence;
use bramble_lights::signal::{Input, Scope, Signal, Source};
use bramble_lights::{Lamp, State, step};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn the_worst_wins_and_goes_when_it_is_cleared() {
    let mut play = Play::new(rules());
    assert_eq!(play.at(0).lamps.green, Lamp::Steady);
    let bad = pod("web", "CrashLoopBackOff");
    assert_eq!(play.hear(1, Input::Signal(bad.clone())).word(), "yellow");
    let worse = node("one", "NotReady");
    let lights = play.hear(2, Input::Signal(worse.clone()));
    assert_eq!(lights.lamps.red, Lamp::Steady);
    assert_eq!(lights.lamps.yellow, Lamp::Off, "one color at a time");
    assert_eq!(lights.reasons[0].signal, worse, "the worst is told first");
    assert_eq!(play.at(100_000).word(), "red", "it lasts");
    assert_eq!(play.hear(100_001, fine(&worse)).word(), "yellow");
    assert_eq!(play.hear(100_002, fine(&bad)).word(), "green");
}

#[test]
fn what_happens_is_over_after_its_time() {
    let rules = rules_of(
        "defaults: false\nrules:\n  - { reason: Created, light: green, pattern: flash, for: 3s }\n  - { light: yellow }\n",
    );
    let mut play = Play::new(rules.clone());
    let created = Signal::passing(Source::Kubewatch, "Pod", "Created", begin());
    let lights = play.hear(0, Input::Signal(created));
    assert_eq!(lights.lamps.green, Lamp::Flash);
    assert_eq!(play.state.next(&rules, after(0)), Some(after(3)));
    assert_eq!(play.at(2).lamps.green, Lamp::Flash);
    assert_eq!(play.at(3).lamps.green, Lamp::Steady);
    let other = Signal::passing(Source::Kubewatch, "Pod", "Else", after(10));
    assert_eq!(play.hear(10, Input::Signal(other)).word(), "yellow");
    assert_eq!(play.at(20).word(), "green", "it only happened");
}

#[test]
fn a_source_whose_clock_is_ahead_keeps_nothing_longer() {
    let mut play = Play::new(rules_of("rules: [{ light: red, for: 1m }]"));
    let ahead = Signal::passing(Source::Kubewatch, "Pod", "X", after(3600));
    assert_eq!(play.hear(0, Input::Signal(ahead)).word(), "red");
    assert_eq!(play.at(60).word(), "green");
}

#[test]
fn silence_is_unknown_within_the_limit_and_by_time_alone() {
    let mut play = Play::new(rules_of("alive: [{ source: watch, within: 30s }]"));
    assert_eq!(
        play.at(1000).word(),
        "green",
        "never heard of, so not missed"
    );
    play.hear(1000, Input::Alive(Source::Watch));
    assert_eq!(play.at(1029).word(), "green");
    assert_eq!(play.state.next(&play.rules, after(1029)), Some(after(1030)));
    let lights = play.at(1030);
    assert_eq!(
        (lights.word(), lights.lamps.yellow),
        ("unknown", Lamp::Blink)
    );
    assert_eq!(lights.lamps.green, Lamp::Off, "green would be a lie");
    assert_eq!(lights.unknown, ["watch"]);
    // Red that is known from elsewhere stays red.
    let lights = play.hear(1031, Input::Signal(node("one", "NotReady")));
    assert_eq!((lights.word(), lights.lamps.red), ("red", Lamp::Steady));
    assert_eq!(lights.lamps.yellow, Lamp::Blink);
    assert_eq!(
        play.hear(1032, Input::Alive(Source::Watch)).unknown,
        [""; 0]
    );
}

#[test]
fn a_source_that_must_be_there_is_missed_from_the_start() {
    let lines = "alive: [{ source: watch, within: 30s, always: true }]";
    let mut play = Play::new(rules_of(lines));
    assert_eq!(play.at(0).word(), "unknown");
    assert_eq!(play.hear(1, Input::Alive(Source::Watch)).word(), "green");
}

#[test]
fn a_source_that_is_half_blind_does_not_count_as_heard_of() {
    let mut play = Play::new(rules_of("alive: [{ source: watch, within: 30s }]"));
    play.hear(0, Input::Alive(Source::Watch));
    play.hear(29, Input::Signal(pod("web", "CrashLoopBackOff")));
    assert_eq!(play.at(30).unknown, ["watch"]);
}

#[test]
fn a_watchdog_that_is_missing_is_the_alarm() {
    let mut play = Play::new(rules());
    if play.post(0, "alertmanager-v4-watchdog.json").is_none() {
        return;
    }
    // Other alerts of the same Alertmanager are no sign that all of it works.
    play.post(800, "alertmanager-v4-resolved.json");
    assert_eq!(play.at(899).word(), "green");
    assert_eq!(play.at(900).unknown, ["alertmanager Watchdog"]);
    let back = play.post(1000, "alertmanager-v4-watchdog.json").unwrap();
    assert_eq!(back.word(), "green");
}

#[test]
fn a_list_clears_what_is_not_on_it() {
    let mut play = Play::new(rules());
    for name in ["one", "two"] {
        play.hear(0, Input::Signal(node(name, "NotReady")));
    }
    play.hear(0, Input::Signal(pod("web", "CrashLoopBackOff")));
    let scope = Scope::Kind {
        source: Source::Watch,
        kind: "Node".into(),
    };
    let signals = vec![node("two", "NotReady")];
    let lights = play.hear(5, Input::Whole { scope, signals });
    let names: Vec<_> = lights.reasons.iter().map(|r| &*r.signal.name).collect();
    assert_eq!(names, ["two", "web"]);
    assert_eq!(
        lights.reasons[0].since,
        after(0),
        "it is the same as before"
    );
}

#[test]
fn beeps_come_once_or_until_somebody_acknowledges() {
    let lines = "defaults: false\nrules:\n  - { name: a, light: red, beep: repeat }\n  - { name: b, light: red, beep: once }\n";
    let mut play = Play::new(rules_of(lines));
    let named = |name: &str| Input::Signal(node(name, "NotReady"));
    let sound = play.hear(0, named("b")).sound.unwrap();
    assert_eq!((sound.since, sound.repeat), (after(0), false));
    // The same again is no new beep.
    assert_eq!(play.hear(20, named("b")).sound.unwrap().since, after(0));
    let sound = play.hear(30, named("a")).sound.unwrap();
    assert_eq!((sound.since, sound.repeat), (after(30), true));
    let lights = play.hear(40, Input::Acknowledge);
    assert_eq!((lights.sound, lights.word()), (None, "red"));
    assert_eq!(play.hear(50, named("a")).sound, None, "it was acknowledged");
    assert_eq!(play.hear(60, named("c")).sound, None, "no rule is for it");
    play.hear(61, fine(&node("a", "")));
    assert!(play.hear(62, named("a")).sound.is_some(), "it came anew");
}

#[test]
fn a_test_is_played_and_red_interrupts_it() {
    let mut play = Play::new(rules());
    let lights = play.hear(0, Input::Play(Sequence::SelfTest));
    assert_eq!(lights.playing.unwrap().what, Sequence::SelfTest);
    assert!(play.at(17).playing.is_some());
    assert!(play.at(18).playing.is_none(), "it takes 17.2 s");
    play.hear(20, Input::Play(Sequence::Show));
    play.hear(21, Input::Signal(pod("web", "CrashLoopBackOff")));
    assert!(play.at(21).playing.is_some());
    let lights = play.hear(22, Input::Signal(node("one", "NotReady")));
    assert_eq!((lights.playing, lights.lamps.red), (None, Lamp::Steady));
}

#[test]
fn what_was_kept_goes_on_by_the_rules_of_now() {
    let mut play = Play::new(rules());
    play.hear(0, Input::Alive(Source::Watch));
    play.hear(0, Input::Signal(node("one", "NotReady")));
    play.hear(0, Input::Signal(pod("web", "CrashLoopBackOff")));
    let text = serde_json::to_string(&play.state).unwrap();
    let read: State = serde_json::from_str(&text).unwrap();
    let other = rules_of(
        "rules: [{ kind: Node, light: yellow, pattern: blink, for: 1h }, { kind: Pod, light: none }]",
    );
    // Something was heard before what was kept was read.
    let mut kept = Play::new(other.clone());
    kept.hear(599, Input::Signal(node("two", "NotReady")));
    let mut kept = kept.state;
    kept.revive(read, &other, after(600));
    let lights = kept.lights(&other, after(600));
    assert_eq!(lights.lamps.yellow, Lamp::Blink);
    assert_eq!(
        (lights.reasons.len(), lights.unknown.len()),
        (2, 0),
        "sources have their time anew"
    );
    assert_eq!(kept.lights(&other, after(3600)).unknown, ["watch"]);
    assert!(kept.lights(&other, after(3600)).reasons.is_empty());
}

#[test]
fn other_rules_make_nobody_alive() {
    let mut play = Play::new(rules_of("alive: [{ source: watch, within: 30s }]"));
    play.hear(0, Input::Alive(Source::Watch));
    assert_eq!(play.at(30).word(), "unknown");
    play.rules = rules_of("most: 20\nalive: [{ source: watch, within: 30s }]");
    play.state.revise(&play.rules, after(31));
    assert_eq!(play.at(31).word(), "unknown");
}

#[test]
fn what_becomes_harmless_is_shown_no_more() {
    let mut play = Play::new(rules());
    let alert = |severity| {
        let signal = Signal::lasting(Source::Alertmanager, "Alert", "Down", begin());
        Input::Signal(signal.id("1").severity(severity))
    };
    assert_eq!(play.hear(0, alert("critical")).word(), "red");
    assert_eq!(play.hear(1, alert("warning")).word(), "yellow");
    assert_eq!(play.hear(2, alert("critical")).word(), "red");
    assert_eq!(play.hear(3, alert("info")).word(), "green");
}

#[test]
fn red_outlives_a_flood_even_where_it_has_no_room() {
    let mut play = Play::new(rules_of(
        "most: 10\nrules:\n  - { reason: Yellow, light: yellow }\n",
    ));
    play.hear(0, Input::Signal(node("one", "NotReady")));
    for i in 0..1000 {
        play.hear(1, Input::Signal(pod(&format!("p{i}"), "Yellow")));
    }
    let lights = play.at(2);
    assert_eq!((lights.word(), play.state.len()), ("red", 10));
    assert_eq!(lights.reasons.len() + lights.more, 1001);
    // As many reds as don't fit: when those that are known have gone, the others are still there.
    for i in 0..20 {
        play.hear(3, Input::Signal(node(&format!("n{i}"), "NotReady")));
    }
    play.hear(4, fine(&node("one", "")));
    for i in 0..20 {
        play.hear(4, fine(&node(&format!("n{i}"), "")));
    }
    assert_eq!(
        play.at(5).word(),
        "red",
        "somebody of the crowd may still be red"
    );
    assert_eq!(play.at(1000).word(), "green");
}

/// Inputs over a small world, so that things meet.
fn input() -> impl Strategy<Value = Input> {
    let signal = (0..4u8, 0..3usize, any::<bool>()).prop_map(|(object, reason, lasting)| {
        let reason = ["Red", "Yellow", "Green"][reason];
        let signal = Signal::passing(Source::Watch, "Node", reason, begin());
        Signal {
            lasting,
            at: after(1_000_000),
            ..signal.of("", &object.to_string())
        }
    });
    prop_oneof![
        8 => signal.prop_map(Input::Signal),
        3 => (0..4u8).prop_map(|object| fine(&node(&object.to_string(), ""))),
        1 => Just(Input::Alive(Source::Watch)),
        1 => Just(Input::Acknowledge),
        1 => Just(Input::Play(Sequence::Show)),
    ]
}

const WORLD: &str = "defaults: false
alive: [{ source: watch, within: 60s }]
rules:
  - { reason: Red, light: red, beep: repeat, for: 40s }
  - { reason: Yellow, light: yellow, pattern: blink }
  - { reason: Green, light: green, pattern: flash, for: 5s }
";

/// What is the case, kept by the definition: what shows, and until when.
#[derive(Default)]
struct Model(BTreeMap<(String, String), (Show, i64, bool)>);

impl Model {
    fn hear(&mut self, now: i64, input: &Input) {
        self.0.retain(|_, (_, until, _)| *until > now);
        match input {
            Input::Signal(signal) => {
                let (color, pattern, stays) = match &*signal.reason {
                    "Red" => (Color::Red, Pattern::Steady, 40),
                    "Yellow" if signal.lasting => (Color::Yellow, Pattern::Blink, i64::MAX / 2),
                    "Yellow" => (Color::Yellow, Pattern::Blink, 10),
                    _ => (Color::Green, Pattern::Flash, 5),
                };
                let key = (signal.name.clone(), signal.reason.clone());
                let show = Show { color, pattern };
                self.0.insert(key, (show, now + stays, signal.lasting));
            }
            Input::Whole {
                scope: Scope::Object { name, .. },
                ..
            } => {
                self.0
                    .retain(|(n, _), (_, _, lasting)| n != name || !*lasting);
            }
            _ => {}
        }
    }

    fn worst(&self, now: i64) -> Option<Show> {
        let alive = self.0.values().filter(|(_, until, _)| *until > now);
        alive.map(|(show, ..)| *show).max()
    }
}

proptest! {
    #[test]
    fn the_lights_are_the_worst_that_is_the_case(
        steps in prop::collection::vec((0..15i64, prop::option::weighted(0.9, input())), 1..80)
    ) {
        let mut play = Play::new(rules_of(WORLD));
        let (mut now, mut model, mut heard) = (0, Model::default(), None);
        for (passed, input) in steps {
            now += passed;
            let lights = match input {
                Some(input) => {
                    model.hear(now, &input);
                    if input == Input::Alive(Source::Watch) {
                        heard = Some(now);
                    }
                    play.hear(now, input)
                }
                None => play.at(now),
            };
            let calm = Show { color: Color::Green, pattern: Pattern::Steady };
            prop_assert_eq!(lights.worst, model.worst(now).unwrap_or(calm).max(calm));
            let silent = heard.is_some_and(|heard| now - heard >= 60);
            prop_assert_eq!(!lights.unknown.is_empty(), silent);
            // Exactly one color, or red beside the yellow that says that nobody knows.
            let lamps = [lights.lamps.red, lights.lamps.yellow, lights.lamps.green];
            let on = lamps.iter().filter(|lamp| **lamp != Lamp::Off).count();
            prop_assert!(on == 1 || (on == 2 && silent && lights.word() == "red"));
            prop_assert!(!silent || lights.lamps.green == Lamp::Off);
        }
    }

    #[test]
    fn nothing_changes_before_the_time_that_is_told(
        steps in prop::collection::vec((0..15i64, input()), 1..40)
    ) {
        let mut play = Play::new(rules_of(WORLD));
        let mut now = 0;
        for (passed, input) in steps {
            now += passed;
            let lights = play.hear(now, input);
            let next = play.state.next(&play.rules, after(now));
            let until = next.map_or(now + 1000, |at| at.duration_since(begin()).as_secs());
            prop_assert!(until > now);
            for at in [now, (now + until) / 2, until - 1] {
                prop_assert_eq!(&play.state.lights(&play.rules, after(at)), &lights);
            }
        }
    }

    #[test]
    fn memory_is_bounded_and_the_worst_is_never_dropped(
        signals in prop::collection::vec((0..200u32, 0..3usize), 1..200)
    ) {
        let mut rules = rules_of(WORLD);
        rules.most = 10;
        let mut state = State::default();
        let mut worst = None;
        for (name, reason) in signals {
            let reason = ["Red", "Yellow", "Green"][reason];
            let signal = Signal::lasting(Source::Watch, "Node", reason, begin());
            let show = match reason {
                "Red" => Color::Red,
                "Yellow" => Color::Yellow,
                _ => Color::Green,
            };
            worst = worst.max(Some(show));
            let signal = signal.of("", &name.to_string());
            let (next, lights) = step(&rules, state, begin(), Some(Input::Signal(signal)));
            state = next;
            prop_assert!(state.len() <= 10);
            prop_assert_eq!(Some(lights.worst.color), worst);
        }
    }
}
