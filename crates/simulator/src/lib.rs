//! A dash button without hardware: the state machine of [`bramble_button`] and its screens, on this computer.
//!
//! Invariants:
//! - **The machine is the same**: nothing is decided here. Wi-Fi is there at once, the clock is this computer's, timers are
//!   the runtime's, and the broker is a real one.
//! - A [`Frame`] has just the pixels that a panel would have.

mod driver;
mod frame;
mod network;
mod talk;

pub use frame::{Frame, Panel};
pub use network::{Dialled, Network, Shared};
pub use talk::Trouble;

use bramble_button::{Press, Settings};
use driver::Driver;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Presses that wait; a person's finger isn't quicker.
const PRESSES: usize = 16;

/// A button. It is gone when this is dropped.
pub struct Simulator {
    presses: mpsc::Sender<Press>,
    show: watch::Sender<Frame>,
    trouble: watch::Sender<Trouble>,
    task: JoinHandle<()>,
}

impl Simulator {
    /// A button that sleeps until it is pressed.
    pub fn new(settings: Settings, network: Arc<dyn Network>) -> Self {
        let (presses, pressed) = mpsc::channel(PRESSES);
        let show = watch::Sender::new(Frame::default());
        let trouble = watch::Sender::new(None);
        let driver = Driver::new(settings, network, show.clone(), trouble.clone());
        let task = tokio::spawn(driver.run(pressed));
        Self {
            presses,
            show,
            trouble,
            task,
        }
    }

    /// Presses it. A press that comes while many others wait is lost.
    pub fn press(&self, press: Press) {
        if self.presses.try_send(press).is_err() {
            tracing::warn!("a press is lost: too many come");
        }
    }

    /// What its display shows, as it changes.
    pub fn frames(&self) -> watch::Receiver<Frame> {
        self.show.subscribe()
    }

    /// What is in the way of its messages, as it changes: more than its display has room for.
    pub fn troubles(&self) -> watch::Receiver<Trouble> {
        self.trouble.subscribe()
    }

    /// Whether somebody looks at it, or it is awake: else it has nothing to remember.
    pub fn is_in_use(&self) -> bool {
        self.show.receiver_count() > 0 || self.show.borrow().screen.is_some()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
