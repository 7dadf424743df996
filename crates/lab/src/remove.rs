//! A lab's directory goes, whatever is still written there.

use crate::command::run;
use crate::error::{At, Result};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long programs of an `up` that was killed may go on writing.
const SETTLE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// Removes a directory with all that is in it; one that is not there is removed.
pub(crate) fn remove_tree(dir: &Path) -> Result<()> {
    let begin = Instant::now();
    let mut unlocked = false;
    loop {
        let Err(error) = std::fs::remove_dir_all(dir) else {
            return Ok(());
        };
        match error.kind() {
            ErrorKind::NotFound => return Ok(()),
            // Something was made meanwhile.
            ErrorKind::DirectoryNotEmpty if begin.elapsed() < SETTLE => std::thread::sleep(LOOK),
            _ if !unlocked => {
                // Files that a machine marked immutable.
                let words = ["-R", "-f", "-i", "-a", &dir.to_string_lossy()];
                let _ = run("unlock a disk", "chattr", words);
                unlocked = true;
            }
            _ => return Err(error).at("remove", dir),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_meanwhile_goes_too() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("lab");
        let disk = dir.join("one/root");
        std::fs::create_dir_all(&disk).unwrap();
        std::thread::scope(|scope| {
            // As a copy of a disk whose `up` was killed: it ends when its place is gone.
            let copy = scope.spawn(|| {
                let mut made = 0_u32;
                while std::fs::create_dir(disk.join(made.to_string())).is_ok() && made < 2_000 {
                    made += 1;
                }
                made
            });
            while !disk.join("100").exists() {
                std::thread::yield_now();
            }
            remove_tree(&dir).unwrap();
            assert!(copy.join().unwrap() >= 100);
        });
        assert!(!dir.exists());
        remove_tree(&dir).unwrap();
    }
}
