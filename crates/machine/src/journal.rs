//! The machine's own record: an append-only file of JSON lines in [`crate::HOME`].
//!
//! A resource's line `begin` is written, with all that is needed to undo it, before anything is
//! changed, and `done` afterwards. A run that was cut off in between leaves a `begin` without
//! `done`: the next plan sees it as [`Record::pending`]. `gone` says that it was undone.

use crate::Undo;
use serde::{Deserialize, Serialize};

/// Which cluster a machine belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// What tells it from others of that name: random, given by the first run.
    #[serde(default)]
    pub id: String,
}

/// One line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "lowercase")]
pub enum Line {
    /// First line: which cluster the machine belongs to.
    Cluster(Identity),
    /// A resource is about to be changed.
    Begin {
        /// Id of the resource.
        id: String,
        /// Step that the resource belongs to.
        step: String,
        /// How to undo it.
        undo: Undo,
    },
    /// The change was made.
    Done {
        /// Id of the resource.
        id: String,
    },
    /// What a file looked like right after it was written, so that a large one need not be read
    /// again while its inode has not changed.
    Stamp {
        /// Path of the file.
        path: String,
        /// Hash that was verified when it was written.
        sha256: String,
        /// `size:inode:ctime` as [`crate::query::Stat`] has them.
        stamp: String,
    },
    /// The resource was undone.
    Gone {
        /// Id of the resource.
        id: String,
    },
}

/// What Bramble manages on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Id of the resource.
    pub id: String,
    /// Step that it belongs to.
    pub step: String,
    /// How to undo it, as of the first change: later changes keep the first original.
    pub undo: Undo,
    /// A change was begun and not finished.
    pub pending: bool,
    /// A change was finished at least once: what is there is more than a failed first try.
    pub completed: bool,
}

/// All of a machine's records in the order in which they were first made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// The cluster that the machine belongs to.
    pub cluster: Option<Identity>,
    /// What is managed.
    pub records: Vec<Record>,
    /// Known files: path, hash, stamp.
    pub stamps: Vec<(String, String, String)>,
    /// Size of the file in bytes; tells whether somebody wrote in between.
    pub size: u64,
    /// Lines that were cut off while they were written: nothing had been changed by then.
    pub torn: usize,
    /// Lines of a kind that this release doesn't know.
    pub newer: usize,
}

impl Journal {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Self {
        let mut journal = Journal {
            size: text.len() as u64,
            ..Journal::default()
        };
        for line in text.lines().filter(|l| !l.trim().is_empty()) {
            match serde_json::from_str(line) {
                Ok(line) => journal.apply(line),
                Err(_) if serde_json::from_str::<serde_json::Value>(line).is_ok() => {
                    journal.newer += 1;
                }
                Err(_) => journal.torn += 1,
            }
        }
        journal
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Cluster(identity) => self.cluster = Some(identity),
            Line::Begin { id, step, undo } => match self.find_mut(&id) {
                Some(record) => {
                    record.pending = true;
                    record.step = step;
                    record.undo = record.undo.clone().or_later(undo);
                }
                None => self.records.push(Record {
                    id,
                    step,
                    undo,
                    pending: true,
                    completed: false,
                }),
            },
            Line::Done { id } => {
                if let Some(record) = self.find_mut(&id) {
                    record.pending = false;
                    record.completed = true;
                }
            }
            Line::Stamp {
                path,
                sha256,
                stamp,
            } => {
                self.stamps.retain(|(p, _, _)| *p != path);
                self.stamps.push((path, sha256, stamp));
            }
            Line::Gone { id } => self.records.retain(|r| r.id != id),
        }
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Record> {
        self.records.iter_mut().find(|r| r.id == id)
    }

    /// The record of a resource.
    pub fn find(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|r| r.id == id)
    }

    /// Whether a change of this resource was begun and not finished.
    pub fn pending(&self, id: &str) -> bool {
        self.find(id).is_some_and(|r| r.pending)
    }

    /// Whether a change of this resource was ever finished.
    pub fn completed(&self, id: &str) -> bool {
        self.find(id).is_some_and(|r| r.completed)
    }

    /// The hash of a file whose inode is still as it was after writing.
    pub fn stamped(&self, path: &str, stamp: &str) -> Option<&str> {
        self.stamps
            .iter()
            .find(|(p, _, s)| p == path && s == stamp)
            .map(|(_, sha256, _)| sha256.as_str())
    }
}

/// A line as it is written: ASCII only, so that a line that was cut off is still text, and its
/// length in bytes the same for everybody.
pub fn to_line(line: &Line) -> String {
    // The types have no map with keys that are not strings, so this can't fail.
    let text = serde_json::to_string(line).unwrap_or_default();
    if text.is_ascii() {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}
