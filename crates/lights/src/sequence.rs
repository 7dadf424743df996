//! Self-test and light show: pictures and how long each stays.

use crate::frame::{Frame, Head};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// A sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Play {
    /// Every lamp of every traffic light once, and a beep.
    SelfTest,
    /// Something to look at.
    Show,
}

/// A picture and how long it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// What shines.
    pub frame: Frame,
    /// How long.
    pub lasts: Duration,
}

const RED: Head = Head::new(true, false, false);
const YELLOW: Head = Head::new(false, true, false);
const GREEN: Head = Head::new(false, false, true);
const ALL: Head = Head::new(true, true, true);
const DARK: Head = Head::new(false, false, false);

/// The order of the self-test: east, west, north, south of a board whose heads are south, west, north, east.
const ORDER: [usize; Frame::HEADS] = [3, 1, 2, 0];

impl Play {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Play::SelfTest => "self-test",
            Play::Show => "light show",
        }
    }

    /// Its pictures, in order.
    pub fn pictures(self) -> Vec<Picture> {
        match self {
            Play::SelfTest => self_test(),
            Play::Show => show(),
        }
    }

    /// How long it takes.
    pub fn lasts(self) -> SignedDuration {
        let millis: u128 = self.pictures().iter().map(|p| p.lasts.as_millis()).sum();
        SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// The picture at a time after its beginning, and how long it stays from then on; `None` = it is over.
    pub fn at(self, passed: Duration) -> Option<Picture> {
        let mut end = Duration::ZERO;
        self.pictures().into_iter().find_map(|picture| {
            end += picture.lasts;
            let lasts = end.checked_sub(passed).filter(|left| !left.is_zero())?;
            Some(Picture { lasts, ..picture })
        })
    }
}

fn picture(heads: [Head; Frame::HEADS], millis: u64) -> Picture {
    Picture {
        frame: Frame {
            heads,
            buzzer: false,
        },
        lasts: Duration::from_millis(millis),
    }
}

/// As the lights of the ceil cluster tested themselves: all red, a beep, then one after the other.
fn self_test() -> Vec<Picture> {
    let mut heads = [RED; Frame::HEADS];
    let mut beep = picture(heads, 200);
    beep.frame.buzzer = true;
    let mut out = vec![picture(heads, 1000), beep];
    for head in ORDER {
        for (lamp, millis) in [(YELLOW, 1000), (GREEN, 2000), (RED, 1000)] {
            heads[head] = lamp;
            out.push(picture(heads, millis));
        }
    }
    out
}

/// A lamp goes around, the colors swing up and down, all of them flicker: some 20 s.
fn show() -> Vec<Picture> {
    let mut out = Vec::new();
    for lamp in [RED, YELLOW, GREEN, RED, YELLOW, GREEN] {
        for head in 0..Frame::HEADS {
            let mut heads = [DARK; Frame::HEADS];
            heads[head] = lamp;
            out.push(picture(heads, 250));
        }
    }
    for _ in 0..5 {
        for lamp in [RED, YELLOW, GREEN, YELLOW] {
            out.push(picture([lamp; Frame::HEADS], 400));
        }
    }
    for _ in 0..10 {
        out.push(picture([ALL; Frame::HEADS], 300));
        out.push(picture([DARK; Frame::HEADS], 300));
    }
    out
}
