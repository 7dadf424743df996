//! The folders and files that a cluster file names. Whoever wrote them may have left anything there:
//! only plain files with plain names are read, and everything else is said at once, before any
//! connection.

use crate::error::CliError;
use bramble_blueprint::Assets;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Addon, PodNetwork};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: 64 MiB.
const LARGEST: u64 = 64 << 20;

/// How many folders a file may lie deep.
const DEEPEST: usize = 16;

/// Reads what the cluster file names. `folder` is the cluster file's own.
///
/// # Errors
/// All problems in one, as wrong use.
pub fn read(cluster: &Cluster, folder: &Path) -> Result<Assets, CliError> {
    let mut out = Assets::new();
    let mut problems = Vec::new();
    if let PodNetwork::Custom { dir } = &cluster.pod_network {
        let root = folder.join(crate::context::expand(dir));
        let mut reader = Reader::default();
        for part in ["conf", "bin"] {
            reader.folder(&root.join(part), part, 0);
        }
        if reader.problems.is_empty() && !reader.files.keys().any(|k| k.starts_with("conf/")) {
            reader.problems.push(format!(
                "podNetwork.dir {dir} holds no conf/ with a CNI configuration: put the plug-in's \
                 configuration in conf/ and its programs in bin/"
            ));
        }
        problems.append(&mut reader.problems);
        out.insert(dir.clone(), reader.files);
    }
    for addon in &cluster.addons {
        if let Addon::Manifests { path, .. } = addon {
            let mut reader = Reader::default();
            reader.root(&folder.join(crate::context::expand(path)));
            for (file, bytes) in &reader.files {
                if let Err(what) = bramble_blueprint::manifests(file, bytes) {
                    reader.problems.push(format!("{path}: {file} {what}"));
                }
            }
            problems.append(&mut reader.problems);
            out.insert(path.clone(), reader.files);
        }
    }
    for path in cluster.mirrors.trust.values() {
        let mut reader = Reader::default();
        let place = folder.join(crate::context::expand(path));
        // Under no name: it is what was named itself.
        reader.file(&place, "");
        if let Some(fault) = reader.files.get("").and_then(|text| no_certificate(text)) {
            reader.wrong(&place, fault);
        }
        problems.append(&mut reader.problems);
        out.entry(path.clone())
            .or_default()
            .append(&mut reader.files);
    }
    if problems.is_empty() {
        return Ok(out);
    }
    let what = "what the cluster file names can't be used";
    Err(CliError::usage(format!("{what}: {}", problems.join("\n  "))).hint(
        "only regular files are read, with names of letters, digits, '.', '_' and '-'; hidden files \
         and editors' backups are left out",
    ))
}

/// Why this is nothing that every machine may have and that others are judged by.
fn no_certificate(text: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(text);
    if text.contains("PRIVATE KEY-----") {
        return Some("it holds a private key: leave only the certificate in it");
    }
    let has = text.contains("-----BEGIN CERTIFICATE-----");
    (!has).then_some("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
}

#[derive(Default)]
struct Reader {
    files: BTreeMap<String, Vec<u8>>,
    problems: Vec<String>,
}

impl Reader {
    fn wrong(&mut self, path: &Path, what: impl std::fmt::Display) {
        self.problems.push(format!("{}: {what}", path.display()));
    }

    /// A file, or a folder with all that is below it. Here a link is followed: it is what was named.
    fn root(&mut self, path: &Path) {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.folder(path, "", DEEPEST),
            Ok(_) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                self.file(path, &name);
            }
            Err(error) => self.wrong(path, error),
        }
    }

    /// The files of a folder, and those of its folders as far as `deeper` allows. A folder of `conf/`
    /// or `bin/` that is not there holds nothing.
    fn folder(&mut self, dir: &Path, inside: &str, deeper: usize) {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && deeper == 0 => return,
            Err(error) => return self.wrong(dir, error),
        };
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.wrong(dir, error),
            }
        }
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if left_out(&name) {
                continue;
            }
            if !plain(&name) {
                self.wrong(&path, "this name has other characters than are allowed");
                continue;
            }
            let below = match inside {
                "" => name.into_owned(),
                inside => format!("{inside}/{name}"),
            };
            match std::fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_symlink() => {
                    self.wrong(&path, "it is a symbolic link; put the file itself there");
                }
                Ok(meta) if meta.is_dir() && deeper == 0 => {
                    self.wrong(&path, "there may be no folder here");
                }
                Ok(meta) if meta.is_dir() => self.folder(&path, &below, deeper - 1),
                Ok(_) => self.file(&path, &below),
                Err(error) => self.wrong(&path, error),
            }
        }
    }

    fn file(&mut self, path: &Path, inside: &str) {
        // Looked at again once it is open: opening a pipe must not block, and what was looked at
        // before may have been exchanged.
        let flags = rustix::fs::OFlags::RDONLY
            | rustix::fs::OFlags::NONBLOCK
            | rustix::fs::OFlags::NOCTTY
            | rustix::fs::OFlags::CLOEXEC;
        match std::fs::metadata(path) {
            Ok(meta) if !meta.is_file() => {
                return self.wrong(path, "it is no regular file (a pipe, a socket, a device)");
            }
            Ok(_) => {}
            Err(error) => return self.wrong(path, error),
        }
        let open = rustix::fs::open(path, flags, rustix::fs::Mode::empty());
        let file = match open {
            Ok(file) => std::fs::File::from(file),
            Err(error) => return self.wrong(path, std::io::Error::from(error)),
        };
        match file.metadata() {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => return self.wrong(path, "it is no regular file (a pipe, a socket, a device)"),
            Err(error) => return self.wrong(path, error),
        }
        let mut bytes = Vec::new();
        match file.take(LARGEST + 1).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 > LARGEST => {
                self.wrong(path, format!("it is larger than {} MiB", LARGEST >> 20));
            }
            Ok(_) => {
                self.files.insert(inside.to_owned(), bytes);
            }
            Err(error) => self.wrong(path, error),
        }
    }
}

/// Hidden files and what editors leave behind: nobody means them.
fn left_out(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp")
}

fn plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.chars().all(allowed)
}
