//! Values that can't change while the cluster or a node lives, such as its pod range: written down on
//! every node when it is made, compared ever after.

use crate::context::On;
use bramble_machine::kinds::{Undo, action};
use bramble_machine::shell::word;
use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use bramble_spec::cluster::Role;

/// A value that must stay.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// What was made with it: `cluster` or `node`.
    pub of: &'static str,
    /// Path in the file, such as `kubernetes.podRange`.
    pub field: &'static str,
    /// The file's value.
    pub value: String,
    /// What to do when it differs.
    pub hint: String,
}

/// Stands for the value that was found, in a hint.
const FOUND: &str = "@FOUND@";
const LATER: &str = "put the old value back; to change it, take the cluster down and up again";

/// What is fixed on a node. All of it on every node: one control plane that can't be reached must not
/// let the others run ahead of it.
pub(crate) fn of(on: &On) -> Vec<Fixed> {
    let kubernetes = &on.cluster().kubernetes;
    let cluster = |field, value: String, hint: &str| Fixed {
        of: "cluster",
        field,
        value,
        hint: hint.into(),
    };
    let node = |field, value: String, name: &str| Fixed {
        of: "node",
        field,
        value,
        hint: format!(
            "put the old value back; to change it, take the machine out with the old file (bramble down \
             --machine {name}) and in again with the new one"
        ),
    };
    let mut out = vec![
        cluster(
            "kubernetes.podRange",
            kubernetes.pod_range.to_string(),
            LATER,
        ),
        cluster(
            "kubernetes.serviceRange",
            kubernetes.service_range.to_string(),
            LATER,
        ),
        cluster("kubernetes.dnsDomain", kubernetes.dns_domain.clone(), LATER),
        cluster("kubernetes.endpoint", on.api_endpoint(), LATER),
        node("name", on.machine.name.clone(), FOUND),
    ];
    if on.is(Role::ControlPlane) {
        // etcd and the certificates are bound to it; a worker may move.
        let address = on.machine.address.to_string();
        out.push(node("address", address, &on.machine.name));
        let sans = match kubernetes.cert_sans.as_slice() {
            [] => "none".to_owned(),
            sans => sans.join(","),
        };
        out.push(cluster("kubernetes.certSANs", sans, LATER));
    }
    out
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
        let note = seen.content(&self.path()).map(str::trim);
        // A note without a value was cut off before anything was made with it.
        match note.filter(|note| !note.is_empty()) {
            Some(found) if found == self.value => Ok(None),
            Some(found) => Err(PlanError::Unfit {
                id: self.id(),
                what: format!(
                    "the {} was made with {} {found}, the file says {}",
                    self.of, self.field, self.value
                ),
                hint: self.hint.replace(FOUND, found),
            }),
            None => {
                let path = word(self.path());
                let apply = Script::of(format!(
                    "printf '%s\\n' {} > {path}.new\nsync {path}.new\nmv -fT {path}.new {path}",
                    word(&self.value)
                ));
                let undo = Undo::Action(action::Undo {
                    name: self.id(),
                    title: format!("{} {}", self.field, self.value),
                    program: format!("rm -f {path} {path}.new"),
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
            of: "cluster",
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
        let apply = change.apply.as_str();
        assert!(
            apply.starts_with("printf '%s\\n' 10.244.0.0/16 > "),
            "{apply}"
        );
        assert!(
            apply.ends_with(".new /var/lib/bramble/fixed.kubernetes.podRange\n"),
            "{apply}"
        );
        let undo = change.undo.script();
        assert!(
            undo.as_str()
                .contains("rm -f /var/lib/bramble/fixed.kubernetes.podRange")
        );
        let same = fixed().plan(&machine(Some("10.244.0.0/16\n")));
        assert!(same.expect("a plan").is_none());
        // A loss of power may leave an empty note.
        let again = fixed().plan(&machine(Some("")));
        assert!(again.expect("a plan").is_some());
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
