//! The life of a run's process among several daemons: it ends soon after its daemon's lead, however that ends, and
//! before another daemon leads.

use rustix::process::{Signal, getpid, kill_process};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Names the file that is touched as long as the daemon leads.
pub const VARIABLE: &str = "BRAMBLE_LEAD";

/// How long a process lives without that. With the time of one request more it is less than a lead lasts.
pub const PATIENCE: Duration = Duration::from_secs(9);

/// How often it is looked.
pub const LOOK: Duration = Duration::from_millis(500);

/// Ends this process with the lead of the daemon that it is a run of. Does nothing in any other process.
///
/// It ends as by `kill -9`, like one whose computer fails: a run is made to be cut off anywhere, and to be begun
/// again.
pub fn hold() {
    let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        return;
    };
    std::thread::spawn(move || {
        let mut pulse = Pulse::new(touched(&path), Instant::now());
        while pulse.beats(touched(&path), Instant::now()) {
            std::thread::sleep(LOOK);
        }
        // It can't fail for the process itself.
        let _ = kill_process(getpid(), Signal::KILL);
    });
}

fn touched(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// What was seen of the file.
struct Pulse {
    last: Option<SystemTime>,
    since: Instant,
}

impl Pulse {
    fn new(seen: Option<SystemTime>, now: Instant) -> Self {
        Self {
            last: seen,
            since: now,
        }
    }

    /// Whether the daemon leads, as far as one can see. The time of the file is only compared with itself.
    fn beats(&mut self, seen: Option<SystemTime>, now: Instant) -> bool {
        if seen != self.last {
            self.last = seen;
            self.since = now;
        }
        seen.is_some() && now.duration_since(self.since) < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bramble_store::Terms;

    #[test]
    fn it_lives_as_long_as_the_file_is_touched() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let time = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let mut pulse = Pulse::new(time(100), at(0));
        assert!(pulse.beats(time(100), at(8)));
        // Also where the clock was put back.
        assert!(pulse.beats(time(50), at(8)));
        assert!(pulse.beats(time(50), at(16)));
        assert!(!pulse.beats(time(50), at(17)));
        assert!(
            !Pulse::new(None, at(0)).beats(None, at(0)),
            "it was deleted"
        );
    }

    #[test]
    fn it_has_ended_before_another_daemon_leads() {
        let terms = Terms::default();
        // The file is touched when the answer to a renewal comes, which counts from its question on.
        assert!(terms.request + PATIENCE + LOOK < terms.duration);
        // A daemon that renews in time has no run ended.
        assert!(terms.renew + terms.request < PATIENCE);
    }
}
