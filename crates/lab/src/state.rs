//! What a lab records about itself, and where: all under its state directory.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{At, Error, Result};
use crate::topology::Topology;

/// The record of a lab, written before anything of it is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What was asked for, with machines added later.
    pub(crate) topology: Topology,
    /// The root image that all disks lie over.
    pub(crate) image: PathBuf,
    /// Seconds since 1970.
    pub(crate) created: u64,
}

impl Record {
    pub(crate) fn new(topology: Topology, image: PathBuf) -> Self {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        Self {
            topology,
            image,
            created,
        }
    }
}

/// The places in a state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places(pub(crate) PathBuf);

impl Places {
    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.0.join("id_ed25519")
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.0.join("known_hosts")
    }

    pub(crate) fn ssh_config(&self) -> PathBuf {
        self.0.join("ssh_config")
    }

    pub(crate) fn machine(&self, name: &str) -> MachinePlaces {
        MachinePlaces(self.0.join("machines").join(name))
    }
}

/// The places of one machine.
#[derive(Debug, Clone)]
pub(crate) struct MachinePlaces(pub(crate) PathBuf);

impl MachinePlaces {
    /// What the machine wrote, over the image.
    pub(crate) fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    /// The machine's `/var/lib`: a real directory, since overlays can't lie on overlays.
    pub(crate) fn var_lib(&self) -> PathBuf {
        self.0.join("var-lib")
    }

    /// Its serial console's output, over all boots.
    pub(crate) fn console(&self) -> PathBuf {
        self.0.join("console.log")
    }

    /// The program that boots it.
    pub(crate) fn script(&self) -> PathBuf {
        self.0.join("run.sh")
    }

    /// How the last run ended.
    pub(crate) fn ended(&self) -> PathBuf {
        self.0.join("ended")
    }

    /// The last lines of the console, without control characters.
    pub(crate) fn console_tail(&self, lines: usize) -> String {
        let bytes = std::fs::read(self.console()).unwrap_or_default();
        let start = bytes.len().saturating_sub(16 * 1024);
        let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
        let mut kept: Vec<String> = text
            .lines()
            .map(plain)
            .filter(|l| !l.trim().is_empty())
            .collect();
        let from = kept.len().saturating_sub(lines);
        kept.drain(..from);
        if kept.is_empty() {
            "(empty)".to_owned()
        } else {
            kept.join("\n")
        }
    }
}

/// A line without terminal sequences.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // CSI: parameters up to a letter; others are two characters long.
                if chars.next() == Some('[') {
                    chars.by_ref().find(|c| c.is_ascii_alphabetic());
                }
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Writes a file by way of a temporary one, so that readers see the old or the new whole.
pub(crate) fn write_file(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&new)
        .at("make", &new)?;
    file.write_all(text.as_bytes()).at("write", &new)?;
    file.sync_all().at("write", &new)?;
    std::fs::rename(&new, path).at("write", path)
}

/// Writes a value as JSON, by [`write_file`].
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|source| Error::Damaged {
        path: path.to_path_buf(),
        source,
    })?;
    write_file(path, &text, 0o600)
}

/// Reads a value; `None` where there is no file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).at("read", path),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|source| Error::Damaged {
            path: path.to_path_buf(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_lines_lose_their_colors() {
        assert_eq!(plain("[\u{1b}[0;32m  OK  \u{1b}[0m] up\r"), "[  OK  ] up");
    }

    #[test]
    fn a_damaged_record_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.json");
        std::fs::write(&path, "{").unwrap();
        let text = read_json::<Record>(&path).unwrap_err().to_string();
        assert!(text.contains("lab.json is damaged"), "{text}");
        assert!(
            read_json::<Record>(&dir.path().join("none"))
                .unwrap()
                .is_none()
        );
    }
}
