//! Files whose content is another machine's to say.

use bramble_machine::kinds::File;
use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId};

/// What is known of a public file of another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lent {
    /// Nobody has looked at the machine.
    Unknown,
    /// The machine has it.
    There(String),
    /// The machine hasn't it, and gets this in the run that makes the resource of this id.
    Coming {
        /// The text.
        text: String,
        /// The machine, and the resource there.
        with: (String, ResourceId),
    },
}

/// A public file of another machine. As long as that one was not looked at, the file stays as it is.
#[derive(Debug, Clone)]
pub struct Borrowed {
    file: File,
    known: bool,
    with: Option<(String, ResourceId)>,
}

impl Borrowed {
    /// A text at a path.
    pub fn new(path: impl Into<String>, lent: Lent) -> Self {
        let (text, with) = match lent {
            Lent::Unknown => (None, None),
            Lent::There(text) => (Some(text), None),
            Lent::Coming { text, with } => (Some(text), Some(with)),
        };
        Self {
            known: text.is_some(),
            file: File::text(path, text.unwrap_or_default()),
            with,
        }
    }
}

impl Resource for Borrowed {
    fn id(&self) -> ResourceId {
        self.file.id()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        if self.known {
            return self.file.wants(seen);
        }
        self.file.wants(&Observation::default())
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        if !self.known {
            return Ok(None);
        }
        let change = self.file.plan(seen)?;
        Ok(change.map(|change| Change {
            with: self.with.clone(),
            ..change
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_stays() {
        let seen = Observation::default();
        let unknown = Borrowed::new("/etc/x", Lent::Unknown);
        assert!(unknown.plan(&seen).expect("a plan").is_none());
        let known = Borrowed::new("/etc/x", Lent::There("text".into()));
        let change = known.plan(&seen).expect("a plan").expect("a change");
        assert_eq!(change.with, None);
        assert_eq!(unknown.wants(&seen), known.wants(&seen));
        assert_eq!(unknown.id(), known.id());
    }

    #[test]
    fn what_is_not_there_yet_is_made_with_the_other_machines() {
        let with = ("gate".to_owned(), "keys:x".to_owned());
        let lent = Lent::Coming {
            text: "text".into(),
            with: with.clone(),
        };
        let coming = Borrowed::new("/etc/x", lent);
        let change = coming.plan(&Observation::default()).expect("a plan");
        assert_eq!(change.expect("a change").with, Some(with));
    }
}
