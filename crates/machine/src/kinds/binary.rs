//! A program from the bundle.

use crate::program::original_name;
use crate::shell::word;
use crate::{
    Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Upload, Verb,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A file of the bundle at a path. Its hash is read only when its inode has changed since it was
/// written: programs are large, and a look at a machine must be cheap.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Absolute path; the folder must exist.
    pub path: String,
    /// SHA-256 in hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Version for the plan's text.
    pub version: String,
}

impl Binary {
    fn staged(&self) -> String {
        format!("{HOME}/blobs/{}", self.sha256)
    }

    /// The known hash, from the journal's stamp or from reading the file.
    fn found<'a>(&self, seen: &'a Observation) -> Option<&'a str> {
        let stat = seen.stat(&self.path)?;
        let stamp = format!("{}:{}:{}", stat.size, stat.inode, stat.ctime);
        seen.journal
            .stamped(&self.path, &stamp)
            .or_else(|| seen.sha256(&self.path))
    }
}

impl Resource for Binary {
    fn id(&self) -> ResourceId {
        format!("binary:{}", self.path)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let stat = Query::Stat(self.path.clone());
        let unsure = seen
            .stat(&self.path)
            .is_some_and(|s| s.kind == 'f' && s.size == self.size)
            && self.found(seen).is_none();
        if seen.knows(&stat) && unsure {
            return vec![stat, Query::Sha256(self.path.clone())];
        }
        vec![stat]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let stat = seen.stat(&self.path);
        let same = stat.is_some_and(|s| s.mode == self.mode && s.owner == "root")
            && self.found(seen) == Some(self.sha256.as_str());
        if same && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        let absent = match seen.journal.find(&self.id()).map(|r| &r.undo) {
            Some(super::Undo::Binary(undo)) => undo.absent,
            _ => stat.is_none(),
        };
        let (path, staged) = (word(&self.path), self.staged());
        let mut apply = Script::new();
        if !absent {
            apply.line(format!("keep {path} {}", original_name(&self.path)));
        }
        apply.line(format!("place {staged} {path} {:04o} root:root", self.mode));
        apply.line(format!(
            "s=$(find {path} -maxdepth 0 -printf '%s:%i:%C@')\nj '{{\"e\":\"stamp\",\"path\":'{}',\"sha256\":\"{}\",\"stamp\":\"'\"$s\"'\"}}'",
            word(format!("\"{}\"", self.path)),
            self.sha256
        ));
        let verb = if stat.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let undo = super::Undo::Binary(Undo {
            path: self.path.clone(),
            absent,
        });
        let mut change = Change::new(
            verb,
            format!("{} from the bundle", self.version),
            apply,
            undo,
        );
        change.uploads.push(Upload {
            sha256: self.sha256.clone(),
            size: self.size,
            to: staged,
        });
        change.limit = Duration::from_secs(600);
        Ok(Some(change))
    }
}

/// How a program is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Absolute path.
    pub path: String,
    /// There was nothing before.
    pub absent: bool,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        let path = word(&self.path);
        if self.absent {
            return Script::of(format!("rm -f -- {path}"));
        }
        Script::of(format!("restore {path} {}", original_name(&self.path)))
    }

    pub(super) fn summary(&self) -> String {
        if self.absent {
            format!("remove {}", self.path)
        } else {
            format!("restore {}", self.path)
        }
    }
}
