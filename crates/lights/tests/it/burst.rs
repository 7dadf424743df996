//! A flood delays nothing.

use crate::common::{node, pod, rules};
use bramble_lights::Panel;
use bramble_lights::signal::Input;
use std::time::{Duration, Instant};

/// 10 000 events without a pause and one red among them. What hears them is what shows them, so that nothing can
/// wait in between.
#[test]
fn red_is_shown_as_soon_as_it_is_heard() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let panel = Panel::new(rules());
        let begin = Instant::now();
        for i in 0..10_000 {
            panel.hear(Input::Signal(pod(
                &format!("p{}", i % 3000),
                "CrashLoopBackOff",
            )));
        }
        assert_eq!(panel.lights().word(), "yellow");
        let flood = begin.elapsed();
        let begin = Instant::now();
        panel.hear(Input::Signal(node("one", "NotReady")));
        assert_eq!(panel.lights().word(), "red");
        let one = begin.elapsed();
        eprintln!("10000 events in {flood:?}, the red one after them in {one:?}");
        assert!(one < Duration::from_millis(500), "{one:?}");
    });
}
