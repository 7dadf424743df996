//! Making a bundle.

use std::path::{Path, PathBuf};

use bramble_spec::cluster::{Arch, Version};

use reqwest::Url;

use crate::bundle::Bundle;
use crate::fetch::Patience;
use crate::upstream::Upstream;
use crate::{Error, Event, debian, mirror, upstream};

/// Where a bundle's content comes from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Source {
    /// Debian 12's source package of Kubernetes 1.20 and Debian's packages. Needs a Debian mirror and about
    /// 4 minutes on 2 cores; for this computer's architecture only.
    Debian {
        /// Folder for intermediate results, e.g. [`DEBIAN_CACHE`]; about 5 GB. A second build with the same
        /// cache is quick, a killed one goes on after its last finished stage.
        cache: PathBuf,
        /// The programs call themselves this release, 1.20 to 1.22, instead of 1.20.2. For tests of upgrades.
        as_version: Option<Version>,
    },
    /// Kubernetes' release site and registry, and the projects' sites of the tools beside it.
    Upstream(Box<Upstream>),
    /// A web server that has a bundle's folder as it is.
    Mirror {
        /// Address of the folder with `bundle.json`.
        base: Url,
        /// How long transfers go on trying.
        patience: Patience,
    },
}

/// The usual folder for intermediate results of [`Source::Debian`].
pub const DEBIAN_CACHE: &str = "/var/cache/bramble/build";

/// Makes the bundle of a Kubernetes release for some architectures in `dir`. No architectures: this computer's
/// own, or all that a mirror has. A sound bundle of the same source and release that is already there is left
/// as it is: every blob is read for that, and what is damaged is replaced.
///
/// # Errors
/// Whatever goes wrong, with the last lines of a failed program or the address of a failed transfer.
/// Nothing half-done ever looks like a bundle: `bundle.json` is written last.
pub async fn build(
    source: Source,
    version: Version,
    archs: &[Arch],
    dir: impl AsRef<Path>,
    events: impl Fn(Event) + Send + Sync,
) -> Result<Bundle, Error> {
    let dir = dir.as_ref();
    match source {
        Source::Debian { cache, as_version } => {
            if version != debian::VERSION {
                return Err(Error::Request(format!(
                    "Debian's source package is Kubernetes {}, not {version}; ask for {0}, or use --from upstream",
                    debian::VERSION
                )));
            }
            debian::build(&cache, as_version.unwrap_or(version), archs, dir, &events).await
        }
        Source::Upstream(from) => {
            let own = host_arch();
            let archs = if archs.is_empty() {
                own.as_slice()
            } else {
                archs
            };
            if archs.is_empty() {
                return Err(Error::Request(
                    "say for which architecture: amd64, arm64".into(),
                ));
            }
            upstream::build(&from, version, archs, dir, &events).await
        }
        Source::Mirror { base, patience } => {
            mirror::build(&base, patience, version, archs, dir, &events).await
        }
    }
}

/// This computer's architecture, if Kubernetes machines may have it.
pub(crate) fn host_arch() -> Option<Arch> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Arch::Amd64),
        "aarch64" => Some(Arch::Arm64),
        _ => None,
    }
}
