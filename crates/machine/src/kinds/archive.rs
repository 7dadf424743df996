//! Programs that the bundle holds in a gzip-compressed tar.

use crate::shell::word;
use crate::{
    Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Upload, Verb,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An archive unpacked into a folder. Which one was unpacked is written down beside the journal, and
/// the list of its files with what their inodes were: so a file that was changed or lost is noticed
/// without reading any, and exactly those files are removed again. A file that was there before is
/// kept and comes back.
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
    /// What to unpack, files or folders, as named in the archive without a leading `./`; empty =
    /// everything.
    pub members: Vec<String>,
    /// What not to unpack, named in the same way.
    pub except: Vec<String>,
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
            except: Vec::new(),
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

    /// Without these members.
    #[must_use]
    pub fn except(mut self, except: Vec<String>) -> Self {
        self.except = except;
        self
    }

    /// What is written down once it is unpacked: the archive, and which part of it.
    fn mark(&self) -> String {
        use sha2::Digest;
        if self.members.is_empty() && self.except.is_empty() {
            return self.sha256.clone();
        }
        let part = format!("{:?} {:?}", self.members, self.except);
        let part = hex::encode(&sha2::Sha256::digest(part)[..8]);
        format!("{} {part}", self.sha256)
    }

    fn note(&self) -> String {
        format!("{HOME}/archive.{}", self.name)
    }

    /// Succeeds if the unpacked files are as they were right after they were unpacked.
    fn look(&self) -> Script {
        let note = self.note();
        let mut script = variables(&note, &self.folder);
        script.extend(&Script::of(STAMP));
        script.line("[ ! -e \"$N.stamps\" ] || archive_stamp | cmp -s - \"$N.stamps\"");
        script
    }
}

impl Resource for Archive {
    fn id(&self) -> ResourceId {
        format!("archive:{}", self.name)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![
            Query::Content(self.note()),
            Query::Command(self.look().as_str().to_owned()),
        ]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let note = self.note();
        let unpacked = seen.content(&note).map(str::trim);
        let look = self.look();
        let intact = seen.printed(look.as_str()).is_none_or(|p| p.exit == 0);
        let mark = self.mark();
        let same = unpacked == Some(mark.as_str());
        if same && intact && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        let staged = format!("{HOME}/blobs/{}", self.sha256);
        let mut apply = variables(&note, &self.folder);
        apply.line(format!("S={staged}"));
        apply.line(format!("STRIP={}", self.strip));
        apply.line(format!(
            "ONLY={} EXCEPT={}",
            word(self.members.join("\n")),
            word(self.except.join("\n"))
        ));
        apply.extend(&Script::of(STAMP));
        apply.extend(&Script::of(include_str!("archive.sh")));
        apply.line(format!(
            "printf '%s\\n' {} >\"$N\"\nrm -f \"$S\"",
            word(&mark)
        ));
        let verb = if unpacked.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let mut summary = format!(
            "{} {} from the bundle into {}",
            self.name, self.version, self.folder
        );
        if same && !intact {
            summary.push_str(": its files were changed");
        }
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

/// Size, inode and time of change of the files of an archive.
const STAMP: &str = r#"archive_stamp() {
	(cd "$D" && xargs -0 -r -a "$N.last" ls -dlinc --time-style=full-iso -- 2>/dev/null) || :
}
"#;

/// Removes what an archive brought, and gives back what stood in its place.
const REMOVE: &str = r#"if [ -e "$N.files" ]; then
	while IFS= read -r f; do
		n=$(printf %s "$D/$f" | sha256sum | cut -c1-32)
		if there "$B/originals/$n"; then restore "$D/$f" "$n"; else rm -f -- "$D/$f"; fi
	done <"$N.files"
fi
if [ -e "$N.folders" ]; then
	while IFS= read -r f; do rmdir -- "$f" 2>/dev/null || :; done <"$N.folders"
fi
rm -f "$N" "$N.files" "$N.folders" "$N.stamps" "$N.last" "$N.new" "$N.inner" "$N.all" "$N.take"
"#;

fn variables(note: &str, folder: &str) -> Script {
    let folder = folder.trim_end_matches('/');
    Script::of(format!("N={} D={}", word(note), word(folder)))
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
        let mut script = variables(&format!("{HOME}/archive.{}", self.name), &self.folder);
        script.extend(&Script::of(REMOVE));
        script
    }

    pub(super) fn summary(&self) -> String {
        format!("remove {} from {}", self.name, self.folder)
    }
}
