//! Programs that the build calls. What is missing is named all at once.

use std::path::{Path, PathBuf};

use bramble_spec::cluster::Arch;

use crate::Error;

/// Go as Debian 12 has it. Newer releases refuse parts of this Kubernetes' vendored code.
pub(crate) const GO: &str = "/usr/lib/go-1.19/bin/go";

/// Room for sources, compiler cache, programs and images, in bytes.
const ROOM: u64 = 6 << 30;

/// This computer's architecture; programs are built for no other.
pub(crate) fn arch() -> Result<Arch, Error> {
    crate::build::host_arch().ok_or_else(|| {
        Error::Request(format!(
            "building from Debian's source works on amd64 and arm64, not on {}; use --from upstream",
            std::env::consts::ARCH
        ))
    })
}

/// Checks that everything is there that the build calls.
pub(crate) fn check(arch: Arch, search: &str, cache: &Path) -> Result<(), Error> {
    let mut missing = Vec::new();
    let mut packages = Vec::new();
    let mut want = |there: bool, what: &str, package: &'static str| {
        if !there {
            missing.push(format!("{what} ({package})"));
            if !packages.contains(&package) {
                packages.push(package);
            }
        }
    };
    for (program, package) in [
        ("apt-get", "apt"),
        ("dpkg-deb", "dpkg"),
        ("dpkg-source", "dpkg-dev"),
        ("gcc", "gcc"),
    ] {
        want(in_path(search, program), program, package);
    }
    want(Path::new(GO).exists(), GO, "golang-1.19-go");
    want(static_libc(arch).exists(), "libc.a", "libc6-dev");
    if !missing.is_empty() {
        return Err(Error::MissingTools {
            missing,
            remedy: format!(
                "apt-get install -y --no-install-recommends {}",
                packages.join(" ")
            ),
        });
    }
    let stat = rustix::fs::statvfs(cache).map_err(|e| Error::io("look at", cache)(e.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < ROOM && !cache.join("stages").exists() {
        return Err(Error::Request(format!(
            "{} has {} GB free, the build needs {} GB; choose another folder with --cache",
            cache.display(),
            free >> 30,
            ROOM >> 30
        )));
    }
    Ok(())
}

/// Debian's name for the architecture's library folder.
pub(crate) fn multiarch(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "x86_64-linux-gnu",
        Arch::Arm64 => "aarch64-linux-gnu",
    }
}

fn static_libc(arch: Arch) -> PathBuf {
    Path::new("/usr/lib").join(multiarch(arch)).join("libc.a")
}

fn in_path(search: &str, program: &str) -> bool {
    std::env::split_paths(search).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_missing_is_named_at_once_with_one_remedy() {
        let empty = tempfile::tempdir().unwrap();
        let error = check(
            Arch::Amd64,
            &empty.path().display().to_string(),
            empty.path(),
        )
        .unwrap_err();
        let text = error.to_string();
        for word in ["apt-get (apt)", "dpkg-source (dpkg-dev)", "gcc (gcc)"] {
            assert!(text.contains(word), "{text}");
        }
        assert!(text.contains("apt-get install -y"), "{text}");
    }
}
