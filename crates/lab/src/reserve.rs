//! Ranges that programs of this computer mean to use for labs that aren't there yet.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;

use crate::error::{At, Result};

/// Where all programs look; gone after a restart of the computer, as are those who reserved.
const RESERVED: &str = "/run/lock/bramble-lab";

/// A range that nobody else can reserve. It is free again when this is dropped, and when its program ends in whatever
/// way.
#[derive(Debug)]
pub struct Reservation {
    _file: File,
    path: PathBuf,
}

impl Reservation {
    /// Reserves a range; `None` where it is reserved already. Only the same range collides: whoever reserves takes
    /// ranges of one size.
    ///
    /// # Errors
    /// Where this user can't write what all programs see.
    pub fn take(range: Ipv4Net) -> Result<Option<Self>> {
        Self::take_in(Path::new(RESERVED), range)
    }

    fn take_in(folder: &Path, range: Ipv4Net) -> Result<Option<Self>> {
        let path = folder.join(range.to_string().replace('/', "-"));
        loop {
            std::fs::create_dir_all(folder).at("make", folder)?;
            let file = File::create(&path).at("make", &path)?;
            match file.try_lock() {
                Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
                Err(std::fs::TryLockError::Error(error)) => return Err(error).at("lock", &path),
                Ok(()) => {}
            }
            // Who had it before may have removed the file: then this lock guards nothing.
            let mine = file.metadata().at("look at", &path)?.ino();
            if std::fs::metadata(&path).is_ok_and(|now| now.ino() == mine) {
                return Ok(Some(Self { _file: file, path }));
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // While it is still locked, so that nobody locks a file that goes away.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_reserved_once_until_it_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let take = |range: &str| Reservation::take_in(folder.path(), range.parse().unwrap());
        let first = take("10.80.0.0/24").unwrap().unwrap();
        assert!(take("10.80.0.0/24").unwrap().is_none());
        assert!(take("10.80.1.0/24").unwrap().is_some());
        drop(first);
        assert!(take("10.80.0.0/24").unwrap().is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
