//! Bundles on this computer.

use crate::context::cache_dir;
use crate::error::{CliError, Explain, chain};
use bramble_bundle::Bundle;
use bramble_spec::Cluster;
use std::path::{Path, PathBuf};

/// Folders in which bundles are looked for.
/// The first is the user's own, the second for everybody on this computer.
pub fn dirs() -> [PathBuf; 2] {
    [
        cache_dir().join("bundles"),
        PathBuf::from("/var/cache/bramble/bundles"),
    ]
}

/// What a search for a bundle found.
pub struct Found {
    /// The bundle that fits.
    pub bundle: Option<Bundle>,
    /// Folders that could not be opened as bundles, and why.
    pub broken: Vec<String>,
}

/// The bundle that a cluster uses: the named one, or the first on this computer that fits.
pub fn find(cluster: &Cluster, named: Option<&Path>) -> Result<Found, CliError> {
    if let Some(dir) = named {
        let bundle = Bundle::open(dir).explain(format!("the bundle {}", dir.display()))?;
        let (have, want) = (bundle.index().kubernetes, cluster.kubernetes.version);
        if have != want {
            let message = format!(
                "{} holds Kubernetes {have}, the file wants {want}",
                dir.display()
            );
            return Err(
                CliError::usage(message).hint("name another bundle, or change kubernetes.version")
            );
        }
        return Ok(Found {
            bundle: Some(bundle),
            broken: Vec::new(),
        });
    }
    let (all, broken) = local();
    let fits = |b: &Bundle| b.index().kubernetes == cluster.kubernetes.version;
    Ok(Found {
        bundle: all.into_iter().find(fits),
        broken,
    })
}

/// All bundles of this computer, and those that can't be opened, with the reason.
pub fn local() -> (Vec<Bundle>, Vec<String>) {
    let folders = dirs().into_iter().filter_map(|d| std::fs::read_dir(d).ok());
    // A bundle that is being built has a name with a dot in front.
    let hidden = |e: &std::fs::DirEntry| e.file_name().to_string_lossy().starts_with('.');
    let mut folders: Vec<PathBuf> = folders
        .flatten()
        .flatten()
        .filter(|e| !hidden(e))
        .map(|e| e.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let (mut all, mut broken) = (Vec::new(), Vec::new());
    for dir in &folders {
        match Bundle::open(dir) {
            Ok(bundle) => all.push(bundle),
            Err(error) => broken.push(format!("{}: {}", dir.display(), chain(&error))),
        }
    }
    (all, broken)
}

/// A sentence about a missing bundle, with the folders that might have been it.
pub fn with_broken(what: String, broken: &[String]) -> String {
    match broken {
        [] => what,
        broken => format!("{what}; these can't be opened: {}", broken.join("; ")),
    }
}
