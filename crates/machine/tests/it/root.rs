//! The root file system of the tests: a minimal Debian, made once and kept.

use sha2::Digest;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Everything that decides what the root holds; a change makes a new one.
const PACKAGES: &str =
    "sudo,procps,tzdata,kmod,ca-certificates,iproute2,ifupdown,nftables,xfsprogs,wpasupplicant";
const SUITE: &str = "bookworm";
const KEPT: &str = "/var/cache/bramble/test-roots";

/// The root, or why there is none on this computer.
pub fn root() -> Result<&'static Path, String> {
    static ROOT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    ROOT.get_or_init(make).as_deref().map_err(Clone::clone)
}

fn make() -> Result<PathBuf, String> {
    let output = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).output();
        out.map_err(|e| format!("{program} does not start: {e}"))
    };
    if output("id", &["-u"])?.stdout != b"0\n" {
        return Err("needs root".into());
    }
    output("mmdebstrap", &["--version"]).map_err(|_| "mmdebstrap is absent".to_owned())?;
    let sources = [
        "/etc/apt/sources.list.d/debian.sources",
        "/etc/apt/sources.list",
    ]
    .into_iter()
    .find(|p| std::fs::read_to_string(p).is_ok_and(|t| t.contains(SUITE)))
    .unwrap_or_default();
    let recipe = format!(
        "{PACKAGES} {SUITE} {}",
        std::fs::read_to_string(sources).unwrap_or_default()
    );
    let name = hex::encode(&sha2::Sha256::digest(recipe)[..8]);
    let path = Path::new(KEPT).join(name);
    std::fs::create_dir_all(KEPT).map_err(|e| format!("{KEPT}: {e}"))?;
    let lock = std::fs::File::create(Path::new(KEPT).join("lock")).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| format!("lock in {KEPT}: {e}"))?;
    if path.exists() {
        return Ok(path);
    }
    let work = tempfile::Builder::new()
        .prefix("new-")
        .tempdir_in(KEPT)
        .map_err(|e| e.to_string())?;
    let new = work.path().join("root");
    let new_name = new.display().to_string();
    let include = format!("--include={PACKAGES}");
    let mut args = vec!["--variant=minbase", &include, SUITE, &new_name];
    args.extend((!sources.is_empty()).then_some(sources));
    let made = output("mmdebstrap", &args)?;
    assert!(
        made.status.success(),
        "mmdebstrap: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    // Lists are there from the start, so that an installation adds nothing but packages.
    std::fs::copy("/etc/resolv.conf", new.join("etc/resolv.conf")).map_err(|e| e.to_string())?;
    let _ = std::fs::remove_file(new.join("etc/apt/apt.conf.d/99mmdebstrap"));
    let update = output("chroot", &[&new_name, "apt-get", "-q", "update"])?;
    assert!(
        update.status.success(),
        "apt-get update: {}",
        String::from_utf8_lossy(&update.stderr)
    );
    std::fs::rename(&new, &path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}
