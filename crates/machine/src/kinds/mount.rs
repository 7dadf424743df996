//! A file system.

use super::block::{self, Block};
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

const FSTAB: &str = "/etc/fstab";
const MOUNTS: &str = "/proc/self/mounts";

/// A file system that is mounted now and at boot.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Device, `UUID=...`, or `server:/path`.
    pub what: String,
    /// Absolute path; the folder is made if it is missing.
    pub at: String,
    /// Type, such as `ext4` or `nfs4`.
    pub fstype: String,
    /// Options with commas between them; `nofail` is always among them, because a machine that
    /// waits for a lost disk can't be reached to mend it.
    pub options: String,
}

impl Mount {
    /// A file system with default options.
    pub fn new(what: impl Into<String>, at: impl Into<String>, fstype: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            at: at.into(),
            fstype: fstype.into(),
            options: "defaults".into(),
        }
    }

    /// With options.
    #[must_use]
    pub fn options(mut self, options: impl Into<String>) -> Self {
        self.options = options.into();
        self
    }

    fn block(&self) -> Block {
        let mut options = self.options.clone();
        if !options.split(',').any(|o| o == "nofail") {
            options.push_str(if options.is_empty() {
                "nofail"
            } else {
                ",nofail"
            });
        }
        let line = format!(
            "{} {} {} {options} 0 0",
            escape(&self.what),
            escape(&self.at),
            self.fstype
        );
        Block::new(FSTAB, format!("mount:{}", self.at), line).creating()
    }

    fn is_device(&self) -> bool {
        self.what.starts_with("/dev/")
    }

    /// The kernel's name of the device: names that stay are links to those that change.
    fn node(&self, seen: &Observation) -> String {
        let link = seen.stat(&self.what).filter(|s| s.kind == 'l');
        let Some(link) = link.filter(|_| self.is_device()) else {
            return self.what.clone();
        };
        let mut parts: Vec<&str> = self.what.split('/').collect();
        parts.pop();
        if link.target.starts_with('/') {
            parts.clear();
        }
        for part in link.target.split('/') {
            match part {
                ".." => {
                    parts.pop();
                }
                "." => {}
                part => parts.push(part),
            }
        }
        parts.join("/")
    }

    /// What is mounted there now: source and type.
    fn mounted<'a>(&self, seen: &'a Observation) -> Option<(&'a str, &'a str)> {
        let at = escape(&self.at);
        // The last one covers those before it.
        let lines = seen.content(MOUNTS)?.lines().rev();
        let mut all = lines.map(|l| l.split(' ').collect::<Vec<_>>());
        let fields = all.find(|f| f.get(1) == Some(&at.as_str()))?;
        Some((fields[0], fields.get(2).copied().unwrap_or_default()))
    }
}

/// How fstab and the kernel write blanks.
pub(super) fn escape(path: &str) -> String {
    path.replace('\\', r"\134")
        .replace(' ', r"\040")
        .replace('\t', r"\011")
}

impl Resource for Mount {
    fn id(&self) -> ResourceId {
        format!("mount:{}", self.at)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        let mut wants = vec![
            Query::Content(FSTAB.into()),
            Query::Content(MOUNTS.into()),
            Query::Stat(self.at.clone()),
        ];
        wants.extend(self.is_device().then(|| Query::Stat(self.what.clone())));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let block = self.block();
        let mut said = Vec::new();
        let mounted = self.mounted(seen);
        // A name such as UUID= can't be compared with the kernel's.
        let comparable = self.what.starts_with('/') || self.what.contains(":/");
        let names = [escape(&self.what), escape(&self.node(seen))];
        let wrong = mounted.filter(|(what, _)| comparable && !names.iter().any(|n| n == what));
        match (mounted, wrong) {
            (None, _) => said.push(format!("mount {}", self.what)),
            (_, Some((what, _))) => said.push(format!("mount {} instead of {what}", self.what)),
            _ => {}
        }
        let difference = block.difference(seen.content(FSTAB));
        said.extend(difference.map(|d| format!("{FSTAB}: {d}")));
        if said.is_empty() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let at = word(&self.at);
        let mut apply = Script::of(format!("mkdir -p -- {at}"));
        if wrong.is_some() {
            apply.line(format!("umount -- {at}"));
        }
        apply.extend(&block.put());
        apply.line(RELOAD);
        if mounted.is_some() && wrong.is_none() && difference.is_some() {
            apply.line(format!("mount -o remount {at}"));
        }
        // With `nofail`, mount keeps silent about a device that is not there.
        apply.line(format!(
            "mountpoint -q {at} || mount -- {at}\nmountpoint -q {at} || {{ echo {} 'can not be mounted at' {at}': is it there?'; exit 1; }}",
            word(&self.what)
        ));
        let undo = Undo {
            at: self.at.clone(),
            folder: seen.stat(&self.at).is_some(),
            mounted: mounted.is_some(),
            block: block.undo(),
        };
        let verb = if mounted.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::Mount(undo));
        change.diff = block.diff(seen.content(FSTAB));
        Ok(Some(change))
    }
}

/// systemd makes its mount units from fstab only when it is told to.
pub(super) const RELOAD: &str = "[ ! -d /run/systemd/system ] || systemctl daemon-reload";

/// How a mount is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Absolute path.
    pub at: String,
    /// The folder existed.
    pub folder: bool,
    /// Something was mounted there.
    pub mounted: bool,
    /// The line of fstab.
    pub block: block::Undo,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        self.block = later.block.clone();
        self
    }

    pub(super) fn script(&self) -> Script {
        let at = word(&self.at);
        let mut script = Script::new();
        if !self.mounted {
            script.line(format!("! mountpoint -q {at} || umount -- {at}"));
        }
        script.extend(&self.block.script());
        script.line(RELOAD);
        if !self.folder {
            script.line(format!("[ ! -d {at} ] || rmdir -- {at} || :"));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        format!("unmount {}", self.at)
    }
}
