//! What can go wrong at the edges.

use std::path::PathBuf;

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lines of a board can't be had.
    #[error("lines {lines} of {} can't be had", chip.display())]
    Lines {
        /// The chip's device.
        chip: PathBuf,
        /// Which lines.
        lines: String,
        /// Why.
        #[source]
        source: gpiocdev::Error,
    },
    /// Lamps can't be switched (any more).
    #[error("the lamps at {} can't be switched", chip.display())]
    Switch {
        /// The chip's device.
        chip: PathBuf,
        /// Why.
        #[source]
        source: gpiocdev::Error,
    },
    /// The board has no button.
    #[error("the board has no button")]
    NoButton,
    /// The API of a cluster.
    #[error(transparent)]
    Kube(#[from] bramble_kube::Error),
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Lines { .. } => Some(
                "`ls -l /dev/gpiochip*` shows the chips and who may use them (group gpio); `gpioinfo` (package \
                 gpiod) whose the lines are; another chip or other lines: `board` in the lights file"
                    .into(),
            ),
            Error::NoButton => Some("say which line it is: `board.button` in the lights file".into()),
            Error::Kube(error) => error.hint(),
            Error::Switch { .. } => None,
        }
    }
}
