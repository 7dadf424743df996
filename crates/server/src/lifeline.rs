//! The life of a run's process among several daemons: it ends soon after its daemon's lead, however that ends, and
//! before another daemon leads.
//!
//! The daemon writes down when it asked for the last renewal of its lead, by the clock of the computer that both run on
//! and that nobody sets. So it does not matter when a process was begun, or how long an answer was under way.

use crate::files;
use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Names the file that says when the lead was renewed, as long as the daemon leads.
pub const VARIABLE: &str = "BRAMBLE_LEAD";

/// How long a process lives after that. It is less than a lead lasts.
pub const PATIENCE: Duration = Duration::from_secs(9);

/// How often it is looked.
pub const LOOK: Duration = Duration::from_millis(500);

/// Digits of milliseconds in the file: always as many, so that one is written over the other at once.
const DIGITS: usize = 20;

/// Ends this process with the lead of the daemon that it is a run of. Does nothing in any other process.
///
/// It ends as by `kill -9`, like one whose computer fails: a run is made to be cut off anywhere, and to be begun
/// again.
pub fn hold() {
    let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        return;
    };
    // One that is begun too late does nothing at all.
    end_unless_led(&path);
    std::thread::spawn(move || {
        loop {
            end_unless_led(&path);
            std::thread::sleep(LOOK);
        }
    });
}

fn end_unless_led(path: &Path) {
    if !leads(renewed(path), now()) {
        // It can't fail for the process itself.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// Whether the daemon leads, as far as one can see, that renewed its lead then. What is later than now is of another
/// start of the computer.
fn leads(renewed: Option<Duration>, now: Duration) -> bool {
    let age = renewed.and_then(|renewed| now.checked_sub(renewed));
    age.is_some_and(|age| age < PATIENCE)
}

/// The time since the computer was started, also while it slept.
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    // Neither is ever negative.
    Duration::new(
        now.tv_sec.unsigned_abs(),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Writes down when the last renewal was asked for.
pub(crate) fn write(path: &Path, renewed: Duration) -> io::Result<()> {
    let mut options = files::private();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let text = format!("{:0DIGITS$}\n", renewed.as_millis());
    file.write_all_at(text.as_bytes(), 0)
}

fn renewed(path: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(path).ok()?;
    text.trim().parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_store::Terms;

    #[test]
    fn it_lives_for_a_while_after_each_renewal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lead");
        let at = Duration::from_secs;
        assert!(!leads(renewed(&path), at(100)), "nobody leads");
        write(&path, at(100)).unwrap();
        assert!(leads(renewed(&path), at(108)));
        // Whenever the process was begun.
        assert!(!leads(renewed(&path), at(109)));
        write(&path, at(108)).unwrap();
        assert!(leads(renewed(&path), at(116)));
        assert!(!leads(renewed(&path), at(50)), "the computer was restarted");
        std::fs::remove_file(&path).unwrap();
        assert!(!leads(renewed(&path), at(109)), "it was deleted");
    }

    #[test]
    fn it_has_ended_before_another_daemon_leads() {
        let terms = Terms::default();
        // A lead lasts as long after what the file says, at least.
        assert!(PATIENCE + LOOK < terms.duration);
        // A daemon that renews in time has no run ended.
        assert!(terms.renew + terms.request < PATIENCE);
    }
}
