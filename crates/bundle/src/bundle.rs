//! A bundle on this computer's disk: opening, checking, adding.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use bramble_spec::cluster::{Arch, Role};

use crate::Error;
use crate::event::{Event, Sink};
use crate::files::{self, blocking};
use crate::index::Index;

/// A folder with `bundle.json` and `blobs/sha256/<hex>`.
#[derive(Debug, Clone)]
pub struct Bundle {
    dir: PathBuf,
    index: Index,
}

/// What [`Bundle::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many blobs are as they should be.
    pub good: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Blobs with other content than their name says.
    pub bad: Vec<Finding>,
    /// Blobs that the index names and that are not there.
    pub missing: Vec<Finding>,
    /// Files among the blobs that the index does not name; they do no harm.
    pub superfluous: Vec<PathBuf>,
}

/// A blob that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The artefact's name, with its architecture.
    pub artefact: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong, e.g. both checksums.
    pub problem: String,
}

impl Report {
    /// Nothing is bad or missing. Superfluous files don't count.
    pub fn is_sound(&self) -> bool {
        self.bad.is_empty() && self.missing.is_empty()
    }
}

impl Bundle {
    /// Opens a bundle and reads its index. Blobs are looked at by [`Bundle::verify`] only.
    ///
    /// # Errors
    /// The folder has no `bundle.json`, or one that this release can't read or that contradicts itself.
    pub fn open(dir: impl AsRef<Path>) -> Result<Bundle, Error> {
        let dir = dir.as_ref();
        let path = dir.join("bundle.json");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoBundle { path: dir.into() });
            }
            Err(e) => return Err(Error::io("read", &path)(e)),
        };
        Ok(Bundle {
            dir: dir.into(),
            index: parse_index(&text, &path.display().to_string())?,
        })
    }

    /// What the bundle holds.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The bundle's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the blob with this hash (hexadecimal, as in the index) is.
    pub fn blob_path(&self, sha256: &str) -> PathBuf {
        blob_path(&self.dir, sha256)
    }

    /// Bytes that a machine with this role and architecture receives at most.
    pub fn total_for(&self, role: Role, arch: Arch) -> u64 {
        self.index.total_for(role, arch)
    }

    /// Reads every blob again. `progress` is told the bytes read so far and the bytes in all.
    ///
    /// # Errors
    /// Only if the folder can't be listed or a file can't be read; bad blobs are in the report.
    pub fn verify(&self, mut progress: impl FnMut(u64, u64)) -> Result<Report, Error> {
        let mut wanted = BTreeMap::new();
        for a in &self.index.artefacts {
            wanted
                .entry(a.sha256())
                .or_insert_with(|| (a.size(), format!("{} ({})", a.name(), a.arch().as_str())));
        }
        let total = wanted.values().map(|(size, _)| size).sum();
        let mut report = Report::default();
        for (sha256, (size, artefact)) in &wanted {
            let path = self.blob_path(sha256);
            let finding = |problem: String| Finding {
                artefact: artefact.clone(),
                path: path.clone(),
                problem,
            };
            match std::fs::metadata(&path) {
                Ok(_) => {
                    let (got, bytes) = files::hash_file(&path)?;
                    report.bytes += bytes;
                    if got != *sha256 {
                        report
                            .bad
                            .push(finding(format!("its content has sha256 {got}")));
                    } else if bytes != *size {
                        let problem = format!("it has {bytes} bytes, the index says {size}");
                        report.bad.push(finding(problem));
                    } else {
                        report.good += 1;
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    report.missing.push(finding("there is no such file".into()));
                }
                Err(e) => return Err(Error::io("read", &path)(e)),
            }
            progress(report.bytes, total);
        }
        report.superfluous = list_blobs(&self.dir)?
            .into_iter()
            .filter(|p| {
                let name = p.file_name().and_then(|n| n.to_str());
                name.is_none_or(|n| !wanted.contains_key(n))
            })
            .collect();
        Ok(report)
    }

    /// Whether every blob is there with the right size. Cheap; says nothing about content.
    pub fn is_complete(&self) -> bool {
        self.index.artefacts.iter().all(|a| {
            std::fs::metadata(self.blob_path(a.sha256())).is_ok_and(|m| m.len() == a.size())
        })
    }
}

