//! Words of a Raspberry Pi's kernel command line.

use crate::program::original_name;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Where the file is: the newer place first. The older may hold a note that points to the newer.
const PATHS: [&str; 2] = ["/boot/firmware/cmdline.txt", "/boot/cmdline.txt"];

/// Keys that may stand on the line more than once, each with its own meaning.
const REPEATED: [&str; 4] = ["console", "cgroup_enable", "cgroup_disable", "earlycon"];

/// Words that the kernel's command line must hold. They are added to the single line of a
/// Raspberry Pi's `cmdline.txt`, the rest of which is left as it is; a machine without such a file
/// has nothing to change.
#[derive(Debug, Clone)]
pub struct CmdlineWords {
    /// Words such as `cgroup_enable=memory`.
    pub words: Vec<String>,
}

impl CmdlineWords {
    /// Words to have.
    pub fn new<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
        }
    }

    fn path(seen: &Observation) -> Option<&'static str> {
        PATHS.into_iter().find(|p| seen.content(p).is_some())
    }

    /// Words to add, and words to replace with what replaces them.
    fn edits(&self, line: &str) -> (Vec<String>, Vec<(String, String)>) {
        let have: Vec<&str> = line.split_whitespace().collect();
        let (mut added, mut replaced) = (Vec::new(), Vec::new());
        for wanted in &self.words {
            let key = wanted.split('=').next().unwrap_or(wanted);
            let single = !REPEATED.contains(&key);
            let other = |w: &&&str| single && **w != wanted && w.split('=').next() == Some(key);
            match have.iter().find(other) {
                Some(old) => replaced.push(((*old).to_owned(), wanted.clone())),
                None if have.contains(&wanted.as_str()) => {}
                None => added.push(wanted.clone()),
            }
        }
        (added, replaced)
    }
}

impl Resource for CmdlineWords {
    fn id(&self) -> ResourceId {
        "cmdline:bramble".into()
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        PATHS.iter().map(|p| Query::Content((*p).into())).collect()
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let Some(path) = Self::path(seen) else {
            return Ok(None);
        };
        let unfit = |what: String, hint: &str| PlanError::Unfit {
            id: self.id(),
            what,
            hint: hint.into(),
        };
        if let Some(bad) = self
            .words
            .iter()
            .find(|w| w.is_empty() || w.contains(char::is_whitespace))
        {
            return Err(unfit(
                format!("{bad:?} is not one word"),
                "give each word of the command line on its own",
            ));
        }
        let line = seen
            .content(path)
            .and_then(|c| c.lines().next())
            .unwrap_or_default();
        if line.trim().is_empty() {
            return Err(unfit(
                format!("the first line of {path} is empty"),
                "restore the file from the image: without it the machine does not boot",
            ));
        }
        let (added, replaced) = self.edits(line);
        if added.is_empty() && replaced.is_empty() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        let mut said: Vec<String> = replaced.iter().map(|(o, n)| format!("{o} → {n}")).collect();
        said.extend(added.iter().cloned());
        let summary = if said.is_empty() {
            super::UNFINISHED.to_owned()
        } else {
            format!("{} (takes effect after a reboot)", said.join(", "))
        };
        let mut edit = String::new();
        for (old, new) in &replaced {
            let _ = writeln!(edit, "1{}", replace(old, new));
        }
        for new in &added {
            let _ = writeln!(edit, "1s/$/ {}/", replacement(new));
        }
        let undo = Undo {
            path: path.into(),
            added,
            replaced,
        };
        let apply = undo.edit(&edit, true);
        Ok(Some(Change::new(
            Verb::Update,
            summary,
            apply,
            super::Undo::Cmdline(undo),
        )))
    }
}

/// A text that sed takes literally as a pattern.
fn pattern(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\/.*[]^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A text that sed takes literally as a replacement.
fn replacement(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\/&".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The command of sed that replaces a whole word.
fn replace(old: &str, new: &str) -> String {
    format!(
        r"s/\(^\|[[:blank:]]\){}\([[:blank:]]\|$\)/\1{}\2/",
        pattern(old),
        replacement(new)
    )
}

/// How words are undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The file.
    pub path: String,
    /// Words that were not there before.
    pub added: Vec<String>,
    /// Words that were replaced, with what replaced them.
    pub replaced: Vec<(String, String)>,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.added, &later.added, |a, b| a == b);
        super::add_missing(&mut self.replaced, &later.replaced, |a, b| a.1 == b.1);
        // A word that was replaced at first, was taken out by hand and came back.
        let replaced = &self.replaced;
        self.added
            .retain(|a| !replaced.iter().any(|(_, new)| new == a));
        self
    }

    fn edit(&self, commands: &str, keep: bool) -> Script {
        let (path, name) = (word(&self.path), original_name(&self.path));
        let new = word(format!("{}.bramble-new", self.path));
        let mut script = Script::of(format!("[ -f {path} ] || return 0"));
        if keep {
            script.line(format!("keep {path} {name}"));
        }
        script.line(format!("rm -f -- {new}\ncp -a -- {path} {new}"));
        script.line(format!(
            "sed -e {} <{path} >{new}",
            word(commands.trim_end())
        ));
        script.line(format!("settle {new} {path} {name}"));
        script
    }

    pub(super) fn script(&self) -> Script {
        let mut edit = String::new();
        for new in self.added.iter().rev() {
            let _ = writeln!(
                edit,
                r"1s/[[:blank:]]{}\([[:blank:]]\|$\)/\1/",
                pattern(new)
            );
        }
        for (old, new) in &self.replaced {
            let _ = writeln!(edit, "1{}", replace(new, old));
        }
        self.edit(&edit, false)
    }

    pub(super) fn summary(&self) -> String {
        format!("take the cluster's words out of {}", self.path)
    }
}
