//! What labs share on this computer: who works on which lab, where labs are, and kernel settings
//! that were changed for them and go back when the last lab is gone.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{At, Error, Result};
use crate::state::{read_json, write_json};

/// Gone after a restart of the computer, as are bridges, groups and kernel settings.
const RUN: &str = "/run/bramble-lab";

/// How long a call waits for another one on the same lab: bringing one up takes minutes at most.
const LOCK_LIMIT: Duration = Duration::from_secs(300);

/// Kernel settings that have no namespace: a machine (the kubelet in it, say) that sets one sets it
/// for this computer. They are put back with the last lab.
const SHARED: [&str; 8] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "vm/max_map_count",
    "vm/swappiness",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

const FORWARD: &str = "net/ipv4/ip_forward";

/// Settings that labs need on this computer: at least this number. Each systemd takes about ten
/// inotify instances, containers more.
const NEEDED: [(&str, u64); 3] = [
    ("fs/inotify/max_user_instances", 8192),
    ("fs/inotify/max_user_watches", 524_288),
    (FORWARD, 1),
];

/// An exclusive lock, released when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// The lock of one lab.
    pub(crate) fn lab(name: &str, waiting: impl FnOnce(Duration)) -> Result<Self> {
        Self::take(name, waiting)
    }

    /// The lock over names, ranges and shared settings; held for moments only.
    pub(crate) fn all() -> Result<Self> {
        Self::take("*", |_| {})
    }

    fn take(name: &str, waiting: impl FnOnce(Duration)) -> Result<Self> {
        let file_name = if name == "*" { ".all" } else { name };
        let path = Path::new(RUN).join(format!("{file_name}.lock"));
        let begin = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            std::fs::create_dir_all(RUN).at("make", Path::new(RUN))?;
            let file = File::create(&path).at("make", &path)?;
            match file.try_lock() {
                Ok(()) => {
                    // The holder before us may have removed the file: then this lock guards nothing.
                    let mine = file.metadata().at("look at", &path)?.ino();
                    if std::fs::metadata(&path).is_ok_and(|m| m.ino() == mine) {
                        return Ok(Self { _file: file, path });
                    }
                }
                Err(std::fs::TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting(LOCK_LIMIT);
                    }
                    if begin.elapsed() > LOCK_LIMIT {
                        return Err(Error::Locked {
                            lab: name.to_owned(),
                            waited: LOCK_LIMIT,
                        });
                    }
                    std::thread::sleep(Duration::from_millis(25));
                }
                Err(std::fs::TryLockError::Error(e)) => return Err(e).at("lock", &path),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still held, so that nobody can hold a lock on a file that goes away.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_dir(RUN);
    }
}

/// The state directories of all labs that this computer has seen since its start.
pub(crate) fn registered() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(RUN) else {
        return found;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(lab) = name.strip_suffix(".lab")
            && let Ok(Some(dir)) = read_json::<PathBuf>(&entry.path())
        {
            found.insert(lab.to_owned(), dir);
        }
    }
    found
}

/// Records where a lab is. Under [`Lock::all`].
pub(crate) fn register(lab: &str, dir: &Path) -> Result<()> {
    write_json(&Path::new(RUN).join(format!("{lab}.lab")), &dir)
}

/// Forgets a lab and, if it was the last, puts the kernel's settings back. Under [`Lock::all`].
pub(crate) fn unregister(lab: &str) -> Result<()> {
    let path = Path::new(RUN).join(format!("{lab}.lab"));
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e).at("remove", &path),
    }
    if !registered().is_empty() {
        return Ok(());
    }
    let path = settings_path();
    let before: Option<BTreeMap<String, String>> = read_json(&path)?;
    for (key, value) in before.unwrap_or_default() {
        if setting(&key).as_deref() != Some(value.as_str()) {
            let file = Path::new("/proc/sys").join(&key);
            std::fs::write(&file, &value).at("put back", &file)?;
        }
    }
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).at("remove", &path),
        _ => Ok(()),
    }
}

/// Raises what labs need, recording the values before. Under [`Lock::all`].
///
/// `forward` says whether a lab has a way outside through this computer.
pub(crate) fn prepare_settings(forward: bool) -> Result<()> {
    let path = settings_path();
    if read_json::<BTreeMap<String, String>>(&path)?.is_none() {
        let before: BTreeMap<String, String> = SHARED
            .iter()
            .chain(NEEDED.iter().map(|(key, _)| key))
            .filter_map(|key| Some(((*key).to_owned(), setting(key)?)))
            .collect();
        write_json(&path, &before)?;
    }
    for (key, least) in NEEDED {
        if key == FORWARD && !forward {
            continue;
        }
        let Some(value) = setting(key) else { continue };
        if value.parse::<u64>().is_ok_and(|v| v < least) {
            let file = Path::new("/proc/sys").join(key);
            std::fs::write(&file, least.to_string()).at("write", &file)?;
        }
    }
    Ok(())
}

fn settings_path() -> PathBuf {
    Path::new(RUN).join("settings.json")
}

fn setting(key: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new("/proc/sys").join(key)).ok()?;
    Some(text.trim().to_owned())
}
