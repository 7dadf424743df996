//! A block of lines in a file that belongs to somebody else.

use crate::program::original_name;
use crate::resource::text_diff;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// Where a block goes in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// After everything else.
    End,
    /// Before the first line that begins with this text; at the end if there is none.
    Before(String),
}

/// Lines between two marker lines; everything else in the file is left as it is.
#[derive(Debug, Clone)]
pub struct Block {
    /// Absolute path.
    pub path: String,
    /// Name of the block, unique in the file.
    pub name: String,
    /// The lines.
    pub text: String,
    /// Makes the file if it does not exist; otherwise its absence is an error.
    pub create: bool,
    /// What begins a comment in this file.
    pub comment: String,
    /// Where the block goes.
    pub position: Position,
    /// Permission bits of a file that is made; those of a file that exists are left alone.
    pub mode: u32,
}

impl Block {
    /// A block at the end of a file that must exist, with `#` comments.
    pub fn new(path: impl Into<String>, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            name: name.into(),
            text: text.into(),
            create: false,
            comment: "#".into(),
            position: Position::End,
            mode: 0o644,
        }
    }

    /// The file is made if it does not exist.
    #[must_use]
    pub fn creating(mut self) -> Self {
        self.create = true;
        self
    }

    /// Before the first line that begins with a text.
    #[must_use]
    pub fn before(mut self, line: impl Into<String>) -> Self {
        self.position = Position::Before(line.into());
        self
    }

    /// With another beginning of comments.
    #[must_use]
    pub fn comment(mut self, prefix: impl Into<String>) -> Self {
        self.comment = prefix.into();
        self
    }

    /// What is different; `None` if the block is there as it should be.
    pub(super) fn difference(&self, seen: Option<&str>) -> Option<&'static str> {
        let undo = self.undo();
        match undo.find(seen.unwrap_or_default()) {
            Found::Nothing => Some("add the block"),
            Found::Once(text) if text == undo.text => None,
            Found::Once(_) => Some("the block differs"),
            Found::Broken => Some("the markers of the block are damaged"),
        }
    }

    /// The difference as text, for plans.
    pub(super) fn diff(&self, seen: Option<&str>) -> Option<String> {
        let undo = self.undo();
        let old = match undo.find(seen.unwrap_or_default()) {
            Found::Once(text) => text,
            _ => String::new(),
        };
        let line = |t: &str| {
            if t.is_empty() {
                String::new()
            } else {
                format!("{t}\n")
            }
        };
        Some(text_diff(&line(&old), &line(&undo.text))).filter(|d| !d.is_empty())
    }

    pub(super) fn undo(&self) -> Undo {
        Undo {
            path: self.path.clone(),
            name: self.name.clone(),
            comment: self.comment.clone(),
            text: self.text.trim_end_matches('\n').to_owned(),
        }
    }

    /// The shell that puts the block in.
    pub(super) fn put(&self) -> Script {
        let mut script = self.undo().variables();
        script.line(format!("p=$(readlink -m -- {})", word(&self.path)));
        script.extend(&self.put_at_p());
        script
    }

    /// The same for a path that the program has put into `$p` itself, with its variables set.
    pub(super) fn put_at_p(&self) -> Script {
        let before = match &self.position {
            Position::End => "",
            Position::Before(line) => line,
        };
        let mut script = Script::of(format!("BEFORE={}", word(before)));
        script.extend(&Script::of(include_str!("block.sh")));
        let create = if self.create { " create" } else { "" };
        script.line(format!("block_put {:04o}{create}", self.mode));
        script
    }
}

impl Resource for Block {
    fn id(&self) -> ResourceId {
        format!("block:{}#{}", self.path, self.name)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Content(self.path.clone())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let content = seen.content(&self.path);
        let difference = self.difference(content);
        if difference.is_none() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        let verb = match difference {
            Some("add the block") => Verb::Create,
            _ => Verb::Update,
        };
        let mut change = Change::new(
            verb,
            difference.unwrap_or(super::UNFINISHED),
            self.put(),
            super::Undo::Block(self.undo()),
        );
        change.diff = self.diff(content);
        Ok(Some(change))
    }
}

/// What is found of a block.
enum Found {
    Nothing,
    Once(String),
    Broken,
}

/// How a block is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Absolute path.
    pub path: String,
    /// Name of the block.
    pub name: String,
    /// What begins a comment.
    pub comment: String,
    /// Lines of the block, to know them should the marker after them be gone.
    pub text: String,
}

impl Undo {
    fn markers(&self) -> (String, String) {
        let (comment, name) = (&self.comment, &self.name);
        (
            format!("{comment} bramble:{name} begin"),
            format!("{comment} bramble:{name} end"),
        )
    }

    fn find(&self, content: &str) -> Found {
        let (begin, end) = self.markers();
        let lines: Vec<&str> = content.lines().collect();
        let at = |marker: &str| -> Vec<usize> {
            (0..lines.len()).filter(|i| lines[*i] == marker).collect()
        };
        match (&at(&begin)[..], &at(&end)[..]) {
            ([], []) => Found::Nothing,
            ([from], [to]) if from < to => Found::Once(lines[from + 1..*to].join("\n")),
            _ => Found::Broken,
        }
    }

    /// Shell variables that `block.sh` works with, besides `$p`.
    pub(super) fn variables(&self) -> Script {
        let (begin, end) = self.markers();
        let mut script = Script::of(format!("BEGIN={} END={}", word(begin), word(end)));
        script.line(format!("TEXT={}", word(&self.text)));
        script.line(format!("n={}", original_name(&self.path)));
        script
    }

    pub(super) fn script(&self) -> Script {
        let mut script = self.variables();
        script.line(format!("p=$(readlink -m -- {})", word(&self.path)));
        script.extend(&Self::drop_at_p());
        script
    }

    /// The same for a path that the program has put into `$p` itself, with its variables set.
    pub(super) fn drop_at_p() -> Script {
        let mut script = Script::of(include_str!("block.sh"));
        script.line("block_drop");
        script
    }

    pub(super) fn summary(&self) -> String {
        format!("remove the block {} from {}", self.name, self.path)
    }
}
