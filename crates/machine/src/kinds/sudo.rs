//! What a user may do as root.

use super::file::{Content, File};
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId};

/// A rule of sudo in a file of its own, checked by `visudo` before it takes effect.
#[derive(Debug, Clone)]
pub struct SudoRule {
    /// Name of the rule, unique on the machine.
    pub name: String,
    /// Lines of sudoers(5).
    pub rule: String,
    /// A wrong rule can lock the operator out.
    pub disruptive: bool,
}

impl SudoRule {
    /// A rule.
    pub fn new(name: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rule: rule.into(),
            disruptive: false,
        }
    }

    fn file(&self) -> File {
        // sudo ignores files with a dot or a tilde in their names.
        let name: String = self
            .name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let text = format!("{}\n", self.rule.trim_end());
        let mut file = File::new(
            format!("/etc/sudoers.d/bramble-{name}"),
            Content::Text(text),
            0o440,
        )
        .checked("visudo -cf \"$new\" >/dev/null");
        file.disruptive = self.disruptive;
        file
    }
}

impl Resource for SudoRule {
    fn id(&self) -> ResourceId {
        format!("sudo:{}", self.name)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        self.file().wants(seen)
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        self.file().plan_as(&self.id(), seen)
    }
}
