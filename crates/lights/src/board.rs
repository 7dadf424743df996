//! Where lamps, beeper and button are: lines of a GPIO chip.

use crate::frame::{Frame, Head};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A line of the chip. On a Raspberry Pi its offset is the BCM number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Offset on the chip.
    pub line: u32,
    /// Whether low is on (or pressed).
    pub active_low: bool,
}

impl Pin {
    /// A line where high is on.
    pub const fn high(line: u32) -> Self {
        Self {
            line,
            active_low: false,
        }
    }

    /// A line where low is on.
    pub const fn low(line: u32) -> Self {
        Self {
            line,
            active_low: true,
        }
    }
}

/// The lamps of one traffic light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadPins {
    /// Red.
    pub red: Pin,
    /// Yellow.
    pub yellow: Pin,
    /// Green.
    pub green: Pin,
}

/// A button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// Its line.
    pub pin: Pin,
    /// How long it must be quiet before it counts as pressed or let go.
    pub debounce: Duration,
}

/// A board with traffic lights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The chip's device.
    pub chip: PathBuf,
    /// Traffic lights, at most [`Frame::HEADS`].
    pub heads: Vec<HeadPins>,
    /// The beeper, if there is one.
    pub buzzer: Option<Pin>,
    /// The button, if there is one.
    pub button: Option<Contact>,
}

impl Default for Board {
    /// The PiTraffic on a Raspberry Pi: south, west, north, east.
    fn default() -> Self {
        let head = |red, yellow, green| HeadPins {
            red: Pin::high(red),
            yellow: Pin::high(yellow),
            green: Pin::high(green),
        };
        Self {
            chip: "/dev/gpiochip0".into(),
            heads: vec![
                head(17, 27, 22),
                head(23, 24, 25),
                head(5, 6, 13),
                head(16, 20, 21),
            ],
            buzzer: Some(Pin::high(18)),
            button: Some(Contact {
                pin: Pin::low(4),
                debounce: Duration::from_millis(30),
            }),
        }
    }
}

impl Board {
    /// Every line that is driven.
    pub fn outputs(&self) -> impl Iterator<Item = Pin> {
        let lamps = self.heads.iter().flat_map(|h| [h.red, h.yellow, h.green]);
        lamps.chain(self.buzzer)
    }

    /// Which lines are on in a picture.
    pub fn levels(&self, frame: &Frame) -> BTreeMap<u32, bool> {
        let lamps = self.heads.iter().zip(&frame.heads).flat_map(|(pins, on)| {
            let Head { red, yellow, green } = *on;
            [(pins.red, red), (pins.yellow, yellow), (pins.green, green)]
        });
        let buzzer = self.buzzer.map(|pin| (pin, frame.buzzer));
        lamps
            .chain(buzzer)
            .map(|(pin, on)| (pin.line, on))
            .collect()
    }
}
