//! The console at the serial port: settings are pasted there.

use crate::fault::{Fault, Wrong};
use crate::{BLOCK, text};
use heapless::{String, Vec};

/// Characters of a line at most; a longer one is no command and no setting.
const LINE: usize = 256;
/// Ends what is pasted.
const END: &str = "end";

/// What the console has heard so far.
#[derive(Default)]
pub struct Console {
    line: Vec<u8, LINE>,
    /// The line is longer than it may be, or no text.
    spoilt: bool,
    /// What was pasted, once there is something to be pasted.
    pasted: Option<String<BLOCK>>,
    long: bool,
}

/// What the console answers.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// Nothing.
    Nothing,
    /// What can be said.
    Help,
    /// The settings are to be pasted.
    Paste,
    /// The settings are to be shown (the text of a [`Board`](crate::Board) has no secrets).
    Show,
    /// The settings are right, and to be written; [`Console::written`] has their text.
    Write,
    /// The settings are wrong, and nothing is to be written.
    Wrong(Fault),
    /// The button is to sleep.
    Sleep,
}

impl Console {
    /// Takes in a byte.
    pub fn byte(&mut self, byte: u8) -> Reply {
        match byte {
            b'\r' | b'\n' => self.line_end(),
            // Backspace, as terminals send it.
            0x08 | 0x7f => {
                self.line.pop();
                Reply::Nothing
            }
            byte => {
                self.spoilt |= self.line.push(byte).is_err();
                Reply::Nothing
            }
        }
    }

    /// The text of the settings that are to be written.
    pub fn written(&self) -> &str {
        self.pasted.as_deref().unwrap_or_default()
    }

    fn line_end(&mut self) -> Reply {
        let bytes = core::mem::take(&mut self.line);
        let spoilt = core::mem::take(&mut self.spoilt);
        let line = core::str::from_utf8(&bytes).ok().filter(|_| !spoilt);
        match (&mut self.pasted, line.map(str::trim)) {
            (Some(_), Some(END)) => self.pasted_all(),
            (Some(pasted), line) => {
                // A line that can't be kept makes the whole wrong.
                let kept = line
                    .is_some_and(|line| pasted.push_str(line).is_ok() && pasted.push('\n').is_ok());
                self.long |= !kept;
                Reply::Nothing
            }
            (None, Some("")) => Reply::Nothing,
            (None, Some("settings")) => {
                self.pasted = Some(String::new());
                self.long = false;
                Reply::Paste
            }
            (None, Some("show")) => Reply::Show,
            (None, Some("sleep")) => Reply::Sleep,
            (None, _) => Reply::Help,
        }
    }

    fn pasted_all(&mut self) -> Reply {
        let read = match self.long {
            true => Err(Fault {
                line: 0,
                wrong: Wrong::Long,
            }),
            false => text::parse(self.written()),
        };
        match read {
            Ok(_) => Reply::Write,
            Err(fault) => {
                self.pasted = None;
                Reply::Wrong(fault)
            }
        }
    }
}
