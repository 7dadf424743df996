//! The root image: one Debian tree, built once, over which every machine's disk lies.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::apt::{Access, SUITE};
use crate::command::{Run, run};
use crate::error::{At, Error, Result};
use crate::event::{Event, WaitFor};

/// Where root images are kept unless said otherwise.
pub const DEFAULT_CACHE: &str = "/var/cache/bramble/lab";

/// Changes whenever the way an image is made changes.
const RECIPE: &str = "1";

/// Downloading and unpacking 150 packages, on a slow line.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// What a small Debian server has.
const PACKAGES: [&str; 14] = [
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "kmod",
    "netbase",
    "nftables",
    "openssh-client",
    "openssh-server",
    "procps",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tzdata",
];

const FURNISH: &str = include_str!("assets/furnish.sh");

/// Files of the image beside the packages': path, text, mode.
const FILES: [(&str, &str, u32); 8] = [
    (
        "usr/lib/bramble-lab/resolv",
        include_str!("assets/resolv.sh"),
        0o755,
    ),
    (
        "usr/lib/bramble-lab/dhcp",
        include_str!("assets/dhcp.sh"),
        0o755,
    ),
    (
        "usr/lib/systemd/system/bramble-lab-dhcp.service",
        include_str!("assets/dhcp.service"),
        0o644,
    ),
    (
        "usr/lib/bramble-lab/early",
        include_str!("assets/early.sh"),
        0o755,
    ),
    (
        "usr/lib/systemd/system/bramble-lab-early.service",
        include_str!("assets/early.service"),
        0o644,
    ),
    (
        "usr/lib/systemd/system/bramble-lab-resolv.service",
        include_str!("assets/resolv.service"),
        0o644,
    ),
    (
        "usr/lib/systemd/system/bramble-lab-resolv.path",
        include_str!("assets/resolv.path"),
        0o644,
    ),
    // The kernel's log is this computer's: it belongs in no machine's journal.
    (
        "usr/lib/systemd/journald.conf.d/bramble-lab.conf",
        "[Journal]\nReadKMsg=no\nSystemMaxUse=64M\n",
        0o644,
    ),
];

/// What the image is made of beside its recipe.
#[derive(Debug, Clone, Default)]
pub struct ImageOptions {
    /// More packages of Debian, such as for a bench that measures without their installation.
    pub packages: Vec<String>,
}

/// Where the image with these options is or would be: its name is a digest of everything that it is
/// made of, so a changed recipe or package source makes another image.
///
/// # Errors
/// When this computer's package sources can't be read.
pub fn image_path(cache: &Path, options: &ImageOptions) -> Result<PathBuf> {
    Ok(Recipe::new(options)?.path(cache))
}

/// Makes the image, unless it is in the cache already; its path. Takes half a minute and some 300 MB.
///
/// # Errors
/// When packages can't be fetched, or the cache can't be written.
pub fn root_image(
    cache: &Path,
    options: &ImageOptions,
    progress: &dyn Fn(Event),
) -> Result<PathBuf> {
    let begin = Instant::now();
    let recipe = Recipe::new(options)?;
    let path = recipe.path(cache);
    let ready = |cached| {
        progress(Event::ImageReady {
            path: path.clone(),
            cached,
            took: begin.elapsed(),
        });
        Ok(path.clone())
    };
    if path.is_dir() {
        return ready(true);
    }
    std::fs::create_dir_all(cache).at("make", cache)?;
    let _lock = lock(cache, progress)?;
    if path.is_dir() {
        return ready(true);
    }
    remove_unfinished(cache)?;
    let work = cache.join(format!(".building-{}", std::process::id()));
    std::fs::create_dir(&work).at("make", &work)?;
    let built = recipe.build(&work, progress);
    let renamed = built.and_then(|root| std::fs::rename(&root, &path).at("rename to", &path));
    let removed = std::fs::remove_dir_all(&work).at("remove", &work);
    renamed.and(removed)?;
    ready(false)
}

/// One build at a time; released when the file is closed.
fn lock(cache: &Path, progress: &dyn Fn(Event)) -> Result<File> {
    let path = cache.join(".lock");
    let file = File::create(&path).at("make", &path)?;
    let begin = Instant::now();
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
            Err(TryLockError::WouldBlock) if begin.elapsed() > BUILD_LIMIT => {
                return Err(Error::ImageLocked {
                    path,
                    waited: BUILD_LIMIT,
                });
            }
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut said, true) {
                    progress(Event::Waiting {
                        machine: None,
                        what: WaitFor::Image,
                        limit: BUILD_LIMIT,
                    });
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// What a build that was killed left. Under the cache's lock.
fn remove_unfinished(cache: &Path) -> Result<()> {
    for entry in std::fs::read_dir(cache).at("read", cache)?.flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(".building-")
        {
            let path = entry.path();
            std::fs::remove_dir_all(&path).at("remove", &path)?;
        }
    }
    Ok(())
}

struct Recipe {
    packages: Vec<String>,
    access: Access,
}

