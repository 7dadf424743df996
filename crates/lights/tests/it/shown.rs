//! What an eye or a program sees: frames, sequences, text, messages.

use crate::common::{Play, after, begin, node, pod, rules, rules_of};
use bramble_lights::outputs::message::{Topic, farewell, payload};
use bramble_lights::outputs::terminal;
use bramble_lights::sequence::Play as Sequence;
use bramble_lights::signal::{Input, Source};
use bramble_lights::{Head, frame};
use jiff::SignedDuration;
use serde_json::Value;
use std::time::Duration;

const RED: Head = Head::new(true, false, false);
const YELLOW: Head = Head::new(false, true, false);
const GREEN: Head = Head::new(false, false, true);
const DARK: Head = Head::new(false, false, false);

#[test]
fn lamps_blink_and_flash_by_the_clock() {
    let mut play = Play::new(rules_of(
        "rules: [{ name: a, light: red, pattern: blink }, { name: b, light: yellow, pattern: flash }]",
    ));
    let at = |millis| begin() + SignedDuration::from_millis(millis);
    let yellow = play.hear(0, Input::Signal(pod("b", "X")));
    let red = play.hear(0, Input::Signal(pod("a", "X")));
    for (lights, millis, head, next) in [
        (&red, 0, RED, 500),
        (&red, 499, RED, 1),
        (&red, 500, DARK, 500),
        (&red, 1000, RED, 500),
        (&yellow, 99, YELLOW, 1),
        (&yellow, 100, DARK, 900),
    ] {
        let (frame, wait) = frame(lights, at(millis));
        assert_eq!(frame.heads, [head; 4], "{millis}");
        assert_eq!(wait, Some(Duration::from_millis(next)), "{millis}");
    }
    let calm = Play::new(rules()).at(0);
    assert_eq!(
        frame(&calm, begin()).1,
        None,
        "nothing to do while all is well"
    );
}

#[test]
fn a_failure_beeps_three_times() {
    let mut play = Play::new(rules());
    let lights = play.hear(0, Input::Signal(node("one", "NotReady")));
    let sounds = |lights, tenths: std::ops::Range<i64>| -> Vec<i64> {
        let on = |t: &i64| {
            let at = begin() + SignedDuration::from_millis(t * 100);
            frame(lights, at).0.buzzer
        };
        tenths.filter(on).collect()
    };
    assert_eq!(sounds(&lights, 0..400), [0, 1, 4, 5, 8, 9]);
    let mut play = Play::new(rules_of("rules: [{ light: red, beep: repeat }]"));
    let lights = play.hear(0, Input::Signal(node("one", "NotReady")));
    assert_eq!(
        sounds(&lights, 0..110),
        [0, 1, 4, 5, 8, 9, 100, 101, 104, 105, 108, 109]
    );
    let lights = play.hear(1, Input::Acknowledge);
    assert_eq!(sounds(&lights, 0..400), [0; 0]);
}

#[test]
fn the_self_test_is_that_of_the_seed() {
    let pictures = Sequence::SelfTest.pictures();
    assert_eq!(pictures[0].frame.heads, [RED; 4]);
    let beeps: Vec<_> = pictures.iter().filter(|p| p.frame.buzzer).collect();
    assert_eq!(beeps.len(), 1);
    assert_eq!(beeps[0].lasts, Duration::from_millis(200));
    // East, west, north, south of south, west, north, east; yellow, green, red.
    let heads: Vec<[Head; 4]> = pictures[2..].iter().map(|p| p.frame.heads).collect();
    assert_eq!(heads[0], [RED, RED, RED, YELLOW]);
    assert_eq!(heads[1], [RED, RED, RED, GREEN]);
    assert_eq!(heads[2], [RED; 4]);
    assert_eq!(heads[4], [RED, GREEN, RED, RED]);
    assert_eq!(heads[7], [RED, RED, GREEN, RED]);
    assert_eq!(heads[10], [GREEN, RED, RED, RED]);
    let millis: Vec<_> = pictures[2..5].iter().map(|p| p.lasts.as_millis()).collect();
    assert_eq!(millis, [1000, 2000, 1000]);
    assert_eq!(
        Sequence::SelfTest.lasts(),
        SignedDuration::from_millis(17_200)
    );
}

