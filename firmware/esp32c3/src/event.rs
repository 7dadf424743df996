//! What happens, from all tasks to the one that knows the state.

use bramble_button::{Failure, Input, Message, Payload, Topic};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;

/// What happens.
pub enum Event {
    /// The button was pressed.
    Pressed,
    /// There is Wi-Fi, and an address.
    WifiUp,
    /// The time, in seconds since 1970.
    Clock(u64),
    /// Something about a connection to the broker: which, since those that were given up say nothing any more.
    Broker(u32, Broker),
}

/// What happens to a connection.
pub enum Broker {
    /// It is up.
    Up,
    /// It couldn't be made.
    Failed(Failure),
    /// It is gone.
    Lost,
    /// A message came.
    Heard(Topic, Payload),
}

impl Event {
    /// The event as the state machine wants it; `None` if it is of another connection.
    pub fn input(&self, connection: u32) -> Option<Input<'_>> {
        Some(match self {
            Event::Pressed => Input::Pressed,
            Event::WifiUp => Input::WifiUp,
            Event::Clock(seconds) => Input::ClockSet(*seconds),
            Event::Broker(of, _) if *of != connection => return None,
            Event::Broker(_, Broker::Up) => Input::BrokerUp,
            Event::Broker(_, Broker::Failed(failure)) => Input::BrokerFailed(*failure),
            Event::Broker(_, Broker::Lost) => Input::BrokerLost,
            Event::Broker(_, Broker::Heard(topic, payload)) => Input::Heard { topic, payload },
        })
    }
}

/// Events on their way.
pub static EVENTS: Channel<CriticalSectionRawMutex, Event, 4> = Channel::new();
/// Messages to be published.
pub static MESSAGES: Channel<CriticalSectionRawMutex, Message, 4> = Channel::new();
/// Whether Wi-Fi is wanted.
pub static WIFI: Signal<CriticalSectionRawMutex, bool> = Signal::new();
/// Whether the time is wanted.
pub static CLOCK: Signal<CriticalSectionRawMutex, bool> = Signal::new();
/// The connection that is wanted, if one is.
pub static BROKER: Signal<CriticalSectionRawMutex, Option<u32>> = Signal::new();
