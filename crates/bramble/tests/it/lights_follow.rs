//! `bramble lights watch --server`: lights that follow those of a daemon.

use crate::common::{Place, err};
use crate::lights::{DOWN, Lights};
use crate::served::Served;
use std::io::BufRead;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Long enough for a slow computer.
const LONG: Duration = Duration::from_secs(60);

/// How long the daemon may be silent; it says every 5 s that it is there.
const WITHIN: Duration = Duration::from_secs(8);

const RULES: &str =
    "apiVersion: bramble.dev/v1alpha1\nkind: Lights\nalive: [{ source: daemon, within: 8s }]\n";

/// The lines of the lights as they come; nobody else reads them from now on.
fn lines(lights: &mut Lights) -> Receiver<String> {
    let (sender, lines) = channel();
    let out = lights.out.take().unwrap();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if sender.send(line.trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// Waits for a line; how long it took.
fn until(lines: &Receiver<String>, wanted: &str) -> Duration {
    let begin = Instant::now();
    loop {
        let left = LONG.saturating_sub(begin.elapsed());
        let line = lines
            .recv_timeout(left)
            .unwrap_or_else(|_| panic!("{wanted} does not come"));
        if line == wanted {
            return begin.elapsed();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_s_lights_are_followed_and_missed_and_found_again() {
    let place = Place::new();
    std::fs::write(place.path("lights.yaml"), RULES).unwrap();
    let mut daemon = Served::start(&place, "127.0.0.1:0", "--mqtt off");
    daemon.log_in(&place).await;
    let words = format!("watch --server {} --rules lights.yaml", daemon.url);
    let mut lights = Lights::begin(&place, &words);
    let lines = lines(&mut lights);
    until(&lines, "green");
    daemon.alert(&place, DOWN).await;
    until(&lines, "red     Alert one Down");
    daemon
        .alert(&place, &DOWN.replace("firing", "resolved"))
        .await;
    until(&lines, "green");
    // Nothing happens there for longer than it may be silent: that it is there is enough.
    let quiet = lines.recv_timeout(WITHIN + Duration::from_secs(3));
    assert_eq!(quiet, Err(RecvTimeoutError::Timeout));

    // Silent, with its connections open.
    daemon.signal("STOP");
    let took = until(&lines, "unknown silent: daemon");
    assert!(took < WITHIN + Duration::from_secs(5), "{took:?}");
    daemon.signal("CONT");
    until(&lines, "green");

    // Gone, and what was red is remembered.
    daemon.alert(&place, DOWN).await;
    until(&lines, "red     Alert one Down");
    daemon.kill();
    let took = until(&lines, "red     silent: daemon; Alert one Down");
    assert!(took < WITHIN + Duration::from_secs(5), "{took:?}");
    daemon.again(&place, "--mqtt off");
    // What it kept, or nothing where it was killed before it wrote it down.
    let line = lines.recv_timeout(LONG).unwrap();
    assert!(
        ["green", "red     Alert one Down"].contains(&&*line),
        "{line}"
    );
    lights.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_refuses_and_no_source_at_all_are_said() {
    let place = Place::new();
    let none = err(&place.bramble("lights watch").assert().code(2));
    assert!(none.contains("--server URL"), "{none}");
    let daemon = Served::start(&place, "127.0.0.1:0", "--mqtt off");
    daemon.log_in(&place).await;
    let mut refused = place.bramble(&format!("lights watch --server {}", daemon.url));
    refused.env("BRAMBLE_TOKEN", "brt_a_b");
    let refused = tokio::task::spawn_blocking(move || err(&refused.assert().code(1)));
    let refused = refused.await.unwrap();
    assert!(!refused.contains("brt_a_b"), "{refused}");
}
