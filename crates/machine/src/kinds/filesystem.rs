//! A disk that gets a file system once.

use super::action;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use std::time::Duration;

const MOUNTS: &str = "/proc/self/mountinfo";
const SWAPS: &str = "/proc/swaps";
/// What people see when they look at the disk elsewhere; set last, so that it says that all is done.
const LABEL: &str = "bramble";

/// A file system on a whole disk or partition. A blank one is formatted; one that has the file system is
/// left as it is; one that holds something else is refused, or formatted where the operator says so.
/// What Bramble formatted once it never formats again.
#[derive(Debug, Clone)]
pub struct FileSystem {
    /// Absolute path of a name that stays, such as those below `/dev/disk/by-id`.
    pub device: String,
    /// `ext4` or `xfs`.
    pub fstype: String,
    /// Where it is mounted; elsewhere it must not be.
    pub at: String,
    /// Format it even if something else is on it.
    pub wipe: bool,
    /// Whose it is, such as the name of the cluster: the file system's UUID is made of it.
    pub owner: String,
}

/// What is on a disk.
#[derive(Debug, Default)]
struct Found<'a> {
    /// The kernel's name for it; `None` if there is no such disk.
    node: Option<&'a str>,
    /// Names of disks that are there.
    names: Vec<&'a str>,
    /// Bytes.
    size: u64,
    /// Numbers and names of the disk and its partitions.
    parts: Vec<(&'a str, &'a str)>,
    /// Volumes that are made of it.
    holders: Vec<&'a str>,
    /// Lines `KEY=value` about what blkid recognizes.
    signs: Vec<&'a str>,
    /// What is on its partitions.
    inside: Vec<&'a str>,
    /// There are signs of several things at once.
    ambivalent: bool,
    /// Its first part holds nothing but zeros.
    zero: bool,
}

impl<'a> Found<'a> {
    fn read(text: &'a str) -> Self {
        let mut found = Found::default();
        for line in text.lines() {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "name" => found.names.push(rest),
                "node" => found.node = Some(rest),
                "sectors" => found.size = rest.parse::<u64>().unwrap_or(0) * 512,
                "part" => found.parts.extend(rest.split_once(' ')),
                "holder" => found.holders.push(rest),
                "sign" => found.signs.push(rest),
                "inside" => found.inside.push(rest),
                "ambivalent" => found.ambivalent = true,
                "zero" => found.zero = true,
                _ => {}
            }
        }
        found
    }

    fn sign(&self, key: &str) -> Option<&'a str> {
        let value = |s: &&'a str| s.strip_prefix(key)?.strip_prefix('=');
        self.signs.iter().find_map(value)
    }

    /// What a person would say is on it; `None`: nothing.
    fn holds(&self) -> Option<String> {
        let label = |l: &str| format!(" called {l:?}");
        let mut said = match (self.sign("TYPE"), self.sign("PTTYPE")) {
            (Some(kind), _) => format!(
                "{kind}{}",
                self.sign("LABEL").map(label).unwrap_or_default()
            ),
            (None, Some(table)) => format!(
                "a partition table ({table}) with {} partitions",
                self.parts.len().saturating_sub(1)
            ),
            (None, None) if self.ambivalent => "signs of several file systems".into(),
            (None, None) if self.zero => return None,
            (None, None) => "data that is no known file system".into(),
        };
        if !self.inside.is_empty() {
            said.push_str(&format!(": {}", self.inside.join(", ")));
        }
        Some(said)
    }
}

impl FileSystem {
    /// The same for every run on this disk, so that what was formatted once is known again wherever the
    /// machine's record may be.
    fn uuid(&self) -> String {
        super::uuid(&["file system", &self.owner, &self.device])
    }

    fn look(&self) -> String {
        format!(
            "D={}\n{}",
            word(&self.device),
            include_str!("filesystem_look.sh")
        )
    }

    fn unfit(&self, what: String, hint: String) -> PlanError {
        PlanError::Unfit {
            id: self.id(),
            what,
            hint,
        }
    }

    /// Where the disk, or a part of it, is in use.
    fn in_use(&self, found: &Found, seen: &Observation) -> Option<String> {
        let mounts = seen.content(MOUNTS).unwrap_or_default().lines();
        let elsewhere = mounts.filter_map(|line| {
            let mut fields = line.split(' ').skip(2);
            let (number, at) = (fields.next()?, fields.nth(1)?);
            let (_, name) = found.parts.iter().find(|(n, _)| *n == number)?;
            (at != super::mount::escape(&self.at)).then(|| format!("{name} is mounted at {at}"))
        });
        let swaps = seen.content(SWAPS).unwrap_or_default().lines();
        let swaps = swaps.filter_map(|line| {
            let path = line.split_whitespace().next()?.strip_prefix("/dev/")?;
            let (_, name) = found.parts.iter().find(|(_, n)| *n == path)?;
            Some(format!("{name} is used as swap"))
        });
        let holders = found.holders.iter();
        let holders = holders.map(|name| format!("{name} is made of it"));
        elsewhere.chain(swaps).chain(holders).next()
    }

