//! The lights at an MQTT broker, retained: who subscribes later sees them at once.

use super::message::{Topic, farewell, payload};
use crate::panel::Panel;
use bramble_bus::{Bus, Link, Message};
use std::time::Duration;

/// Between two messages at least: what changes faster is told as it is then.
pub const PACE: Duration = Duration::from_millis(250);

/// Before the broker is asked again that has not taken a message: at first, and at most.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// What the broker says when the publisher is gone, and the publisher itself when it leaves.
pub fn will(topic: &Topic) -> Message {
    // It always has a JSON form.
    Message::retained(topic.to_string(), farewell().unwrap_or_default())
}

/// Publishes what a panel shows until this is dropped: at once when it changes, at most four times a second, and
/// again when the broker comes back. Whatever waits, the newest is what is told. Why the broker doesn't take it is told
/// to `said`, in a sentence.
pub async fn publish(panel: &Panel, topic: &Topic, bus: &dyn Bus, said: impl Fn(String)) {
    let mut shown = panel.shown();
    let mut link = bus.link();
    // Why the last message was not taken: said once.
    let mut last = String::new();
    let mut again = AGAIN[0];
    loop {
        if link.wait_for(|link| *link == Link::Up).await.is_err() {
            // The bus is gone.
            return std::future::pending().await;
        }
        let lights = shown.borrow_and_update().clone();
        // It always has a JSON form.
        let payload = payload(&lights, panel.now()).unwrap_or_default();
        let told = bus.publish(Message::retained(topic.to_string(), payload));
        if let Err(error) = told.await {
            let why = error.to_string();
            if why != last {
                said(format!("the lights are not told at {topic}: {why}"));
                last = why;
            }
            tokio::time::sleep(again).await;
            again = (again * 2).min(AGAIN[1]);
            continue;
        }
        last.clear();
        again = AGAIN[0];
        tokio::time::sleep(PACE).await;
        tokio::select! {
            // The panel is borrowed: its sender outlives this.
            _ = shown.changed() => {}
            // A broker that was away has told the last will, or forgotten everything.
            changed = link.changed() => if changed.is_err() {
                return std::future::pending().await;
            },
        }
    }
}
