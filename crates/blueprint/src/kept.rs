//! Files that a tool made and that must stay as they are: a copy is kept beside the machine's record, so
//! that a plan sees when one is changed or gone, and puts it back. Compared by their hashes: what
//! somebody wrote into a file that only root may read is not for a plan to show.

use bramble_machine::kinds::{Undo, action};
use bramble_machine::shell::{Word, word};
use bramble_machine::{
    Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Verb,
};

/// A file that a step's action made before this resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Absolute path.
    pub path: &'static str,
}

impl Kept {
    fn copy(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        format!("{HOME}/kept.{name}")
    }
}

impl Resource for Kept {
    fn id(&self) -> ResourceId {
        format!("kept:{}", self.path)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Sha256(self.path.into()), Query::Sha256(self.copy())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let (path, copy) = (word(self.path), word(self.copy()));
        let (found, kept) = (seen.sha256(self.path), seen.sha256(&self.copy()));
        // Beside the folder, not in it: whoever watches the folder must not see half a file.
        let folder = self.path.rsplitn(3, '/').nth(2).unwrap_or_default();
        let take = |from: &Word, to: &Word, folder: &str| {
            let new = word(format!("{folder}/.bramble-kept"));
            Script::of(format!(
                "cp -a -- {from} {new}\nsync {new}\nmv -fT -- {new} {to}"
            ))
        };
        let back = || take(&copy, &path, folder);
        let (verb, summary, apply) = match (found, kept) {
            (Some(found), Some(kept)) if found == kept => return Ok(None),
            (_, None) => (Verb::Create, "keep a copy", take(&path, &copy, HOME)),
            (None, Some(_)) => (Verb::Create, "put it back: it is gone", back()),
            (Some(_), Some(_)) => (Verb::Update, "put it back: it was changed", back()),
        };
        let undo = Undo::Action(action::Undo {
            name: self.id(),
            title: format!("the copy of {}", self.path),
            program: format!("rm -f {copy}"),
            destroys: None,
        });
        Ok(Some(Change::new(verb, summary, apply, undo)))
    }
}
