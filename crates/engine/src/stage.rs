//! Copies the bundle's files to a machine while its first steps run: the network and the machine's
//! package manager are busy at the same time.

use crate::event::Happened;
use crate::plan::MachinePlan;
use bramble_fleet::{Error as FleetError, Session};
use bramble_machine::Upload;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Large images over a slow uplink.
const LIMIT: Duration = Duration::from_secs(3600);
/// A few a second are enough for a bar.
const TICK: Duration = Duration::from_millis(200);

/// How far the copies of one machine are.
pub(crate) struct Stage {
    /// Files in the order in which steps need them.
    files: Vec<Upload>,
    /// How many are there, or why it went wrong.
    state: watch::Sender<Result<usize, String>>,
}

impl Stage {
    /// Everything that a machine's plan needs.
    pub(crate) fn new(plan: &MachinePlan) -> Self {
        let items = plan.steps.iter().flat_map(|s| &s.items);
        let files = items
            .flat_map(|i| i.change.uploads.iter().cloned())
            .collect();
        Self {
            files,
            state: watch::Sender::new(Ok(0)),
        }
    }

    /// Copies all files, one after the other; resumes what an earlier run left.
    pub(crate) async fn copy(
        &self,
        session: &Session,
        blob: &(dyn Fn(&str) -> PathBuf + Sync),
        say: &(dyn Fn(Happened) + Sync),
    ) {
        if self.files.is_empty() {
            return;
        }
        let result = self.copy_all(session, blob, say).await;
        if let Err(why) = result {
            let _ = self.state.send_replace(Err(why));
        }
    }

    async fn copy_all(
        &self,
        session: &Session,
        blob: &(dyn Fn(&str) -> PathBuf + Sync),
        say: &(dyn Fn(Happened) + Sync),
    ) -> Result<(), String> {
        let folder = format!("umask 077; mkdir -p {}/blobs", bramble_machine::HOME);
        let limit = Duration::from_secs(30);
        session
            .run(folder.as_bytes(), limit, "make room for copies", |_| {})
            .await
            .map_err(|e| e.to_string())?;
        let total: u64 = self.files.iter().map(|u| u.size).sum();
        let mut before = 0;
        for (index, file) in self.files.iter().enumerate() {
            let mut last = Instant::now();
            let on = |bytes: u64| {
                if last.elapsed() > TICK && before + bytes < total {
                    last = Instant::now();
                    say(Happened::Upload {
                        bytes: before + bytes,
                        total,
                    });
                }
            };
            let from = blob(&file.sha256);
            session
                .put(&from, &file.to, file.size, &file.sha256, 0o600, LIMIT, on)
                .await
                .map_err(|e| format!("copying to {}: {e}{}", file.to, remedy(&e, &from)))?;
            before += file.size;
            let _ = self.state.send_replace(Ok(index + 1));
        }
        say(Happened::Upload {
            bytes: total,
            total,
        });
        Ok(())
    }

    /// Waits until the files of a step are there.
    pub(crate) async fn wait(&self, needed: &[&Upload]) -> Result<(), String> {
        let last = self
            .files
            .iter()
            .rposition(|f| needed.iter().any(|n| **n == *f))
            .map_or(0, |index| index + 1);
        let mut state = self.state.subscribe();
        let there = |s: &Result<usize, String>| s.as_ref().map_or(true, |count| *count >= last);
        match state.wait_for(there).await {
            Ok(state) => state.clone().map(|_| ()),
            Err(_) => Err("the copies were given up".into()),
        }
    }
}

/// What to do about a blob of this computer that is not as it should be; empty for other errors.
fn remedy(error: &FleetError, blob: &Path) -> String {
    // The bundle's folder has it as `blobs/sha256/<hash>`.
    let (FleetError::Invalid(_) | FleetError::Io { .. }, Some(bundle)) =
        (error, blob.ancestors().nth(3))
    else {
        return String::new();
    };
    format!(
        "; `bramble bundle verify {}` says what is damaged and which `bramble bundle build` replaces it",
        bundle.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_blob_leads_to_the_command_that_helps() {
        let blob = Path::new("/cache/b/blobs/sha256/00");
        let damaged = FleetError::Invalid("it is damaged".into());
        let text = remedy(&damaged, blob);
        assert!(text.contains("`bramble bundle verify /cache/b`"), "{text}");
        let full = FleetError::Put {
            machine: "one".into(),
            remote: "/x".into(),
            cause: "no space left".into(),
        };
        assert_eq!(remedy(&full, blob), "");
    }
}