    fn mounted(&self, found: &Found, seen: &Observation) -> bool {
        let mut mounts = seen.content(MOUNTS).unwrap_or_default().lines();
        let own = found.parts.first().map(|(number, _)| *number);
        mounts.any(|line| line.split(' ').nth(2).is_some_and(|n| Some(n) == own))
    }

    /// Whether it must be formatted, and what is lost by that.
    fn decide(&self, found: &Found, seen: &Observation) -> Result<Option<Loss>, PlanError> {
        let record = seen.journal.find(&self.id());
        let begun = record.is_some_and(|r| r.pending && !r.completed);
        let ours = found.sign("UUID") == Some(self.uuid().as_str());
        let same = found.sign("TYPE") == Some(self.fstype.as_str());
        let Some(holds) = found.holds() else {
            return Ok(Some(Loss::Nothing));
        };
        let half_made = begun && (found.signs.is_empty() || ours && found.sign("LABEL").is_none());
        if half_made && !self.mounted(found, seen) && !found.ambivalent {
            return Ok(Some(Loss::Nothing));
        }
        if same && (ours || !self.wipe || record.is_some() || self.mounted(found, seen)) {
            return Ok(None);
        }
        let what = format!("{} ({}) holds {holds}", self.device, size(found.size));
        if ours || record.is_some_and(|r| r.completed) {
            return Err(self.unfit(
                format!("{what}, and Bramble formats a disk only once"),
                format!(
                    "put the old `filesystem` back, or, if nothing on it is needed, empty it by hand: wipefs -a {}",
                    self.device
                ),
            ));
        }
        if self.wipe {
            return Ok(Some(Loss::All(what)));
        }
        Err(self.unfit(
            what,
            "is it the right disk? If nothing on it is needed, say `wipe: true` at the disk in the file: then it is formatted once".into(),
        ))
    }

    fn format(&self, found: &Found) -> Script {
        let mut script = Script::of(format!(
            "D={} U={} L={LABEL} T={}",
            word(&self.device),
            self.uuid(),
            word(&self.fstype)
        ));
        script.line(format!("WAS={}", word(found.signs.join("\n"))));
        script.extend(&Script::of(include_str!("filesystem_make.sh")));
        script
    }
}

/// What is lost by formatting.
enum Loss {
    Nothing,
    All(String),
}

fn size(bytes: u64) -> String {
    // As it is printed on disks.
    let (unit, name) = if bytes >= 1_000_000_000 {
        (1_000_000_000, "GB")
    } else {
        (1_000_000, "MB")
    };
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}

impl Resource for FileSystem {
    fn id(&self) -> ResourceId {
        format!("filesystem:{}", self.device)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![
            Query::Command(self.look()),
            Query::Content(MOUNTS.into()),
            Query::Content(SWAPS.into()),
        ]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let look = self.look();
        let found = Found::read(seen.printed(&look).map_or("", |p| p.text.as_str()));
        if found.node.is_none() {
            let names = match found.names.as_slice() {
                [] => "no disk of the machine has a name below /dev/disk/by-id".into(),
                names => format!("those below /dev/disk/by-id are {}", names.join(", ")),
            };
            return Err(self.unfit(
                format!("there is no disk {}", self.device),
                format!("plug it in, or correct its name in the file; {names}"),
            ));
        }
        if let Some(use_) = self.in_use(&found, seen) {
            return Err(self.unfit(
                format!("{} is in use: {use_}", self.device),
                format!("is it the right disk? To use it at {}, unmount it there first, and take it out of /etc/fstab", self.at),
            ));
        }
        let loss = self.decide(&found, seen)?;
        let pending = seen.journal.pending(&self.id());
        if loss.is_none() && !pending {
            return Ok(None);
        }
        let undo = super::Undo::Action(action::Undo {
            name: self.id(),
            title: format!("{} was formatted; what is on it stays", self.device),
            program: String::new(),
            destroys: None,
        });
        let (apply, summary) = match &loss {
            Some(_) => (
                self.format(&found),
                format!("format {} with {}", size(found.size), self.fstype),
            ),
            None => (Script::new(), super::UNFINISHED.into()),
        };
        let mut change = Change::new(Verb::Create, summary, apply, undo);
        if let Some(Loss::All(what)) = loss {
            change.destroys = Some(format!("all that {what}"));
        }
        // Large disks on old USB ports.
        change.limit = Duration::from_secs(1800);
        Ok(Some(change))
    }
}