#[test]
fn sequences_show_every_lamp_and_end() {
    for play in [Sequence::SelfTest, Sequence::Show] {
        let mut seen = [[false; 3]; 4];
        let mut passed = Duration::ZERO;
        while let Some(picture) = play.at(passed) {
            for (head, seen) in picture.frame.heads.iter().zip(&mut seen) {
                for (on, seen) in [head.red, head.yellow, head.green].iter().zip(seen) {
                    *seen |= on;
                }
            }
            passed += picture.lasts;
        }
        assert_eq!(seen, [[true; 3]; 4], "{play:?}");
        assert_eq!(SignedDuration::try_from(passed).unwrap(), play.lasts());
        assert_eq!(play.at(passed + Duration::from_secs(99)), None);
    }
}

#[test]
fn a_line_says_what_is_shown_and_why() {
    let mut play = Play::new(rules());
    assert_eq!(terminal::line(&play.at(0)), "green");
    play.hear(0, Input::Signal(pod("web", "CrashLoopBackOff")));
    let lights = play.hear(0, Input::Signal(node("one", "NotReady")));
    assert_eq!(
        terminal::line(&lights),
        "red     Node one NotReady; Pod default/web CrashLoopBackOff"
    );
    for i in 0..5 {
        play.hear(0, Input::Signal(node(&format!("n{i}"), "NotReady")));
    }
    assert!(terminal::line(&play.at(0)).ends_with("; and 4 more"));
    let mut play = Play::new(rules());
    play.hear(0, Input::Alive(Source::Watch));
    assert_eq!(terminal::line(&play.at(60)), "unknown silent: watch");
    let on = terminal::lamps(RED);
    assert_eq!(
        on,
        "\u{1b}[31m●\u{1b}[0m \u{1b}[2m○\u{1b}[0m \u{1b}[2m○\u{1b}[0m"
    );
}

#[test]
fn a_message_is_json_and_never_large() {
    let mut play = Play::new(rules());
    let lights = play.hear(0, Input::Signal(node("one", "NotReady")));
    let read = |bytes: Vec<u8>| -> Value { serde_json::from_slice(&bytes).unwrap() };
    let json = read(payload(&lights, after(1)).unwrap());
    assert_eq!(json["light"], "red");
    assert_eq!(json["at"], "2026-03-04T05:06:08Z");
    assert_eq!(json["lamps"]["red"], "steady");
    assert_eq!(json["reasons"][0]["reason"], "NotReady");
    assert_eq!(json["reasons"][0]["show"]["color"], "red");
    let long = "\u{1f6a6}".repeat(250);
    for i in 0..30 {
        let name = format!("{i}{long}");
        play.hear(0, Input::Signal(pod(&name, &long).text(&long)));
    }
    let said = payload(&play.at(0), after(1)).unwrap();
    assert!(said.len() <= 16 * 1024, "{}", said.len());
    let json = read(said);
    let told = json["reasons"].as_array().unwrap().len() as u64;
    assert_eq!(
        (json["light"].as_str(), json["more"].as_u64()),
        (Some("red"), Some(31 - told))
    );
    assert_eq!(json["reasons"][0]["reason"], "NotReady");
    // The last will has no time: it is told later than it is written.
    let gone = read(farewell().unwrap());
    assert_eq!(
        (&gone["light"], &gone["lamps"]["yellow"]),
        (&"unknown".into(), &"blink".into())
    );
    assert_eq!(gone["at"], Value::Null);
}

#[test]
fn a_topic_is_one_that_can_be_published_at() {
    for right in ["bramble/lights/home", "A b", "/"] {
        assert_eq!(right.parse::<Topic>().unwrap().to_string(), right);
    }
    let long = "a".repeat(201);
    for wrong in ["", "a/+", "#", "$SYS/x", "a\0", &long] {
        assert!(wrong.parse::<Topic>().is_err(), "{wrong}");
    }
}
