//! Files that are whole or not there, and their owner's alone.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// How a file is opened that nobody else may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Makes a folder and those above it, for its owner alone.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    let mut folders = std::fs::DirBuilder::new();
    folders.recursive(true).mode(0o700).create(path)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_added_extension("new");
    let mut file = private()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    match path.parent() {
        // The name is on the disk as well.
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
