//! Keys that may log in as a user.

use super::block::{self, Block};
use crate::program::original_name;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// Lines in a user's `authorized_keys`, in a block of their own; other keys are left alone.
#[derive(Debug, Clone)]
pub struct AuthorizedKeys {
    /// Login name; the user may be made by an earlier change of the same run.
    pub user: String,
    /// Public keys, one line each.
    pub keys: Vec<String>,
    /// A wrong key can lock the operator out.
    pub disruptive: bool,
}

impl AuthorizedKeys {
    /// Keys of a user.
    pub fn new<S: Into<String>>(
        user: impl Into<String>,
        keys: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            user: user.into(),
            keys: keys.into_iter().map(Into::into).collect(),
            disruptive: false,
        }
    }

    fn home<'a>(&self, seen: &'a Observation) -> Option<&'a str> {
        seen.user(&self.user).and_then(|l| l.split(':').nth(5))
    }

    /// Where the home usually is: asked for before it is known, so that one look is enough.
    fn usual_home(&self) -> String {
        match self.user.as_str() {
            "root" => "/root".into(),
            name => format!("/home/{name}"),
        }
    }

    fn block(&self) -> Block {
        let keys: Vec<&str> = self.keys.iter().map(|k| k.trim()).collect();
        // The path is only known once the user exists; the name of the original needs one.
        let path = format!("~{}/.ssh/authorized_keys", self.user);
        Block::new(path, "keys", keys.join("\n")).creating()
    }

    fn unfit(&self, what: impl Into<String>, hint: impl Into<String>) -> PlanError {
        PlanError::Unfit {
            id: self.id(),
            what: what.into(),
            hint: hint.into(),
        }
    }
}

impl Resource for AuthorizedKeys {
    fn id(&self) -> ResourceId {
        format!("authorized-keys:{}", self.user)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = vec![Query::User(self.user.clone())];
        let home = self
            .home(seen)
            .map_or_else(|| self.usual_home(), str::to_owned);
        let file = format!("{home}/.ssh/authorized_keys");
        wants.push(Query::Stat(format!("{home}/.ssh")));
        wants.push(Query::Stat(file.clone()));
        wants.push(Query::Content(file));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        if let Some(key) = self.keys.iter().find(|k| k.trim().contains('\n')) {
            return Err(self.unfit(
                format!("the key {key:?} has more than one line"),
                "give each key as one line, as in a .pub file",
            ));
        }
        let block = self.block();
        let mut said = Vec::new();
        let mut folder = None;
        let mut content = None;
        if let Some(home) = self.home(seen) {
            let (ssh, file) = (
                format!("{home}/.ssh"),
                format!("{home}/.ssh/authorized_keys"),
            );
            for path in [&ssh, &file] {
                if seen.stat(path).is_some_and(|s| s.kind == 'l') {
                    return Err(self.unfit(
                        format!("{path} is a symbolic link"),
                        "replace it by what it points to: root does not follow links of a user",
                    ));
                }
            }
            content = seen.content(&file);
            // sshd refuses keys that others could have written.
            let loose = [&ssh, &file]
                .into_iter()
                .filter_map(|p| seen.stat(p))
                .any(|s| s.mode & 0o022 != 0 || s.owner != self.user);
            if loose {
                said.push("owner or mode that sshd would refuse");
            }
            folder = seen
                .stat(&ssh)
                .map(|s| (s.mode, s.owner.clone(), s.group.clone()));
        }
        said.extend(block.difference(content));
        if said.is_empty() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED);
        }
        let undo = Undo {
            user: self.user.clone(),
            folder,
            block: block.undo(),
        };
        let mut apply = undo.variables();
        apply.line(
            "[ -n \"$home\" ] || { echo \"the user $user does not exist\"; exit 1; }\n\
             [ ! -L \"$home/.ssh\" ] && [ ! -L \"$p\" ] || { echo \"$home/.ssh holds a symbolic link\"; exit 1; }\n\
             [ -d \"$home/.ssh\" ] || mkdir -m 0700 -- \"$home/.ssh\"",
        );
        apply.extend(
            &Block {
                mode: 0o600,
                ..block.clone()
            }
            .put_at_p(),
        );
        apply.line("chown -h \"$user:$(id -g \"$user\")\" \"$home/.ssh\" \"$p\"\nchmod go-w \"$home/.ssh\" \"$p\"");
        let verb = if content.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::Keys(undo));
        change.diff = block.diff(content);
        let kept: Vec<String> = self
            .home(seen)
            .map(|home| format!("{home}/.ssh/authorized_keys"))
            .into_iter()
            .collect();
        Ok(Some(change.guarded(
            self.disruptive,
            seen,
            &self.id(),
            &kept,
            Script::new(),
        )))
    }
}

/// How keys are undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Login name.
    pub user: String,
    /// Mode, owner and group of the folder `.ssh` before; `None` if there was none.
    pub folder: Option<(u32, String, String)>,
    /// The block; its path only names the original.
    pub block: block::Undo,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        self.block = later.block.clone();
        self
    }

    fn variables(&self) -> Script {
        let mut script = self.block.variables();
        script.line(format!("user={}", word(&self.user)));
        script.line("home=$(getent passwd \"$user\" | cut -d: -f6)");
        script.line("p=$home/.ssh/authorized_keys");
        script.line(format!("n={}", original_name(&self.block.path)));
        script
    }

    pub(super) fn script(&self) -> Script {
        let mut script = self.variables();
        script.line("[ -n \"$home\" ] && [ -d \"$home/.ssh\" ] && [ ! -L \"$home/.ssh\" ] && [ ! -L \"$p\" ] || return 0");
        script.extend(&block::Undo::drop_at_p());
        match &self.folder {
            Some((mode, owner, group)) => script.line(format!(
                "chown {} \"$home/.ssh\"\nchmod {mode:04o} \"$home/.ssh\"",
                word(format!("{owner}:{group}"))
            )),
            None => script.line("rmdir -- \"$home/.ssh\" 2>/dev/null || :"),
        };
        script
    }

    pub(super) fn summary(&self) -> String {
        format!("take the cluster's keys from {}", self.user)
    }
}
