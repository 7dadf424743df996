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
                    destroys: None,
                });
                let summary = format!("{} (can't be changed later)", self.value);
                Ok(Some(Change::new(Verb::Create, summary, apply, undo)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bramble_machine::query::Answer;

    fn fixed() -> Fixed {
        Fixed {
            field: "kubernetes.podRange",
            value: "10.244.0.0/16".into(),
            hint: "put it back".into(),
        }
    }

    fn machine(note: Option<&str>) -> Observation {
        let mut seen = Observation::default();
        let path = "/var/lib/bramble/fixed.kubernetes.podRange".to_owned();
        let answer = Answer::Text(note.map(str::to_owned));
        seen.answers.insert(Query::Content(path), answer);
        seen
    }

    #[test]
    fn it_is_written_down_once() {
        let change = fixed()
            .plan(&machine(None))
            .expect("a plan")
            .expect("a change");
        assert_eq!(change.verb, Verb::Create);
        assert_eq!(change.summary, "10.244.0.0/16 (can't be changed later)");
        let written = "printf '%s\\n' 10.244.0.0/16 > /var/lib/bramble/fixed.kubernetes.podRange\n";
        assert_eq!(change.apply.as_str(), written);
        let undo = change.undo.script();
        assert!(
            undo.as_str()
                .contains("rm -f /var/lib/bramble/fixed.kubernetes.podRange")
        );
        let same = fixed().plan(&machine(Some("10.244.0.0/16\n")));
        assert!(same.expect("a plan").is_none());
    }

    #[test]
    fn another_value_is_in_the_way() {
        let error = fixed()
            .plan(&machine(Some("10.32.0.0/16\n")))
            .expect_err("no plan");
        assert_eq!(
            error.to_string(),
            "fixed:kubernetes.podRange: the cluster was made with kubernetes.podRange 10.32.0.0/16, the file says 10.244.0.0/16"
        );
        assert_eq!(error.hint(), "put it back");
    }
}
