//! One state, heard and shown by many; time passes by itself.

use crate::common::{node, rules_of};
use bramble_lights::Panel;
use bramble_lights::signal::{Input, Signal, Source};
use std::time::Duration;

fn told(name: &str, panel: &Panel) -> Input {
    let signal = Signal::passing(Source::Kubewatch, "Pod", "X", panel.now());
    Input::Signal(signal.of("default", name))
}

#[tokio::test(start_paused = true)]
async fn what_ends_by_itself_ends_on_time() {
    let rules = rules_of(
        "rules: [{ name: long, light: red, for: 1h }, { name: short, light: yellow, for: 5s }]",
    );
    let panel = Panel::new(rules);
    let timer = panel.clone();
    tokio::spawn(async move { timer.run().await });
    let mut shown = panel.shown();
    panel.hear(told("long", &panel));
    shown.changed().await.unwrap();
    // Something that ends sooner is not waited for the later one.
    panel.hear(told("short", &panel));
    shown.changed().await.unwrap();
    assert_eq!(shown.borrow_and_update().reasons.len(), 2);
    let begin = tokio::time::Instant::now();
    shown.changed().await.unwrap();
    assert_eq!(shown.borrow_and_update().reasons.len(), 1);
    assert!(
        begin.elapsed() < Duration::from_millis(5100),
        "{:?}",
        begin.elapsed()
    );
    shown.changed().await.unwrap();
    assert_eq!(shown.borrow_and_update().word(), "green");
    assert!(begin.elapsed() < Duration::from_secs(3601));
}

#[tokio::test(start_paused = true)]
async fn a_silent_source_is_unknown_within_its_limit() {
    let panel = Panel::new(rules_of("alive: [{ source: watch, within: 30s }]"));
    let timer = panel.clone();
    tokio::spawn(async move { timer.run().await });
    let mut shown = panel.shown();
    panel.hear(Input::Alive(Source::Watch));
    let begin = tokio::time::Instant::now();
    shown.changed().await.unwrap();
    assert_eq!(shown.borrow_and_update().word(), "unknown");
    let took = begin.elapsed();
    assert!((30.0..30.1).contains(&took.as_secs_f64()), "{took:?}");
    panel.hear(Input::Alive(Source::Watch));
    assert_eq!(panel.lights().word(), "green");
}

#[tokio::test(start_paused = true)]
async fn the_same_again_tells_nobody() {
    let panel = Panel::new(rules_of(""));
    let mut shown = panel.shown();
    panel.hear(Input::Signal(node("one", "NotReady")));
    shown.changed().await.unwrap();
    shown.borrow_and_update();
    for _ in 0..10 {
        panel.hear(Input::Signal(node("one", "NotReady")));
    }
    assert!(!shown.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn other_rules_count_at_once_and_what_was_kept_comes_back() {
    let panel = Panel::new(rules_of(""));
    panel.hear(Input::Signal(node("one", "NotReady")));
    assert_eq!(panel.lights().word(), "red");
    let before = panel.version();
    panel.set_rules(rules_of("rules: [{ kind: Node, light: yellow }]"));
    assert_eq!(panel.lights().word(), "yellow");
    assert_ne!(panel.version(), before);
    let (kept, _) = panel.kept();
    let other = Panel::new(rules_of(""));
    other.restore(kept);
    assert_eq!(other.lights().word(), "red");
}
