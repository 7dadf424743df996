//! The lights of a daemon, followed.

use crate::common::{Play, after, begin, node, pod, rules, rules_of};
use bramble_lights::outputs::{message::Shown, terminal};
use bramble_lights::sequence::Play as Sequence;
use bramble_lights::signal::{Input, Source};
use bramble_lights::sources::daemon;
use bramble_lights::{Lamp, Lights};
use jiff::SignedDuration;

/// Lights that hear what a daemon says.
fn follow(here: &mut Play, lights: &Lights, at: i64) -> Lights {
    here.hear(at, Input::Alive(Source::Daemon));
    here.hear(at, daemon::input(&said(lights, at), after(at)).unwrap())
}

/// What a daemon says of its lights.
fn said(lights: &Lights, at: i64) -> String {
    serde_json::to_string(&Shown::of(lights, after(at))).unwrap()
}

#[test]
fn what_it_shows_is_shown() {
    let mut there = Play::new(rules());
    let lights = there.hear(0, Input::Signal(node("one", "NotReady")));
    let mut here = Play::new(rules_of("rules: [{ kind: Node, light: none }]"));
    let shown = follow(&mut here, &lights, 0);
    // By the daemon's rules, not by those of who follows.
    assert_eq!(shown, lights);
    let calm = there.hear(
        1,
        Input::Whole {
            scope: bramble_lights::signal::Scope::object(&node("one", "NotReady")),
            signals: Vec::new(),
        },
    );
    let shown = follow(&mut here, &calm, 1);
    assert_eq!(shown.word(), "green");
}

#[test]
fn a_daemon_s_clock_may_be_another() {
    let mut there = Play::new(rules());
    there.hear(0, Input::Signal(node("one", "NotReady")));
    let lights = there.hear(1, Input::Play(Sequence::SelfTest));
    assert!(lights.sound.is_some());
    let day = SignedDuration::from_hours(24);
    let Input::Elsewhere {
        lights: Some(heard),
        ..
    } = daemon::input(&said(&lights, 3), after(3) + day).unwrap()
    else {
        panic!("lights are said");
    };
    assert_eq!(heard.sound.unwrap().since, begin() + day);
    assert_eq!(heard.playing.unwrap().since, after(1) + day);
}

#[test]
fn one_that_is_silent_is_unknown_and_what_was_red_stays_so() {
    let mut there = Play::new(rules());
    let green = there.at(0);
    let red = there.hear(0, Input::Signal(node("one", "NotReady")));
    let mut here = Play::new(rules());
    follow(&mut here, &green, 0);
    assert_eq!(here.at(19).word(), "green");
    // That it is there is enough.
    here.hear(19, Input::Alive(Source::Daemon));
    assert_eq!(here.at(38).word(), "green");
    let lights = here.at(39);
    assert_eq!(
        (lights.word(), &*lights.unknown),
        ("unknown", &["daemon".to_owned()][..])
    );
    follow(&mut here, &red, 40);
    assert_eq!(here.at(59).lamps.yellow, Lamp::Off);
    let lights = here.at(60);
    assert_eq!(
        (lights.lamps.red, lights.lamps.yellow),
        (Lamp::Steady, Lamp::Blink)
    );
}

#[test]
fn the_worst_of_both_wins_and_silence_is_for_both() {
    let mut there = Play::new(rules());
    let mut lights = there.hear(0, Input::Signal(pod("web", "CrashLoopBackOff")));
    lights.unknown.push("alertmanager Watchdog".into());
    let mut here = Play::new(rules());
    here.hear(0, Input::Signal(node("one", "NotReady")));
    let both = follow(&mut here, &lights, 0);
    let names: Vec<&str> = both.reasons.iter().map(|r| &*r.signal.name).collect();
    assert_eq!((both.word(), &*names), ("red", &["one", "web"][..]));
    assert_eq!(both.unknown, ["alertmanager Watchdog"]);
    for i in 0..30 {
        here.hear(0, Input::Signal(node(&format!("n{i}"), "NotReady")));
    }
    let both = here.at(0);
    assert_eq!((both.reasons.len(), both.more), (20, 12));
}

#[test]
fn acknowledging_silences_it_here() {
    let mut there = Play::new(rules_of(
        "rules: [{ kind: Node, light: red, beep: repeat }]",
    ));
    let lights = there.hear(0, Input::Signal(node("one", "NotReady")));
    let mut here = Play::new(rules());
    let shown = follow(&mut here, &lights, 0);
    assert!(shown.sound.unwrap().repeat);
    assert_eq!(here.hear(1, Input::Acknowledge).sound, None);
    // It still beeps there, where nobody has acknowledged it; a new beep is heard again.
    assert_eq!(follow(&mut here, &there.at(2), 2).sound, None);
    let lights = there.hear(10, Input::Signal(node("two", "NotReady")));
    assert_eq!(
        follow(&mut here, &lights, 10).sound.unwrap().since,
        after(10)
    );
}

#[test]
fn several_are_shown_at_once_until_they_are_forgotten() {
    let mut there = Play::new(rules());
    let red = there.hear(0, Input::Signal(node("one", "NotReady")));
    let mut yellow = Play::new(rules()).hear(0, Input::Signal(pod("web", "CrashLoopBackOff")));
    yellow.reasons[0].cluster = Some("home".into());
    let mut here = Play::new(rules());
    let show = |whose: &str, lights: Option<&Lights>| Input::Elsewhere {
        whose: whose.into(),
        lights: lights.cloned().map(Box::new),
    };
    here.hear(0, show("a", Some(&red)));
    let both = here.hear(0, show("home", Some(&yellow)));
    let line = "red     Node one NotReady; home: Pod default/web CrashLoopBackOff";
    assert_eq!(terminal::line(&both), line);
    assert_eq!(here.hear(0, show("a", None)).word(), "yellow");
    assert_eq!(here.hear(0, show("home", None)).word(), "green");
    assert!(here.state.is_empty());
}

#[test]
fn what_is_no_light_is_refused() {
    for wrong in ["", "{}", "[]", "{\"at\":\"2026-03-04T05:06:07Z\"}"] {
        assert!(daemon::input(wrong, begin()).is_err(), "{wrong}");
    }
}
