//! Packages and source packages through apt, with a private configuration: the host's own apt state is
//! neither used nor changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::Error;
use crate::exec::Run;
use crate::files::{create_dir, set_mode};

/// Downloads are some tens of megabytes; a mirror slower than this is broken.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A private apt below one folder.
pub(crate) struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Writes the configuration. `list`: deb822 text.
    pub(crate) fn new(dir: &Path, list: &str) -> Result<Apt, Error> {
        for sub in ["lists/partial", "cache/archives/partial"] {
            create_dir(&dir.join(sub))?;
        }
        for (name, text) in [("host.sources", list), ("status", "")] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(Error::io("write", &path))?;
            // An address may hold a password.
            set_mode(&path, 0o600)?;
        }
        Ok(Apt { dir: dir.into() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        let dir = self.dir.display();
        // No dpkg state: dependencies are resolved as for an empty system. As root apt would switch to a
        // user who may not enter our folders.
        for option in [
            format!("Dir::Etc::sourcelist={dir}/host.sources"),
            "Dir::Etc::sourceparts=/dev/null".into(),
            format!("Dir::State::Lists={dir}/lists"),
            format!("Dir::State::status={dir}/status"),
            format!("Dir::Cache={dir}/cache"),
            "APT::Sandbox::User=root".into(),
            "APT::Install-Recommends=false".into(),
            "Acquire::Retries=3".into(),
            "Acquire::http::Timeout=60".into(),
            "Acquire::Languages=none".into(),
        ] {
            command.arg("-o").arg(option);
        }
        command
            .arg("-q")
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn limited<'a>(run: &Run<'a>) -> Run<'a> {
        Run {
            limit: LIMIT,
            ..*run
        }
    }

    /// Fetches the package lists.
    pub(crate) async fn update(&self, run: &Run<'_>) -> Result<(), Error> {
        let mut command = self.command();
        // Without this a failed list is a warning, and the failure shows later as a missing package.
        command.args(["-o", "APT::Update::Error-Mode=any", "update"]);
        Self::limited(run).run(&mut command).await
    }

    /// Fetches a source package, verified by apt, into a folder.
    pub(crate) async fn source(
        &self,
        package: &str,
        into: &Path,
        run: &Run<'_>,
    ) -> Result<(), Error> {
        let mut command = self.command();
        command
            .args(["source", "--download-only", package])
            .current_dir(into);
        Self::limited(run).run(&mut command).await
    }

    /// Fetches packages alone into a folder.
    pub(crate) async fn download(
        &self,
        packages: &[&str],
        into: &Path,
        run: &Run<'_>,
    ) -> Result<(), Error> {
        let mut command = self.command();
        command.arg("download").args(packages).current_dir(into);
        Self::limited(run).run(&mut command).await
    }

    /// Fetches packages with everything that they depend on into a folder.
    pub(crate) async fn download_with_dependencies(
        &self,
        packages: &[&str],
        into: &Path,
        run: &Run<'_>,
    ) -> Result<(), Error> {
        create_dir(&into.join("partial"))?;
        let mut command = self.command();
        command
            .arg("-o")
            .arg(format!("Dir::Cache::archives={}", into.display()))
            .args(["-y", "--download-only", "install"])
            .args(packages);
        Self::limited(run).run(&mut command).await
    }
}

/// Unpacks every package of a folder, in the order of their names.
pub(crate) async fn unpack_all(from: &Path, into: &Path, run: &Run<'_>) -> Result<(), Error> {
    create_dir(into)?;
    for deb in with_extension(from, "deb")? {
        let mut command = Command::new("dpkg-deb");
        command.arg("-x").arg(&deb).arg(into);
        run.run(&mut command).await?;
    }
    Ok(())
}

/// The files of a folder with that extension, sorted.
pub(crate) fn with_extension(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let mut paths = entries
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Error::io("list", dir))?;
    paths.retain(|p| p.extension().is_some_and(|e| e == extension));
    paths.sort();
    Ok(paths)
}
