//! A package archive.

use super::file::{self, Content, File};
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// A package archive with its key, in files of its own.
#[derive(Debug, Clone, Default)]
pub struct AptSource {
    /// Name, unique on the machine.
    pub name: String,
    /// Addresses of the archive.
    pub uris: Vec<String>,
    /// Suites, or one path that ends with a slash.
    pub suites: Vec<String>,
    /// Components; empty for a suite that is a path.
    pub components: Vec<String>,
    /// The key that signs the archive, armored or binary.
    pub key: Option<Vec<u8>>,
    /// Architectures; empty for the machine's own.
    pub architectures: Vec<String>,
    /// Further fields, such as `("Trusted", "yes")` for an archive on this machine.
    pub fields: Vec<(String, String)>,
}

impl AptSource {
    /// An archive without key.
    pub fn new(name: impl Into<String>, uri: impl Into<String>, suite: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uris: vec![uri.into()],
            suites: vec![suite.into()],
            ..Self::default()
        }
    }

    /// With components.
    #[must_use]
    pub fn components<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.components = names.into_iter().map(Into::into).collect();
        self
    }

    /// With the key that signs it.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    fn key_file(&self) -> Option<File> {
        let key = self.key.as_ref()?;
        let armored = key.starts_with(b"-----BEGIN");
        let ending = if armored { "asc" } else { "gpg" };
        let path = format!("/etc/apt/keyrings/bramble-{}.{ending}", self.name);
        Some(File::new(path, Content::Bytes(key.clone()), 0o644))
    }

    fn list_file(&self) -> File {
        let mut text = String::from("Types: deb\n");
        let mut field = |name: &str, values: &[String]| {
            if !values.is_empty() {
                let _ = writeln!(text, "{name}: {}", values.join(" "));
            }
        };
        field("URIs", &self.uris);
        field("Suites", &self.suites);
        field("Components", &self.components);
        field("Architectures", &self.architectures);
        if let Some(key) = self.key_file() {
            field("Signed-By", &[key.path]);
        }
        for (name, value) in &self.fields {
            field(name, std::slice::from_ref(value));
        }
        File::text(
            format!("/etc/apt/sources.list.d/bramble-{}.sources", self.name),
            text,
        )
    }
}

impl Resource for AptSource {
    fn id(&self) -> ResourceId {
        format!("apt-source:{}", self.name)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = self.list_file().wants(seen);
        wants.extend(self.key_file().iter().flat_map(|k| k.wants(seen)));
        wants.push(Query::Stat("/etc/apt/keyrings".into()));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let id = self.id();
        let files: Vec<File> = self
            .key_file()
            .into_iter()
            .chain([self.list_file()])
            .collect();
        let mut said = Vec::new();
        for file in &files {
            let differences = file.differences(seen);
            if !differences.is_empty() {
                said.push(format!("{}: {}", file.path, differences.join(", ")));
            }
        }
        if said.is_empty() && !seen.journal.pending(&id) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let first = match super::recorded(seen, &id) {
            Some(super::Undo::AptSource(undo)) => Some(undo),
            _ => None,
        };
        let undo = Undo {
            files: files
                .iter()
                .map(|f| {
                    let known = first.and_then(|u| u.files.iter().find(|k| k.path == f.path));
                    f.undo(known, seen)
                })
                .collect(),
            uris: self.uris.clone(),
            keyrings: seen.stat("/etc/apt/keyrings").is_some(),
        };
        let mut apply = Script::of("mkdir -p /etc/apt/keyrings");
        for (file, undo) in files.iter().zip(&undo.files) {
            apply.extend(&file.write(undo.absent));
        }
        // Only this archive: the others have not changed, and their lists must stay.
        let list = word(self.list_file().path);
        apply.line(format!(
            "apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dir::Etc::sourcelist={list} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any update"
        ));
        let verb = if first.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::AptSource(undo));
        change.diff = self.list_file().diff(seen);
        change.limit = Duration::from_secs(900);
        Ok(Some(change))
    }
}

/// How an archive is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Key and list.
    pub files: Vec<file::Undo>,
    /// Addresses, to know the downloaded lists.
    pub uris: Vec<String>,
    /// The folder for keys was there before.
    pub keyrings: bool,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.files, &later.files, |a, b| a.path == b.path);
        super::add_missing(&mut self.uris, &later.uris, |a, b| a == b);
        self
    }

    pub(super) fn script(&self) -> Script {
        let mut script = Script::new();
        for file in &self.files {
            script.extend(&file.script());
        }
        if !self.keyrings {
            script.line("rmdir /etc/apt/keyrings 2>/dev/null || :");
        }
        script.extend(&forget_lists(&self.uris));
        script
    }

    pub(super) fn summary(&self) -> String {
        format!("remove the package archive {}", self.uris.join(", "))
    }
}

/// The shell that removes the downloaded lists of archives.
pub(super) fn forget_lists(uris: &[String]) -> Script {
    let mut script = Script::new();
    for uri in uris {
        // apt names its lists after the address, without scheme and with _ for /.
        let bare = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
        let bare = bare.strip_prefix("file:").unwrap_or(bare);
        let prefix = bare
            .trim_end_matches('/')
            .replace('_', "%5f")
            .replace('/', "_");
        script.line(format!("rm -f -- /var/lib/apt/lists/{}_*", word(prefix)));
    }
    script
}
