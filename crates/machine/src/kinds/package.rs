//! Debian packages.

use crate::facts::SANE_CLOCK;
use crate::shell::{word, words};
use crate::{Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Packages that are installed together, so that apt runs once.
#[derive(Debug, Clone, Default)]
pub struct Packages {
    /// Name of the group, unique on a machine.
    pub group: String,
    /// Package name and, if pinned, its exact version.
    pub packages: Vec<(String, Option<String>)>,
    /// Paths that the packages' programs make at run time and that purging leaves: removed with
    /// the packages if they were not there before.
    pub leftovers: Vec<String>,
    /// Services that come with the packages are not started by their installation, because their own
    /// configuration must be there first.
    pub quiet: bool,
}

impl Packages {
    /// Packages in whatever version the archive has.
    pub fn new<S: Into<String>>(
        group: impl Into<String>,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            group: group.into(),
            packages: names.into_iter().map(|n| (n.into(), None)).collect(),
            leftovers: Vec::new(),
            quiet: false,
        }
    }

    /// Without starting the services that come with them.
    #[must_use]
    pub fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// A question that ends with 0 if a package came with a group, finished or not (see package.sh):
    /// what it brings is Bramble's then, and was nobody's before.
    pub fn came_with(group: &str, package: &str) -> Query {
        let base = base(group);
        Query::Command(format!(
            "grep -qsxF {} {} || grep -qsxF {} {}",
            word(format!("package {package}")),
            word(format!("{base}.added")),
            word(format!("new {package}")),
            word(format!("{base}.before")),
        ))
    }

    /// With paths to remove when the packages go.
    #[must_use]
    pub fn leaving<S: Into<String>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.leftovers = paths.into_iter().map(Into::into).collect();
        self
    }
}

impl Resource for Packages {
    fn id(&self) -> ResourceId {
        format!("packages:{}", self.group)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        self.packages
            .iter()
            .map(|(name, _)| Query::Package(name.clone()))
            .collect()
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let mut said = Vec::new();
        let mut install = Vec::new();
        let mut versions = Vec::new();
        for (name, version) in &self.packages {
            match (seen.package(name), version) {
                (Some(_), None) => {}
                (Some(have), Some(want)) if have == want => {}
                (Some(have), Some(want)) => {
                    said.push(format!("{name} {have} → {want}"));
                    versions.push(Version {
                        name: name.clone(),
                        before: have.to_owned(),
                        given: vec![want.clone()],
                    });
                    install.push(format!("{name}={want}"));
                }
                (None, Some(want)) => {
                    said.push(format!("{name} {want}"));
                    install.push(format!("{name}={want}"));
                }
                (None, None) => {
                    said.push(name.clone());
                    install.push(name.clone());
                }
            }
        }
        let brought = self.brought(seen);
        let asked = |name: &String| self.packages.iter().any(|(n, _)| n == name);
        let (mut names, dropped): (Vec<String>, Vec<String>) = brought.into_iter().partition(asked);
        let pending = seen.journal.pending(&self.id());
        if install.is_empty() && dropped.is_empty() && !pending {
            return Ok(None);
        }
        let new = self.packages.iter().map(|(name, _)| name);
        let new: Vec<String> = new.filter(|n| seen.package(n).is_none()).cloned().collect();
        super::add_missing(&mut names, &new, |a, b| a == b);
        let undo = Undo {
            group: self.group.clone(),
            names,
            versions,
        };
        let mut apply = Script::of(format!("P={} SANE={SANE_CLOCK}", word(undo.base())));
        apply.line(format!("L={}", word(self.leftovers.join("\n"))));
        apply.line(format!("Q={}", u8::from(self.quiet)));
        let wanted = self.packages.iter().map(|(name, _)| name);
        apply.line(format!("W={}", word(words(wanted))));
        apply.line(format!("D={}", u8::from(pending || !dropped.is_empty())));
        apply.line(format!("set -- {}", words(&install)));
        apply.extend(&Script::of(include_str!("package.sh")));
        apply.extend(&Script::of(include_str!("package_install.sh")));
        let mut summary = Vec::new();
        if !said.is_empty() {
            summary.push(format!("install {}", said.join(", ")));
        }
        if !dropped.is_empty() {
            summary.push(format!("remove {}, asked for no more", dropped.join(", ")));
        }
        if summary.is_empty() {
            summary.push("finish an interrupted installation".into());
        }
        let verb = if install.is_empty() && !pending {
            Verb::Update
        } else {
            Verb::Create
        };
        let summary = summary.join("; ");
        let mut change = Change::new(verb, summary, apply, super::Undo::Packages(undo));
        change.limit = Duration::from_secs(1800);
        Ok(Some(change))
    }
}

impl Packages {
    /// Packages of the group that were not there before Bramble was asked for them.
    fn brought(&self, seen: &Observation) -> Vec<String> {
        match super::recorded(seen, &self.id()) {
            Some(super::Undo::Packages(undo)) => undo.names.clone(),
            _ => Vec::new(),
        }
    }
}

/// A package that was there in another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Name of the package.
    pub name: String,
    /// Its version before the first change.
    pub before: String,
    /// Versions that it was given since.
    pub given: Vec<String>,
}

/// How packages are undone: what the installation added is recorded on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Name of the group.
    pub group: String,
    /// Packages that it was asked for and that were not there before.
    #[serde(default)]
    pub names: Vec<String>,
    /// Packages whose version was changed.
    #[serde(default)]
    pub versions: Vec<Version>,
}

/// Where it is recorded what a group's installation added.
fn base(group: &str) -> String {
    format!("{HOME}/packages.{}", group.replace('/', "-"))
}

impl Undo {
    fn base(&self) -> String {
        base(&self.group)
    }

    pub(super) fn merge(mut self, later: &Self) -> Self {
        // The later one was made with the earlier one in view.
        self.names.clone_from(&later.names);
        for new in &later.versions {
            match self.versions.iter_mut().find(|v| v.name == new.name) {
                Some(known) => super::add_missing(&mut known.given, &new.given, |a, b| a == b),
                None => self.versions.push(new.clone()),
            }
        }
        self
    }

    pub(super) fn script(&self) -> Script {
        let versions: Vec<String> = self
            .versions
            .iter()
            .map(|v| format!("{} {} {}", v.name, v.before, v.given.join(" ")))
            .collect();
        let mut script = Script::of(format!("P={} SANE={SANE_CLOCK}", word(self.base())));
        script.line(format!("V={}", word(versions.join("\n"))));
        script.extend(&Script::of(include_str!("package.sh")));
        script.extend(&Script::of(include_str!("package_remove.sh")));
        script
    }

    pub(super) fn summary(&self) -> String {
        let mut said = format!("remove the packages that {} added", self.group);
        for version in &self.versions {
            said.push_str(&format!(", put back {} {}", version.name, version.before));
        }
        said
    }
}
