//! Files whose content is another machine's to say.

use bramble_machine::kinds::File;
use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId};

/// A public file of another machine. As long as that one was not looked at, the file stays as it is.
#[derive(Debug, Clone)]
pub struct Borrowed {
    file: File,
    known: bool,
}

impl Borrowed {
    /// A text at a path; `None`: not known.
    pub fn new(path: impl Into<String>, text: Option<String>) -> Self {
        Self {
            known: text.is_some(),
            file: File::text(path, text.unwrap_or_default()),
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
        if self.known {
            self.file.plan(seen)
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_stays() {
        let seen = Observation::default();
        let unknown = Borrowed::new("/etc/x", None);
        assert!(unknown.plan(&seen).expect("a plan").is_none());
        let known = Borrowed::new("/etc/x", Some("text".into()));
        assert!(known.plan(&seen).expect("a plan").is_some());
        assert_eq!(unknown.wants(&seen), known.wants(&seen));
        assert_eq!(unknown.id(), known.id());
    }
}
