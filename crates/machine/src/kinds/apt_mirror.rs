//! Another address for Debian's archive.

use crate::program::original_name;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A mirror that takes the place of Debian's archive in the machine's own lists of sources. The
/// security archive and archives of others stay.
#[derive(Debug, Clone)]
pub struct AptMirror {
    /// Address of the mirror, such as `http://mirror.example/debian`.
    pub url: String,
}

impl AptMirror {
    /// A mirror by its address.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// The list of files that differ.
    fn look(&self, before: &[String]) -> Script {
        let mut script = tools(before, &self.url);
        script.line("mirror_files | while IFS= read -r f; do ! mirror_differs \"$f\" || printf '%s\\n' \"$f\"; done");
        script
    }

    /// Mirrors that an earlier run set, which may differ from the one now wanted.
    fn before(&self, seen: &Observation) -> Vec<String> {
        match super::recorded(seen, &self.id()) {
            Some(super::Undo::AptMirror(undo)) => {
                let mut urls = undo.urls.clone();
                urls.retain(|u| *u != self.url);
                urls
            }
            _ => Vec::new(),
        }
    }
}

/// Extended regular expression of exactly these addresses.
fn pattern(urls: &[String]) -> String {
    let mut patterns = Vec::new();
    for url in urls {
        let escaped: String = url
            .trim_end_matches('/')
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_string()
                } else {
                    format!("[{c}]")
                }
            })
            .collect();
        patterns.push(format!("^{escaped}$"));
    }
    patterns.join("|")
}

/// Shell functions with what they work with.
fn tools(before: &[String], url: &str) -> Script {
    // Debian's own hosts, under any country's name, with the archive's usual path.
    let mut old =
        String::from(r"^(mirror[+])?https?://([a-z0-9.-]+[.])?debian[.](org|net)/debian$");
    if !before.is_empty() {
        old.push('|');
        old.push_str(&pattern(before));
    }
    let mut script = Script::of(format!("OLD={} URL={}", word(old), word(url)));
    script.extend(&Script::of(include_str!("apt_mirror.sh")));
    script
}

/// The shell that edits a list in place, be it by a link: `$p` is where it is, `$n` the name of its
/// original.
fn edit(file: &str, commands: &str) -> Script {
    let mut script = Script::of(format!(
        "p=$(readlink -m -- {}) n={}",
        word(file),
        original_name(file)
    ));
    script.line(commands);
    script
}

impl Resource for AptMirror {
    fn id(&self) -> ResourceId {
        "apt-mirror:bramble".into()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        vec![Query::Command(
            self.look(&self.before(seen)).as_str().to_owned(),
        )]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]@%+".contains(c);
        if !self.url.contains(":/") || !self.url.chars().all(plain) {
            return Err(PlanError::Unfit {
                id: self.id(),
                what: format!("{:?} is no address of a mirror", self.url),
                hint: "give an address such as http://mirror.example/debian".into(),
            });
        }
        let before = self.before(seen);
        let look = self.look(&before);
        let files: Vec<String> = seen
            .printed(look.as_str())
            .map(|p| p.text.lines().map(str::to_owned).collect())
            .unwrap_or_default();
        if files.is_empty() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        let mut apply = tools(&before, &self.url);
        for file in &files {
            apply.extend(&edit(
                file,
                "keep \"$p\" \"$n\"\n\
                 rm -f -- \"$p.bramble-new\"\n\
                 cp -a -- \"$p\" \"$p.bramble-new\"\n\
                 mirror_edit \"$p\" >\"$p.bramble-new\"\n\
                 sync \"$p.bramble-new\"\n\
                 mv -fT -- \"$p.bramble-new\" \"$p\"",
            ));
        }
        // The lists of the old addresses stay for the day when they come back.
        apply.line("apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any update");
        let mut urls = before;
        urls.push(self.url.clone());
        let summary = if files.is_empty() {
            super::UNFINISHED.to_owned()
        } else {
            format!("use {} in {}", self.url, files.join(", "))
        };
        let undo = super::Undo::AptMirror(Undo { urls, files });
        let mut change = Change::new(Verb::Update, summary, apply, undo);
        change.limit = Duration::from_secs(900);
        Ok(Some(change))
    }
}

/// How the archive's own address comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Mirrors that were set.
    pub urls: Vec<String>,
    /// Files that were changed.
    pub files: Vec<String>,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.urls, &later.urls, |a, b| a == b);
        super::add_missing(&mut self.files, &later.files, |a, b| a == b);
        self
    }

    pub(super) fn script(&self) -> Script {
        let mut script = tools(&self.urls, "");
        script.line(format!(
            "MIRRORS={} URLS={}",
            word(pattern(&self.urls)),
            word(self.urls.join("\n"))
        ));
        for file in &self.files {
            script.extend(&edit(
                file,
                "ORIGINAL=$B/originals/$n\n\
                 rm -f -- \"$p.bramble-new\"\n\
                 if [ -f \"$p\" ] && [ -f \"$ORIGINAL\" ]; then\n\
                 \tcp -a -- \"$p\" \"$p.bramble-new\"\n\
                 \tmirror_back \"$p\" >\"$p.bramble-new\"\n\
                 \tsettle \"$p.bramble-new\" \"$p\" \"$n\"\n\
                 fi",
            ));
        }
        script.extend(&super::apt_source::forget_lists(&self.urls));
        script
    }

    pub(super) fn summary(&self) -> String {
        format!(
            "put the archive's own address back into {}",
            self.files.join(", ")
        )
    }
}
