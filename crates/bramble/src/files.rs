//! Files of the operator: read as secrets, written whole or not at all.

use crate::error::{CliError, Explain, Kind};
use bramble_secret::Secret;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The folder in which a file is written; an error where there is none: a mistyped path must not become
/// a new folder.
pub fn folder_for(path: &Path) -> Result<PathBuf, CliError> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    if folder.is_dir() {
        return Ok(folder);
    }
    let (file, folder) = (path.display(), folder.display());
    let what = format!("can't write {file}: there is no folder {folder}");
    Err(CliError::usage(what).hint(format!(
        "make it (mkdir -p {folder}), or name another place"
    )))
}

/// Writes a file through a temporary one beside it, so that it is never half there. A symbolic link
/// stays, the file that it leads to is replaced. Without `replace`, a file that is there is an error.
pub fn write(path: &Path, bytes: &[u8], mode: u32, replace: bool) -> Result<(), CliError> {
    let what = || format!("can't write {}", path.display());
    let folder = folder_for(path)?;
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut file = tempfile::Builder::new()
        .prefix(".bramble-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(&folder)
        // The error itself would name the temporary file.
        .map_err(|error| CliError::failed(format!("{}: {}", what(), error.kind())))?;
    // The umask may have taken bits away.
    let permissions = std::fs::Permissions::from_mode(mode);
    file.as_file()
        .set_permissions(permissions)
        .explain(what())?;
    file.write_all(bytes).explain(what())?;
    file.as_file().sync_all().explain(what())?;
    let done = if replace {
        file.persist(&target)
    } else {
        file.persist_noclobber(&target)
    };
    done.map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::new(Kind::Usage, format!("{} is there already", path.display()))
                .hint("--force replaces it; -f FILE writes another one")
        }
        _ => CliError::failed(format!("{}: {}", what(), error.error)),
    })?;
    // The name itself is on the disk once its folder is.
    if let Ok(folder) = File::open(&folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The text of a file that holds secrets; `None` if there is no such file.
pub fn read_secret(path: &Path) -> Result<Option<Secret>, CliError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::failed(format!(
            "can't read {}: {error}",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_is_named_and_not_made() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let missing = folder.path().join("no");
        let Err(error) = write(&missing.join("x.conf"), b"new", 0o600, true) else {
            return Err("written".into());
        };
        assert_eq!(error.kind, Kind::Usage);
        let text = format!("there is no folder {}", missing.display());
        assert!(error.message.ends_with(&text), "{}", error.message);
        assert!(!missing.exists());
        Ok(())
    }

    #[test]
    fn files_are_replaced_only_if_asked_and_links_stay() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::os::unix::fs::symlink(&real, &link)?;
        std::fs::write(&real, "old")?;
        assert!(write(&link, b"new", 0o600, false).is_err());
        assert_eq!(std::fs::read_to_string(&real)?, "old");
        assert!(write(&link, b"new", 0o600, true).is_ok());
        assert_eq!(std::fs::read_to_string(&real)?, "new");
        assert!(std::fs::symlink_metadata(&link)?.is_symlink());
        assert_eq!(
            std::fs::metadata(&real)?.permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            std::fs::read_dir(folder.path())?.count(),
            2,
            "temporary files are gone"
        );
        Ok(())
    }
}
