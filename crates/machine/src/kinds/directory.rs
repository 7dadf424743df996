//! A folder.

use crate::shell::{word, words};
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// A folder with mode and owner. Missing folders above it are made with mode 0755.
#[derive(Debug, Clone)]
pub struct Directory {
    /// Absolute path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner's name.
    pub owner: String,
    /// Group's name.
    pub group: String,
    /// Everything in it belongs to the cluster, so that undo removes it with all it holds. It is
    /// never removed if it was there before.
    pub own: bool,
}

impl Directory {
    /// A folder of root's with mode 0755.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            mode: 0o755,
            owner: "root".into(),
            group: "root".into(),
            own: false,
        }
    }

    /// With permission bits.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// With owner and group.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>, group: impl Into<String>) -> Self {
        (self.owner, self.group) = (owner.into(), group.into());
        self
    }

    /// Everything in it belongs to the cluster.
    #[must_use]
    pub fn owned(mut self) -> Self {
        self.own = true;
        self
    }

    /// The folder itself, even where its name is a link to it.
    fn inside(&self) -> String {
        format!("{}/.", self.path.trim_end_matches('/'))
    }

    /// Folders above, from the outermost on.
    fn above(&self) -> Vec<String> {
        let slashes = self.path.match_indices('/').map(|(i, _)| i);
        slashes
            .filter(|i| *i > 0)
            .map(|i| self.path[..i].to_owned())
            .collect()
    }
}

impl Resource for Directory {
    fn id(&self) -> ResourceId {
        format!("directory:{}", self.path)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = vec![Query::Stat(self.path.clone()), Query::Stat(self.inside())];
        if seen.knows(&wants[0]) && seen.stat(&self.path).is_none() {
            wants.extend(self.above().into_iter().map(Query::Stat));
        }
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let stat = seen.stat(&self.inside());
        if stat.is_none() && seen.stat(&self.path).is_some() {
            return Err(PlanError::Unfit {
                id: self.id(),
                what: "something else is in the place of the folder".into(),
                hint: format!("move it away: mv {0} {0}.old", self.path),
            });
        }
        let mut said = Vec::new();
        match stat {
            None => said.push("new folder".to_owned()),
            Some(stat) => {
                if stat.mode != self.mode {
                    said.push(format!("mode {:04o} → {:04o}", stat.mode, self.mode));
                }
                if stat.owner != self.owner || stat.group != self.group {
                    said.push(format!(
                        "owner {}:{} → {}:{}",
                        stat.owner, stat.group, self.owner, self.group
                    ));
                }
            }
        }
        if said.is_empty() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let path = word(&self.path);
        let mut apply = Script::of(format!("mkdir -p -- {path}"));
        apply.line(format!(
            "chown {} {path}",
            word(format!("{}:{}", self.owner, self.group))
        ));
        apply.line(format!("chmod {:04o} {path}", self.mode));
        let undo = Undo {
            path: self.path.clone(),
            own: self.own,
            before: stat.map(|s| (s.mode, s.owner.clone(), s.group.clone())),
            above: match stat {
                None => {
                    let mut above = self.above();
                    above.retain(|p| seen.stat(p).is_none());
                    above
                }
                Some(_) => Vec::new(),
            },
        };
        let verb = if stat.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        Ok(Some(Change::new(
            verb,
            said.join(", "),
            apply,
            super::Undo::Directory(undo),
        )))
    }
}

/// How a folder is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Absolute path.
    pub path: String,
    /// Everything in it belongs to the cluster.
    pub own: bool,
    /// Mode, owner and group that it had; `None` if it was not there.
    pub before: Option<(u32, String, String)>,
    /// Folders above it that were not there either, from the outermost on.
    pub above: Vec<String>,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        self.own = later.own;
        self
    }

    pub(super) fn script(&self) -> Script {
        let path = word(&self.path);
        if let Some((mode, owner, group)) = &self.before {
            let owner = word(format!("{owner}:{group}"));
            return Script::of(format!(
                "[ ! -d {path} ] || {{ chown {owner} {path} && chmod {mode:04o} {path}; }}"
            ));
        }
        let remove = if self.own { "rm -rf" } else { "rmdir" };
        let mut script = Script::of(format!(
            "[ ! -d {path} ] || {remove} -- {path} || echo {path} 'is left in place: it is not empty'"
        ));
        if !self.above.is_empty() {
            // One that is in the record for itself goes by its own undo, if at all.
            let inner_first: Vec<&String> = self.above.iter().rev().collect();
            script.line(format!(
                "for d in {}; do\n\
                 case $(grep -sF \"\\\"id\\\":\\\"directory:$d\\\"\" $B/journal | tail -n 1) in '' | *'\"e\":\"gone\"'*) ;; *) break ;; esac\n\
                 rmdir -- \"$d\" 2>/dev/null || break\ndone",
                words(inner_first)
            ));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        match (&self.before, self.own) {
            (Some(_), _) => format!("give {} its old mode and owner", self.path),
            (None, true) => format!("remove {} and all that is in it", self.path),
            (None, false) => format!("remove {} if it is empty", self.path),
        }
    }
}