/// The bundle that a build would make again, if it is there already and sound. What is damaged in it is
/// said, and for the build to replace.
pub(crate) async fn standing(
    dir: &Path,
    key: &str,
    events: Sink<'_>,
) -> Result<Option<Bundle>, Error> {
    let bundle = match Bundle::open(dir) {
        Ok(bundle) if bundle.index.source.key == key && bundle.is_complete() => bundle,
        _ => return Ok(None),
    };
    let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
    let work = blocking("verifying the bundle", move || {
        let report = bundle.verify(|done, total| {
            let _ = say.send((done, total));
        })?;
        Ok((bundle, report))
    });
    let tell = async {
        while let Some((done, total)) = said.recv().await {
            events(Event::Transfer {
                name: "verifying".into(),
                done,
                total: Some(total),
            });
        }
    };
    let (verified, ()) = futures::join!(work, tell);
    let (bundle, report) = verified?;
    for finding in report.bad.iter().chain(&report.missing) {
        events(Event::Damaged(finding.clone()));
    }
    Ok(report.is_sound().then_some(bundle))
}

/// Reads an index from a file or a server.
pub(crate) fn parse_index(text: &[u8], place: &str) -> Result<Index, Error> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    // The number first: an index of a later format may have any other fields.
    let format: Format = serde_json::from_slice(text).map_err(Error::json(place))?;
    if format.format != crate::index::FORMAT {
        return Err(Error::Invalid {
            place: place.into(),
            problem: format!(
                "the bundle has format {}, this release reads {}: build the bundle again, or use the release that made it",
                format.format,
                crate::index::FORMAT
            ),
        });
    }
    let index: Index = serde_json::from_slice(text).map_err(Error::json(place))?;
    match index.problem() {
        None => Ok(index),
        Some(problem) => Err(Error::Invalid {
            place: place.into(),
            problem,
        }),
    }
}

fn blob_path(dir: &Path, sha256: &str) -> PathBuf {
    dir.join("blobs/sha256").join(sha256)
}

fn list_blobs(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let blobs = dir.join("blobs/sha256");
    let entries = std::fs::read_dir(&blobs).map_err(Error::io("list", &blobs))?;
    let mut paths = entries
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Error::io("list", &blobs))?;
    paths.sort();
    Ok(paths)
}

/// A bundle that is being written: blobs first, the index last.
#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    /// Held until the writer is gone: two builds in one folder would mix their parts.
    _lock: File,
}

impl Writer {
    pub(crate) fn new(dir: &Path) -> Result<Writer, Error> {
        files::create_dir(&dir.join("blobs/sha256"))?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(Error::io("create", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Writer {
                dir: dir.into(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::Request(format!(
                "another build is writing to {}; wait for it, or choose another folder",
                dir.display()
            ))),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", &path)(e)),
        }
    }

    pub(crate) fn blob_path(&self, sha256: &str) -> PathBuf {
        blob_path(&self.dir, sha256)
    }

    /// Copies a file in, unless it is there whole and right; returns its hash and size.
    pub(crate) fn add_file(&self, from: &Path) -> Result<(String, u64), Error> {
        let (sha256, size) = files::hash_file(from)?;
        let to = self.blob_path(&sha256);
        let there = std::fs::metadata(&to).is_ok_and(|m| m.len() == size);
        // What can't be read is replaced as well.
        if there && files::hash_file(&to).is_ok_and(|(got, _)| got == sha256) {
            return Ok((sha256, size));
        }
        let part = to.with_extension("part");
        std::fs::copy(from, &part).map_err(Error::io("write", &part))?;
        files::set_mode(&part, 0o644)?;
        std::fs::File::open(&part)
            .and_then(|f| f.sync_all())
            .map_err(Error::io("write", &part))?;
        std::fs::rename(&part, &to).map_err(Error::io("create", &to))?;
        Ok((sha256, size))
    }

    /// Writes the index and removes blobs that it does not name (those of an earlier bundle in this folder).
    pub(crate) fn finish(self, index: &Index) -> Result<Bundle, Error> {
        if let Some(problem) = index.problem() {
            let place = self.dir.join("bundle.json").display().to_string();
            return Err(Error::Invalid { place, problem });
        }
        let mut text = serde_json::to_vec_pretty(index).map_err(Error::json("bundle.json"))?;
        text.push(b'\n');
        files::write_atomically(&self.dir.join("bundle.json"), &text)?;
        for path in list_blobs(&self.dir)? {
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            if !index.artefacts.iter().any(|a| a.sha256() == name) {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Bundle::open(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_blob_of_the_right_size_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        std::fs::write(&from, "as it should be").unwrap();
        let writer = Writer::new(&dir.path().join("bundle")).unwrap();
        let (sha256, size) = writer.add_file(&from).unwrap();
        let blob = writer.blob_path(&sha256);
        std::fs::write(&blob, "as it should Be").unwrap();
        assert_eq!(writer.add_file(&from).unwrap(), (sha256, size));
        assert_eq!(std::fs::read_to_string(&blob).unwrap(), "as it should be");
    }
}
