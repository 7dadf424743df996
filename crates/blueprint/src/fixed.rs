//! Values that can't change while the cluster lives, such as its pod range: written down on the
//! machine when it is made, compared ever after.

use bramble_machine::kinds::{Undo, action};
use bramble_machine::shell::word;
use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};

/// A value that must stay.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// Path in the file, such as `kubernetes.podRange`.
    pub field: &'static str,
    /// The file's value.
    pub value: String,
    /// What to do when it differs.
    pub hint: String,
}

impl Fixed {
    fn path(&self) -> String {
        format!("{}/fixed.{}", bramble_machine::HOME, self.field)
    }
}

impl Resource for Fixed {
    fn id(&self) -> ResourceId {
        format!("fixed:{}", self.field)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Content(self.path())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        match seen.content(&self.path()).map(str::trim) {
            Some(found) if found == self.value => Ok(None),
            Some(found) => Err(PlanError::Unfit {
                id: self.id(),
                what: format!(
                    "the cluster was made with {} {found}, the file says {}",
                    self.field, self.value
                ),
                hint: self.hint.clone(),
            }),
            None => {
                let path = word(self.path());
                let apply = Script::of(format!("printf '%s\\n' {} > {path}", word(&self.value)));
                let undo = Undo::Action(action::Undo {
                    name: self.id(),
                    title: format!("{} {}", self.field, self.value),
                    program: format!("rm -f {path}"),
                });
                let summary = format!("{} (can't be changed later)", self.value);
                Ok(Some(Change::new(Verb::Create, summary, apply, undo)))
            }
        }
    }
}
