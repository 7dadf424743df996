//! Programs that the bundle holds in a gzip-compressed tar.

use crate::shell::{word, words};
use crate::{
    Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Upload, Verb,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An archive unpacked into a folder. Which one was unpacked is written down beside the journal, and
/// the list of its files, so that exactly those are removed again.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Name, unique on a machine.
    pub name: String,
    /// Version for the plan's text.
    pub version: String,
    /// SHA-256 in hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Folder to unpack into; is made if needed.
    pub folder: String,
    /// Leading path components to drop.
    pub strip: u32,
    /// What to unpack; empty = everything.
    pub members: Vec<String>,
}

impl Archive {
    /// An archive of the bundle that is unpacked whole into `/usr/local/bin`.
    pub fn new(name: &str, version: &str, sha256: &str, size: u64) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            sha256: sha256.into(),
            size,
            folder: "/usr/local/bin".into(),
            strip: 0,
            members: Vec::new(),
        }
    }

    /// Into this folder.
    #[must_use]
    pub fn into_folder(mut self, folder: impl Into<String>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Without so many leading path components.
    #[must_use]
    pub fn strip(mut self, strip: u32) -> Self {
        self.strip = strip;
        self
    }

    /// Only these members.
    #[must_use]
    pub fn members(mut self, members: Vec<String>) -> Self {
        self.members = members;
        self
    }

    fn note(&self) -> String {
        format!("{HOME}/archive.{}", self.name)
    }
}

impl Resource for Archive {
    fn id(&self) -> ResourceId {
        format!("archive:{}", self.name)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Content(self.note())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let note = self.note();
        let unpacked = seen.content(&note).map(str::trim);
        if unpacked == Some(self.sha256.as_str()) && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        let (staged, list) = (
            format!("{HOME}/blobs/{}", self.sha256),
            format!("{note}.files"),
        );
        let folder = word(&self.folder);
        let strip = format!("--strip-components={}", self.strip);
        let members = words(&self.members);
        let mut apply = Script::of(format!("mkdir -p {folder}"));
        // The list holds what this archive brings, and is there before the first file is.
        apply.line(format!(
            "tar -tzf {staged} {members} --show-transformed-names {strip} | grep -v '/$' | sed 's|^\\./||' >> {list}"
        ));
        apply.line(format!("sort -u -o {list} {list} && sync {list}"));
        apply.line(format!(
            "tar -xzf {staged} -C {folder} --no-same-owner {strip} {members}"
        ));
        apply.line(format!(
            "printf '%s\\n' {} > {note}\nrm -f {staged}",
            self.sha256
        ));
        let verb = if unpacked.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let summary = format!(
            "{} {} from the bundle into {}",
            self.name, self.version, self.folder
        );
        let undo = super::Undo::Archive(Undo {
            name: self.name.clone(),
            folder: self.folder.clone(),
        });
        let mut change = Change::new(verb, summary, apply, undo);
        change.uploads.push(Upload {
            sha256: self.sha256.clone(),
            size: self.size,
            to: staged,
        });
        change.limit = Duration::from_secs(600);
        Ok(Some(change))
    }
}

/// How an archive is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Name of the archive.
    pub name: String,
    /// Folder that it was unpacked into.
    pub folder: String,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        let list = word(format!("{HOME}/archive.{}.files", self.name));
        let note = word(format!("{HOME}/archive.{}", self.name));
        let folder = word(&self.folder);
        Script::of(format!(
            "if [ -e {list} ]; then while IFS= read -r f; do rm -f -- {folder}/\"$f\"; done < {list}; fi\n\
             rmdir -p {folder} 2>/dev/null || :\nrm -f {list} {note}"
        ))
    }

    pub(super) fn summary(&self) -> String {
        format!("remove {} from {}", self.name, self.folder)
    }
}
