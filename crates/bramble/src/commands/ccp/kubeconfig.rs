//! A cluster's kubeconfig as a file of its own. What Bramble didn't write there is left alone.

use crate::error::CliError;
use crate::files;
use bramble_secret::Secret;
use std::io::ErrorKind;
use std::path::Path;

/// The first line of what is written, before the cluster's name.
const MARK: &str = "# Written by `bramble ccp up` for the cluster ";

/// Writes it, readable by its owner alone. Whether it was another one before.
pub fn write(path: &Path, cluster: &str, kubeconfig: &Secret) -> Result<bool, CliError> {
    if is_foreign(path, cluster)? {
        let what = format!(
            "{} is another file; the kubeconfig isn't written",
            path.display()
        );
        return Err(CliError::failed(what).hint("name another place in spec.kubeconfig"));
    }
    let text = Secret::new(format!("{MARK}{cluster}\n{}", kubeconfig.expose()));
    if files::read_secret(path)?.as_ref() == Some(&text) {
        return Ok(false);
    }
    files::write(path, text.expose().as_bytes(), 0o600, true)?;
    Ok(true)
}

/// Deletes it once its cluster is gone.
pub fn delete(path: &Path, cluster: &str) -> Result<(), CliError> {
    if is_foreign(path, cluster)? {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(CliError::failed(format!(
            "can't delete {}: {error}",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Whether there is something else.
fn is_foreign(path: &Path, cluster: &str) -> Result<bool, CliError> {
    let found = files::read_secret(path)?;
    let first = found
        .as_ref()
        .map(|text| text.expose().lines().next().unwrap_or_default());
    Ok(first.is_some_and(|line| line.strip_prefix(MARK) != Some(cluster)))
}