impl Recipe {
    fn new(options: &ImageOptions) -> Result<Self> {
        let mut packages: Vec<String> = PACKAGES.iter().map(|p| (*p).to_owned()).collect();
        packages.extend(options.packages.iter().cloned());
        packages.sort();
        packages.dedup();
        Ok(Self {
            packages,
            access: Access::of_this_computer()?,
        })
    }

    fn path(&self, cache: &Path) -> PathBuf {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(RECIPE.as_bytes());
        add(FURNISH.as_bytes());
        add(self.packages.join(" ").as_bytes());
        for text in [
            &self.access.sources,
            &self.access.list,
            &self.access.configuration,
            &self.access.environment,
        ] {
            add(text.as_bytes());
        }
        for (name, bytes) in &self.access.certificates {
            add(name.as_bytes());
            add(bytes);
        }
        for (path, bytes) in &self.access.files {
            add(path.as_os_str().as_encoded_bytes());
            add(bytes);
        }
        for (path, text, _) in FILES {
            add(path.as_bytes());
            add(text.as_bytes());
        }
        let mut name = hex::encode(hash.finalize());
        name.truncate(16);
        cache.join(name)
    }

    /// Builds below `work`; the finished tree.
    fn build(&self, work: &Path, progress: &dyn Fn(Event)) -> Result<PathBuf> {
        let root = work.join("root");
        let place = |name: &str| work.join(name).to_string_lossy().into_owned();
        let mut args = vec![
            "--variant=minbase".to_owned(),
            "--mode=root".to_owned(),
            "--skip=cleanup/apt/lists".to_owned(),
            format!("--include={}", self.packages.join(",")),
        ];
        write(work, "apt.conf", &self.access.configuration, 0o600)?;
        args.push(format!("--aptopt={}", place("apt.conf")));
        args.extend([SUITE.to_owned(), root.to_string_lossy().into_owned()]);
        for (name, text) in [
            ("debian.sources", &self.access.sources),
            ("debian.list", &self.access.list),
        ] {
            if !text.is_empty() {
                write(work, name, text, 0o644)?;
                args.push(place(name));
            }
        }
        Run::new("build the root image", "mmdebstrap", &args)
            .limit(BUILD_LIMIT)
            .lines(|line| {
                progress(Event::ImageProgress {
                    line: line.to_owned(),
                });
            })?;
        self.furnish(&root)?;
        Ok(root)
    }

    /// What packages don't do.
    fn furnish(&self, root: &Path) -> Result<()> {
        let access = &self.access;
        let mode = |text: &str| if Access::secret(text) { 0o600 } else { 0o644 };
        // mmdebstrap's own names for these would puzzle a reader of the machine's /etc.
        clear(&root.join("etc/apt/sources.list.d"))?;
        let _ = std::fs::remove_file(root.join("etc/apt/apt.conf.d/99mmdebstrap"));
        let _ = std::fs::remove_file(root.join("etc/apt/sources.list"));
        for (path, text) in [
            ("etc/apt/sources.list.d/debian.sources", &access.sources),
            ("etc/apt/sources.list", &access.list),
            ("etc/apt/apt.conf.d/90bramble-lab", &access.configuration),
            ("etc/environment", &access.environment),
        ] {
            if !text.is_empty() {
                write(root, path, text, mode(text))?;
            }
        }
        let mut trusted: BTreeMap<PathBuf, &[u8]> = BTreeMap::new();
        for (name, bytes) in &access.certificates {
            let path = Path::new("usr/local/share/ca-certificates").join(name);
            trusted.insert(path, bytes);
        }
        for (path, bytes) in &access.files {
            trusted.insert(path.strip_prefix("/").unwrap_or(path).to_owned(), bytes);
        }
        for (path, bytes) in trusted {
            let path = root.join(path);
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir).at("make", dir)?;
            }
            std::fs::write(&path, bytes).at("write", &path)?;
        }
        for (path, text, mode) in FILES {
            write(root, path, text, mode)?;
        }
        // Each machine gets its own identity.
        for entry in std::fs::read_dir(root.join("etc/ssh"))
            .at("read", &root.join("etc/ssh"))?
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
                std::fs::remove_file(entry.path()).at("remove", &entry.path())?;
            }
        }
        let id = root.join("etc/machine-id");
        std::fs::write(&id, "").at("write", &id)?;
        Run::new("furnish the root image", "sh", ["-eu", "-s", "--"])
            .env("ROOT", &root.to_string_lossy())
            .input(FURNISH.to_owned())
            .limit(Duration::from_secs(120))
            .output()?;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(root, mode).at("set the mode of", root)?;
        // The rename that follows says "complete": what it names must be on the disk.
        run(
            "write the root image to the disk",
            "sync",
            ["-f", &root.to_string_lossy()],
        )?;
        Ok(())
    }
}

fn clear(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir).at("read", dir)?.flatten() {
        std::fs::remove_file(entry.path()).at("remove", &entry.path())?;
    }
    Ok(())
}

fn write(root: &Path, path: &str, text: &str, mode: u32) -> Result<()> {
    let path = root.join(path);
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).at("make", dir)?;
    }
    crate::state::write_file(&path, text, mode)
}
