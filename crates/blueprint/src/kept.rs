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
    path: &'static str,
    /// What makes the file anew.
    makers: Vec<ResourceId>,
}

impl Kept {
    /// The file at this path; `maker` is what makes it anew.
    pub fn new(path: &'static str, maker: &str) -> Self {
        Self {
            path,
            makers: vec![maker.to_owned()],
        }
    }

    fn copy(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        format!("{HOME}/kept.{name}")
    }

    fn kept(&self) -> String {
        put(&word(self.path), &word(self.copy()), HOME)
    }

    /// Where its maker took the copy away in the same run, there is a new file to keep.
    fn back(&self) -> String {
        // Beside the folder, not in it: whoever watches the folder must not see half a file.
        let folder = self.path.rsplitn(3, '/').nth(2).unwrap_or_default();
        let copy = word(self.copy());
        format!(
            "if [ -e {copy} ]; then\n{}\nelse\n{}\nfi",
            put(&copy, &word(self.path), folder),
            self.kept()
        )
    }

    fn change(&self, verb: Verb, summary: impl Into<String>, apply: String) -> Change {
        let undo = Undo::Action(action::Undo {
            name: self.id(),
            title: format!("the copy of {}", self.path),
            program: format!("rm -f {}", word(self.copy())),
            destroys: None,
        });
        Change::new(verb, summary, Script::of(apply), undo)
    }
}

/// A copy under another name, whole or not at all.
fn put(from: &Word, to: &Word, folder: &str) -> String {
    let new = word(format!("{folder}/.bramble-kept"));
    format!("cp -a -- {from} {new}\nsync {new}\nmv -fT -- {new} {to}")
}

impl Resource for Kept {
    fn id(&self) -> ResourceId {
        format!("kept:{}", self.path)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Sha256(self.path.into()), Query::Sha256(self.copy())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let (found, kept) = (seen.sha256(self.path), seen.sha256(&self.copy()));
        Ok(match (found, kept) {
            (Some(found), Some(kept)) if found == kept => None,
            (_, None) => Some(self.change(Verb::Create, "keep a copy", self.kept())),
            (None, Some(_)) => {
                Some(self.change(Verb::Create, "put it back: it is gone", self.back()))
            }
            (Some(_), Some(_)) => {
                Some(self.change(Verb::Update, "put it back: it was changed", self.back()))
            }
        })
    }

    fn watches(&self) -> &[ResourceId] {
        &self.makers
    }

    /// What made the file made it anew.
    fn follow(&self, _seen: &Observation, because: &str) -> Option<Change> {
        let summary = format!("keep a new copy because {because} changed");
        Some(self.change(Verb::Update, summary, self.kept()))
    }
}
