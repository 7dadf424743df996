//! Which lamps are on at one moment.

use crate::lights::{Lamp, Lamps, Lights, Sound};
use jiff::Timestamp;
use std::time::Duration;

/// A second: patterns repeat after it.
const PERIOD: u64 = 1000;

/// How long a blinking lamp is on, in milliseconds of each second.
const BLINK: u64 = 500;

/// How long a flashing lamp is on, in milliseconds of each second.
const FLASH: u64 = 100;

/// A beep and the pause behind it, in milliseconds.
const BEEP: u64 = 200;

/// Beeps in a row.
const BEEPS: u64 = 3;

/// A row of beeps is repeated after so many milliseconds.
const AGAIN: u64 = 10_000;

/// One traffic light.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Red is on.
    pub red: bool,
    /// Yellow is on.
    pub yellow: bool,
    /// Green is on.
    pub green: bool,
}

impl Head {
    /// A traffic light with these lamps on.
    pub const fn new(red: bool, yellow: bool, green: bool) -> Self {
        Self { red, yellow, green }
    }
}

/// All that is on at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frame {
    /// The traffic lights of a board.
    pub heads: [Head; Frame::HEADS],
    /// The beeper sounds.
    pub buzzer: bool,
}

impl Frame {
    /// Traffic lights that a board has at most: the PiTraffic has four.
    pub const HEADS: usize = 4;
}

/// What is on at a time, and how long at least nothing changes from then on by itself; `None` = for ever.
pub fn frame(lights: &Lights, now: Timestamp) -> (Frame, Option<Duration>) {
    if let Some(playing) = lights.playing
        && let Some(picture) = playing.what.at(passed(playing.since, now))
    {
        return (picture.frame, Some(picture.lasts));
    }
    let clock = u64::try_from(now.as_millisecond().rem_euclid(1000)).unwrap_or(0);
    let (head, lamps) = head(lights.lamps, clock);
    let (buzzer, sound) = lights.sound.map_or((false, None), |sound| beep(sound, now));
    let frame = Frame {
        heads: [head; Frame::HEADS],
        buzzer,
    };
    let next = lamps.into_iter().chain(sound).min();
    (frame, next.map(Duration::from_millis))
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(since).unsigned_abs()
}

fn head(lamps: Lamps, clock: u64) -> (Head, Option<u64>) {
    let (red, a) = lamp(lamps.red, clock);
    let (yellow, b) = lamp(lamps.yellow, clock);
    let (green, c) = lamp(lamps.green, clock);
    let next = [a, b, c].into_iter().flatten().min();
    (Head::new(red, yellow, green), next)
}

/// Whether a lamp is on in this millisecond of a second, and when that changes.
fn lamp(lamp: Lamp, clock: u64) -> (bool, Option<u64>) {
    let on = match lamp {
        Lamp::Off => return (false, None),
        Lamp::Steady => return (true, None),
        Lamp::Blink => BLINK,
        Lamp::Flash => FLASH,
    };
    match clock < on {
        true => (true, Some(on - clock)),
        false => (false, Some(PERIOD - clock)),
    }
}

/// Whether the beeper sounds, and when that changes.
fn beep(sound: Sound, now: Timestamp) -> (bool, Option<u64>) {
    let passed = u64::try_from(passed(sound.since, now).as_millis()).unwrap_or(u64::MAX);
    let row = match sound.repeat {
        true => passed % AGAIN,
        false => passed,
    };
    let part = row / BEEP;
    if part >= 2 * BEEPS {
        return (false, sound.repeat.then(|| AGAIN - row));
    }
    (part.is_multiple_of(2), Some(BEEP - row % BEEP))
}
