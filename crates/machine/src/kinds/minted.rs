//! Keys and certificates that are made once and then stay.
//!
//! The values come from the operator's side and are fresh in every run; they count only where the
//! machine has none yet. So no plan depends on a value that only one operator knows.

use super::file::Content;
use crate::shell::{word, words};
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// Below this folder; what is in a file whose name begins with [`PUBLIC`] is read with the machine's
/// facts, for other machines.
pub const FOLDER: &str = "/etc/bramble/keys";
/// Begins the name of a file that every look at the machine reads.
pub const PUBLIC: &str = "public.";

/// A folder `/etc/bramble/keys/<group>` with a folder for each holder of keys. Holders that are not named
/// lose theirs.
#[derive(Debug, Clone)]
pub struct Minted {
    /// Name of the folder, unique on a machine.
    pub group: String,
    /// Who has keys.
    pub holders: Vec<Holder>,
    /// What is lost when all of it goes, for the plan of a teardown; `None` if nothing of worth.
    pub worth: Option<String>,
}

/// Keys that belong together: all of them are made at once, or none.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Name of the folder: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The files.
    pub files: Vec<MintedFile>,
}

/// One file.
#[derive(Debug, Clone)]
pub struct MintedFile {
    /// Its name.
    pub name: String,
    /// What it holds if it is made now.
    pub content: Content,
    /// Permission bits.
    pub mode: u32,
    /// Group's name; the owner is root.
    pub group: String,
}

impl MintedFile {
    /// For root alone.
    pub fn secret(name: impl Into<String>, content: bramble_secret::Secret) -> Self {
        Self {
            name: name.into(),
            content: Content::Secret(content),
            mode: 0o600,
            group: "root".into(),
        }
    }

    /// For everybody on the machine.
    pub fn open(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            content: Content::Text(text.into()),
            mode: 0o644,
            group: "root".into(),
        }
    }

    /// Readable for a group as well.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self.mode |= 0o040;
        self
    }
}

impl Minted {
    fn folder(&self) -> String {
        format!("{FOLDER}/{}", self.group)
    }

    /// Where a holder's file is.
    pub fn path(group: &str, holder: &str, file: &str) -> String {
        format!("{FOLDER}/{group}/{holder}/{file}")
    }

    fn list(&self) -> String {
        format!("ls -1A {} 2>/dev/null || :", word(self.folder()))
    }

    fn missing(&self, seen: &Observation) -> Vec<&Holder> {
        let there = |holder: &&Holder| {
            holder.files.iter().all(|file| {
                let path = Self::path(&self.group, &holder.name, &file.name);
                seen.stat(&path).is_some_and(|s| s.kind == 'f')
            })
        };
        self.holders.iter().filter(|h| !there(h)).collect()
    }

    /// Holders of the machine that are not named any more.
    fn withdrawn<'a>(&self, seen: &'a Observation) -> Vec<&'a str> {
        let list = self.list();
        let all = seen.printed(&list).map_or("", |p| p.text.as_str()).lines();
        all.filter(|name| !name.is_empty() && !self.holders.iter().any(|h| h.name == **name))
            .collect()
    }

    fn make(&self, holder: &Holder) -> Script {
        let at = word(format!("{}/{}", self.folder(), holder.name));
        let new = word(format!("{}/.{}.new", self.folder(), holder.name));
        let mut script = Script::of(format!("rm -rf -- {new}\nmkdir -m 0711 -- {new}"));
        for file in &holder.files {
            let path = word(format!(
                "{}/.{}.new/{}",
                self.folder(),
                holder.name,
                file.name
            ));
            // Closed first: a secret must not be readable for a moment.
            script.line(format!("(umask 077; : > {path})"));
            script.print_bytes(file.content.bytes(), &format!("> {path}"));
            script.line(format!(
                "chown {} {path}",
                word(format!("root:{}", file.group))
            ));
            script.line(format!("chmod {:04o} {path}", file.mode));
        }
        script.line(format!("sync {new}/*"));
        script.line(format!("rm -rf -- {at}\nmv -T -- {new} {at}"));
        script
    }
}

impl Resource for Minted {
    fn id(&self) -> ResourceId {
        format!("keys:{}", self.group)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        let mut wants = vec![Query::Command(self.list()), Query::Stat(self.folder())];
        for holder in &self.holders {
            let path = |f: &MintedFile| Self::path(&self.group, &holder.name, &f.name);
            wants.extend(holder.files.iter().map(|f| Query::Stat(path(f))));
        }
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let (missing, withdrawn) = (self.missing(seen), self.withdrawn(seen));
        let pending = seen.journal.pending(&self.id());
        let there = seen.stat(&self.folder()).is_some();
        if missing.is_empty() && withdrawn.is_empty() && there && !pending {
            return Ok(None);
        }
        let mut said = Vec::new();
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter().map(|h| h.name.as_str()).collect();
            said.push(format!("new keys for {}", names.join(", ")));
        }
        let shown: Vec<&str> = withdrawn
            .iter()
            .copied()
            .filter(|n| !n.starts_with('.'))
            .collect();
        if !shown.is_empty() {
            said.push(format!("withdraw the keys of {}", shown.join(", ")));
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let folder = word(self.folder());
        let mut apply = Script::of(format!(
            "mkdir -p {FOLDER}\n[ -d {folder} ] || mkdir -m 0711 -- {folder}"
        ));
        if !withdrawn.is_empty() {
            let paths = withdrawn.iter().map(|n| format!("{}/{n}", self.folder()));
            apply.line(format!("rm -rf -- {}", words(paths)));
        }
        for holder in missing {
            apply.extend(&self.make(holder));
        }
        let verb = if there { Verb::Update } else { Verb::Create };
        let undo = super::Undo::Minted(Undo {
            group: self.group.clone(),
            worth: self.worth.clone(),
        });
        Ok(Some(Change::new(verb, said.join(", "), apply, undo)))
    }
}

/// How keys are undone: all of the group go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Name of the folder.
    pub group: String,
    /// What is lost.
    #[serde(default)]
    pub worth: Option<String>,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        Script::of(format!(
            "rm -rf -- {}\nrmdir {FOLDER} /etc/bramble 2>/dev/null || :",
            word(format!("{FOLDER}/{}", self.group))
        ))
    }

    pub(super) fn destroys(&self) -> Option<String> {
        self.worth.clone()
    }

    pub(super) fn summary(&self) -> String {
        format!("remove the keys of {}", self.group)
    }
}
