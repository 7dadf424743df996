//! Lamps on the lines of a GPIO chip (Linux' character device, uAPI v2).

use crate::board::Board;
use crate::error::Error;
use crate::frame::{Frame, frame};
use crate::panel::Panel;
use gpiocdev::Request;
use gpiocdev::line::{Value, Values};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Who holds the lines, as `gpioinfo` shows it.
pub(crate) const CONSUMER: &str = "bramble-lights";

/// Lines that can be switched on and off.
pub trait Pins: Send {
    /// Switches lines; true is on, whatever that is electrically.
    ///
    /// # Errors
    /// When they can't be switched (any more).
    fn set(&mut self, levels: &BTreeMap<u32, bool>) -> Result<(), Error>;
}

/// The lines of a real chip. The kernel knows which are on when low.
pub struct Chip {
    request: Request,
    path: PathBuf,
}

impl Chip {
    /// Takes the lines of a board, all off.
    ///
    /// # Errors
    /// [`Error::Lines`].
    pub fn open(board: &Board) -> Result<Self, Error> {
        let mut builder = Request::builder();
        builder.on_chip(&board.chip).with_consumer(CONSUMER);
        for pin in board.outputs() {
            builder.with_line(pin.line).as_output(Value::Inactive);
            match pin.active_low {
                true => builder.as_active_low(),
                false => builder.as_active_high(),
            };
        }
        let lines = board.outputs().map(|pin| pin.line.to_string());
        let lines = lines.collect::<Vec<_>>().join(", ");
        let request = builder.request().map_err(|source| Error::Lines {
            chip: board.chip.clone(),
            lines,
            source,
        })?;
        Ok(Self {
            request,
            path: board.chip.clone(),
        })
    }
}

impl Pins for Chip {
    fn set(&mut self, levels: &BTreeMap<u32, bool>) -> Result<(), Error> {
        let mut values = Values::default();
        for (line, on) in levels {
            let value = match on {
                true => Value::Active,
                false => Value::Inactive,
            };
            values.set(*line, value);
        }
        let done = self.request.set_values(&values);
        done.map_err(|source| Error::Switch {
            chip: self.path.clone(),
            source,
        })
    }
}

/// The lamps of a board. They go dark when this is dropped: at the end, when it is cancelled, in a panic.
struct Lit<P: Pins> {
    pins: P,
    board: Board,
    levels: BTreeMap<u32, bool>,
}

impl<P: Pins> Lit<P> {
    /// Switches what differs.
    fn show(&mut self, frame: &Frame) -> Result<(), Error> {
        let mut levels = self.board.levels(frame);
        levels.retain(|line, on| self.levels.get(line) != Some(on));
        if levels.is_empty() {
            return Ok(());
        }
        self.pins.set(&levels)?;
        self.levels.extend(levels);
        Ok(())
    }
}

impl<P: Pins> Drop for Lit<P> {
    fn drop(&mut self) {
        let dark = self.board.levels(&Frame::default());
        if let Err(error) = self.pins.set(&dark) {
            tracing::warn!("the lamps stay as they are: {error}");
        }
    }
}

/// Shows a panel on the lamps of a board until it is dropped; then they are dark.
///
/// # Errors
/// [`Error::Switch`]; never returns otherwise.
pub async fn drive<P: Pins>(panel: &Panel, board: &Board, pins: P) -> Result<(), Error> {
    let mut lit = Lit {
        pins,
        board: board.clone(),
        levels: BTreeMap::new(),
    };
    let mut shown = panel.shown();
    loop {
        let lights = shown.borrow_and_update().clone();
        let (frame, next) = frame(&lights, panel.now());
        lit.show(&frame)?;
        let changed = shown.changed();
        match next {
            // The panel is borrowed: its sender outlives this.
            Some(next) => drop(tokio::time::timeout(next, changed).await),
            None => drop(changed.await),
        }
    }
}
