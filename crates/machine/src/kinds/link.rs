//! A symbolic link.

use crate::program::original_name;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// A symbolic link. A file or link in its place is kept and comes back when it is undone.
#[derive(Debug, Clone)]
pub struct Link {
    /// Absolute path of the link.
    pub path: String,
    /// What it points to, as it is written in the link.
    pub target: String,
}

impl Link {
    /// A link at a path to a target.
    pub fn new(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            target: target.into(),
        }
    }

    /// The shell that makes the link.
    pub(super) fn write(&self, absent: bool) -> Script {
        let path = word(&self.path);
        let new = word(format!("{}.bramble-new", self.path));
        let mut script = Script::new();
        if !absent {
            script.line(format!("keep {path} {}", original_name(&self.path)));
        }
        script.line(format!("ln -sfn -- {} {new}", word(&self.target)));
        script.line(format!("mv -fT -- {new} {path}"));
        script
    }
}

impl Resource for Link {
    fn id(&self) -> ResourceId {
        format!("link:{}", self.path)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Stat(self.path.clone())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let stat = seen.stat(&self.path);
        let summary = match stat {
            Some(s) if s.kind == 'd' => {
                return Err(PlanError::Unfit {
                    id: self.id(),
                    what: "a folder is in the place of the link".into(),
                    hint: format!("move it away: mv {0} {0}.old", self.path),
                });
            }
            Some(s) if s.kind == 'l' && s.target == self.target => {
                if !seen.journal.pending(&self.id()) {
                    return Ok(None);
                }
                super::UNFINISHED.to_owned()
            }
            Some(s) if s.kind == 'l' => format!("{} → {}", s.target, self.target),
            Some(_) => format!("a file becomes a link to {}", self.target),
            None => format!("new link to {}", self.target),
        };
        let absent = match super::recorded(seen, &self.id()) {
            Some(super::Undo::Link(undo)) => undo.absent,
            _ => stat.is_none(),
        };
        let verb = if stat.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let undo = super::Undo::Link(Undo {
            path: self.path.clone(),
            absent,
        });
        Ok(Some(Change::new(verb, summary, self.write(absent), undo)))
    }
}

/// How a link is undone.
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
        let new = word(format!("{}.bramble-new", self.path));
        if self.absent {
            return Script::of(format!(
                "rm -f -- {new}\n[ ! -L {path} ] || rm -f -- {path}"
            ));
        }
        Script::of(format!(
            "rm -f -- {new}\nrestore {path} {}",
            original_name(&self.path)
        ))
    }

    pub(super) fn summary(&self) -> String {
        if self.absent {
            format!("remove {}", self.path)
        } else {
            format!("restore {}", self.path)
        }
    }
}
