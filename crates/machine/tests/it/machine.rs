//! One machine of the tests: an overlay over the root in namespaces of its own, so that host name,
//! mounts, processes and the network's parameters are its own as well.

use crate::root::root;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Whether a machine reaches package sources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Its own, empty one.
    Own,
    /// The computer's.
    Shared,
}

/// Held by a test of what the kernel has once for all machines, such as swap: the others wait.
pub fn alone() -> Option<std::fs::File> {
    let base = root().ok()?;
    let lock = std::fs::File::create(base.with_extension("kernel-lock")).expect("a file");
    lock.lock().expect("a lock");
    Some(lock)
}

pub struct Machine {
    dir: tempfile::TempDir,
    holder: Child,
    pid: String,
}

/// What is compared of a path; the time of a folder says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    kind: char,
    mode: u32,
    owner: (u32, u32),
    content: String,
    pub mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Machine {
    /// A machine on which `prepare` was run; `None` (and a line that says why) on a computer that
    /// can't have one.
    pub fn new(prepare: &str) -> Option<Self> {
        Self::with_network(prepare, Network::Own)
    }

    pub fn with_network(prepare: &str, network: Network) -> Option<Self> {
        let base = match root() {
            Ok(base) => base,
            Err(why) => {
                #[allow(clippy::print_stdout)]
                {
                    println!("skipped: {why}");
                }
                return None;
            }
        };
        let dir = tempfile::Builder::new()
            .prefix("bramble-machine-")
            .tempdir()
            .expect("a temporary folder");
        let d = dir.path().display();
        let base = base.display();
        let script = format!(
            r#"set -e
mount --make-rprivate /
# In memory: the programs write everything through to the disk, which here would only cost time.
mount -t tmpfs tmpfs {d}
cd {d}
mkdir prepared work0 first upper work merged before
mount -t overlay overlay -o lowerdir={base},upperdir=prepared,workdir=work0 first
mount -t proc proc first/proc
chroot first sh -es <<'PREPARE' >&2
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
{prepare}
PREPARE
umount first/proc first
mount -t overlay overlay -o lowerdir=prepared:{base} before
mount -t overlay overlay -o lowerdir=prepared:{base},upperdir=upper,workdir=work merged
mount -t proc proc merged/proc
mount -t sysfs -o ro sysfs merged/sys
mount -t tmpfs tmpfs merged/run
mount -t tmpfs tmpfs merged/tmp
echo ready
read -r _ || :
"#
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--uts", "--pid", "--fork", "--kill-child"]);
        if network == Network::Own {
            unshare.arg("--net");
        }
        let mut holder = unshare
            .args(["sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut said = String::new();
        let out = holder.stdout.as_mut().expect("standard output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).expect("a line");
        assert_eq!(said, "ready\n", "the machine could not be made");
        let id = holder.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let pid = children.expect("children of unshare").trim().to_owned();
        Some(Self { dir, holder, pid })
    }

    /// Runs a program as Bramble does: on the standard input of a shell.
    pub fn run(&self, program: &str) -> Output {
        let merged = self.dir.path().join("merged");
        let mut child = Command::new("nsenter")
            .args(["-t", &self.pid, "--mount", "--uts", "--net", "--pid", "--"])
            .arg("chroot")
            .arg(merged)
            .args(["sh", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .spawn()
            .expect("nsenter");
        let mut stdin = child.stdin.take().expect("standard input");
        stdin
            .write_all(program.as_bytes())
            .expect("program is read");
        drop(stdin);
        child.wait_with_output().expect("output")
    }

    /// What somebody else does on the machine; must succeed.
    pub fn hand(&self, script: &str) -> String {
        let out = self.run(&format!("set -e\n{script}\n"));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.success(),
            "{script}: {text}{}",
            String::from_utf8_lossy(&out.stderr)
        );
        text
    }

    fn view(&self, name: &str) -> PathBuf {
        let inside = self.dir.path().join(name);
        let inside = inside
            .strip_prefix("/")
            .expect("an absolute path")
            .to_owned();
        Path::new("/proc").join(&self.pid).join("root").join(inside)
    }

    /// All that was written since the beginning, with times: to see that nothing is.
    pub fn written(&self) -> BTreeMap<PathBuf, Entry> {
        let upper = self.view("upper");
        let mut all = BTreeMap::new();
        walk(&upper, Path::new(""), &mut |path| {
            if let Some(entry) = entry(&upper.join(path)) {
                all.insert(path.to_owned(), entry);
            }
        });
        all
    }

    /// Paths that are not as they were at the beginning, with what differs.
    pub fn differences(&self) -> Vec<String> {
        let upper = self.view("upper");
        let (before, now) = (self.view("before"), self.view("merged"));
        let mut paths = std::collections::BTreeSet::new();
        walk(&upper, Path::new(""), &mut |path| {
            paths.insert(path.to_owned());
            // A folder that was made anew hides what was in the old one.
            for side in [&before, &now] {
                for name in names(&side.join(path)) {
                    paths.insert(path.join(name));
                }
            }
        });
        let mut out = Vec::new();
        for path in paths {
            let name = format!("/{}", path.display());
            let apart = ["/var/lib/bramble", "/run", "/tmp", "/proc", "/sys", "/dev"];
            if apart
                .iter()
                .any(|a| name == *a || name.starts_with(&format!("{a}/")))
            {
                continue;
            }
            match (entry(&before.join(&path)), entry(&now.join(&path))) {
                (None, Some(_)) => out.push(format!("new {name}")),
                (Some(_), None) => out.push(format!("lost {name}")),
                (Some(a), Some(b)) => {
                    if (a.kind, a.mode, a.owner) != (b.kind, b.mode, b.owner) {
                        out.push(format!("kind, mode or owner of {name}"));
                    } else if a.content != b.content {
                        out.push(format!("content of {name}"));
                    } else if a.kind != 'd' && a.mtime != b.mtime {
                        out.push(format!("time of {name}"));
                    }
                }
                (None, None) => {}
            }
        }
        out
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The end of its input ends the first process, and with it all others and all mounts.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    std::fs::read_dir(dir)
        .map(|d| d.flatten().map(|e| e.file_name()).collect())
        .unwrap_or_default()
}

fn walk(top: &Path, path: &Path, visit: &mut impl FnMut(&Path)) {
    for name in names(&top.join(path)) {
        let path = path.join(name);
        visit(&path);
        let meta = std::fs::symlink_metadata(top.join(&path));
        if meta.is_ok_and(|m| m.is_dir()) {
            walk(top, &path, visit);
        }
    }
}

fn entry(path: &Path) -> Option<Entry> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    let kind = meta.file_type();
    let (kind, content) = if kind.is_dir() {
        ('d', String::new())
    } else if kind.is_symlink() {
        let target = std::fs::read_link(path).ok()?;
        ('l', target.display().to_string())
    } else if kind.is_file() {
        use sha2::Digest;
        let bytes = std::fs::read(path).ok()?;
        ('f', hex::encode(sha2::Sha256::digest(bytes)))
    } else if kind.is_char_device() {
        ('c', meta.rdev().to_string())
    } else {
        ('?', String::new())
    };
    Some(Entry {
        kind,
        mode: meta.mode() & 0o7777,
        owner: (meta.uid(), meta.gid()),
        content,
        mtime: (meta.mtime(), meta.mtime_nsec()),
        ctime: (meta.ctime(), meta.ctime_nsec()),
    })
}
