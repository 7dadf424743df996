//! Ranges that programs of this computer mean to use for labs that aren't there yet.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;

use crate::error::{At, Result};

/// Where all programs look; gone after a restart of the computer, as are those who reserved. Only root writes to `/run`, as
/// only root makes labs: in a folder that all may write to, others could put links where files are expected.
const RESERVED: &str = "/run/bramble-lab";

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
            own(folder).at("make", folder)?;
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .at("make", &path)?;
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

/// Makes a folder that only this user can read and write, or looks whether it is one.
fn own(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = std::fs::symlink_metadata(folder)?;
    let me = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != me || found.mode() & 0o077 != 0 {
        return Err(io::Error::other("others can write or read there"));
    }
    Ok(())
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
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("reserved");
        let take = |range: &str| Reservation::take_in(&folder, range.parse().unwrap());
        let first = take("10.80.0.0/24").unwrap().unwrap();
        assert!(take("10.80.0.0/24").unwrap().is_none());
        assert!(take("10.80.1.0/24").unwrap().is_some());
        drop(first);
        assert!(take("10.80.0.0/24").unwrap().is_some());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_reserved_where_others_can_put_links() {
        let place = tempfile::tempdir().unwrap();
        let range = "10.80.0.0/24".parse().unwrap();
        let folder = place.path().join("open");
        std::fs::create_dir(&folder).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&folder, mode).unwrap();
        assert!(Reservation::take_in(&folder, range).is_err());
        let link = place.path().join("link");
        std::os::unix::fs::symlink(place.path().join("elsewhere"), &link).unwrap();
        assert!(Reservation::take_in(&link, range).is_err());
        assert!(Reservation::take_in(&place.path().join("new"), range).is_ok());
    }
}
