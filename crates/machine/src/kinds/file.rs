//! A whole file.

use crate::program::{original_name, original_path};
use crate::resource::text_diff;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use bramble_secret::Secret;
use serde::{Deserialize, Serialize};

/// What a file should hold.
#[derive(Debug, Clone)]
pub enum Content {
    /// Text that plans may show.
    Text(String),
    /// Bytes; plans show their size.
    Bytes(Vec<u8>),
    /// A secret; plans show that it differs. Give the file a mode that fits.
    Secret(Secret),
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes(bytes) => bytes,
            Content::Secret(secret) => secret.expose().as_bytes(),
        }
    }
}

/// A regular file with content, mode and owner. Its folder must exist (see
/// [`crate::kinds`] for folders).
#[derive(Debug, Clone)]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    /// Owner's name.
    pub owner: String,
    /// Group's name.
    pub group: String,
    /// Program that must accept the new file before it takes the place of the old one; its path
    /// is `$new`. Such as `visudo -cf "$new"`.
    pub check: Option<String>,
    /// A wrong content can lock the operator out.
    pub disruptive: bool,
}

impl File {
    /// A text file of root's with mode 0644.
    pub fn text(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self::new(path, Content::Text(content.into()), 0o644)
    }

    /// A file of root's.
    pub fn new(path: impl Into<String>, content: Content, mode: u32) -> Self {
        Self {
            path: path.into(),
            content,
            mode,
            owner: "root".into(),
            group: "root".into(),
            check: None,
            disruptive: false,
        }
    }

    /// With a program that checks the new content.
    #[must_use]
    pub fn checked(mut self, program: impl Into<String>) -> Self {
        self.check = Some(program.into());
        self
    }

    pub(super) fn differences(&self, seen: &Observation) -> Vec<String> {
        use sha2::Digest;
        let Some(stat) = seen.stat(&self.path) else {
            return vec!["new file".into()];
        };
        let mut out = Vec::new();
        if stat.kind != 'f' {
            out.push("is not a regular file".into());
        }
        let wanted = hex::encode(sha2::Sha256::digest(self.content.bytes()));
        if seen.sha256(&self.path) != Some(wanted.as_str()) {
            out.push("content differs".into());
        }
        if stat.mode != self.mode {
            out.push(format!("mode {:04o} → {:04o}", stat.mode, self.mode));
        }
        if stat.owner != self.owner || stat.group != self.group {
            out.push(format!(
                "owner {}:{} → {}:{}",
                stat.owner, stat.group, self.owner, self.group
            ));
        }
        out
    }

    pub(super) fn diff(&self, seen: &Observation) -> Option<String> {
        match &self.content {
            Content::Text(text) => Some(text_diff(
                seen.content(&self.path).unwrap_or_default(),
                text,
            )),
            Content::Bytes(bytes) => Some(format!("({} bytes)\n", bytes.len())),
            Content::Secret(_) => Some("(secret content)\n".into()),
        }
        .filter(|d| !d.is_empty())
    }

    /// The shell that writes the file.
    pub(super) fn write(&self, absent: bool) -> Script {
        let path = word(&self.path);
        let new = word(beside(&self.path));
        let mut apply = Script::new();
        if !absent {
            apply.line(format!("keep {path} {}", original_name(&self.path)));
        }
        // Secrets must not be readable for a moment: the file is made closed and opened last.
        apply.line(format!("rm -f -- {new}; (umask 077; : > {new})"));
        apply.print_bytes(self.content.bytes(), &format!("> {new}"));
        if let Some(check) = &self.check {
            // What was refused must not lie about beside the old file.
            apply.line(format!("new={new}\ntrap 'rm -f -- \"$new\"' EXIT"));
            apply.line(check);
            apply.line("trap - EXIT");
        }
        apply.line(format!(
            "place {new} {path} {:04o} {}",
            self.mode,
            word(format!("{}:{}", self.owner, self.group))
        ));
        apply
    }

    /// How to undo it, given what was recorded with the first change.
    pub(super) fn undo(&self, first: Option<&Undo>, seen: &Observation) -> Undo {
        Undo {
            path: self.path.clone(),
            absent: first.map_or(seen.stat(&self.path).is_none(), |u| u.absent),
        }
    }

    /// The plan under the id of a kind that is made of one file.
    pub(super) fn plan_as(
        &self,
        id: &str,
        seen: &Observation,
    ) -> Result<Option<Change>, PlanError> {
        if seen.stat(&self.path).is_some_and(|s| s.kind == 'd') {
            return Err(PlanError::Unfit {
                id: id.to_owned(),
                what: "a folder is in the place of the file".into(),
                hint: format!("move it away: mv {0} {0}.old", self.path),
            });
        }
        let differences = self.differences(seen);
        if differences.is_empty() && !seen.journal.pending(id) {
            return Ok(None);
        }
        let exists = seen.stat(&self.path).is_some();
        let undo = self.undo(
            match super::recorded(seen, id) {
                Some(super::Undo::File(undo)) => Some(undo),
                _ => None,
            },
            seen,
        );
        let apply = self.write(undo.absent);
        let verb = if exists { Verb::Update } else { Verb::Create };
        let mut change = Change::new(verb, differences.join(", "), apply, super::Undo::File(undo));
        if change.summary.is_empty() {
            change.summary = super::UNFINISHED.into();
        }
        change.diff = self.diff(seen);
        let kept = [self.path.clone()];
        Ok(Some(change.guarded(
            self.disruptive,
            seen,
            id,
            &kept,
            Script::new(),
        )))
    }
}

impl Resource for File {
    fn id(&self) -> ResourceId {
        format!("file:{}", self.path)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let path = &self.path;
        let mut wants = vec![Query::Stat(path.clone()), Query::Sha256(path.clone())];
        // The old text is only needed to show a difference: a machine that is as it should be
        // never sends it.
        if seen.knows(&wants[0])
            && matches!(self.content, Content::Text(_))
            && seen.stat(path).is_some_and(|s| s.kind == 'f')
            && self
                .differences(seen)
                .iter()
                .any(|d| d == "content differs")
        {
            wants.push(Query::Content(path.clone()));
        }
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        self.plan_as(&self.id(), seen)
    }
}

/// Where a file's new content lies until it takes its place. The kubelet runs whatever it finds in its folder, but
/// for names with a dot in front.
fn beside(path: &str) -> String {
    match path.strip_prefix("/etc/kubernetes/manifests/") {
        Some(name) => format!("/etc/kubernetes/manifests/.{name}.bramble-new"),
        None => format!("{path}.bramble-new"),
    }
}

/// How a file is undone.
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
        if self.absent {
            return Script::of(format!("rm -f -- {path} {}", word(beside(&self.path))));
        }
        Script::of(format!(
            "rm -f -- {}\nrestore {path} {}",
            word(beside(&self.path)),
            original_name(&self.path)
        ))
    }

    pub(super) fn summary(&self) -> String {
        if self.absent {
            format!("remove {}", self.path)
        } else {
            format!("restore {} from {}", self.path, original_path(&self.path))
        }
    }
}
