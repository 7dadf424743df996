//! A file of swap.

use super::block::{self, Block};
use crate::query::Answer;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const FSTAB: &str = "/etc/fstab";
const SWAPS: &str = "/proc/swaps";
/// Bytes that a slow card writes in a second.
const SLOWEST: u64 = 4 << 20;

/// A file of swap, in use now and at boot. What else the machine swaps to stays.
///
/// The swap that a container sees is its host's, and no container adds to it.
#[derive(Debug, Clone)]
pub struct SwapFile {
    /// Absolute path without blanks, in a folder that is there.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl SwapFile {
    /// A file of this size.
    pub fn new(path: impl Into<String>, bytes: u64) -> Self {
        Self {
            path: path.into(),
            bytes,
        }
    }

    /// `nofail`: a machine that waits for swap can't be reached to mend it.
    fn block(&self) -> Block {
        let line = format!("{} none swap sw,nofail 0 0", self.path);
        Block::new(FSTAB, "swap", line).creating()
    }

    /// Whether the file itself is as it should be.
    fn is_made(&self, seen: &Observation) -> bool {
        seen.stat(&self.path).is_some_and(|s| {
            (s.kind, s.size, s.mode, s.owner.as_str()) == ('f', self.bytes, 0o600, "root")
        })
    }

    /// The path without links, as the kernel lists it.
    fn direct(&self) -> Query {
        Query::Command(format!("readlink -m -- {}", word(&self.path)))
    }

    fn in_use(&self, seen: &Observation) -> bool {
        let direct = match seen.answers.get(&self.direct()) {
            Some(Answer::Printed(said)) if said.exit == 0 => said.text.as_str(),
            _ => self.path.as_str(),
        };
        let swaps = seen.content(SWAPS).unwrap_or_default();
        let mut names = swaps.lines().filter_map(|l| l.split_whitespace().next());
        names.any(|name| name == direct)
    }

    /// What differs, and the shell that mends it.
    fn difference(&self, seen: &Observation) -> (Vec<String>, Script) {
        let (made, used) = (self.is_made(seen), self.in_use(seen));
        let mib = self.bytes >> 20;
        let path = word(&self.path);
        let mut said = Vec::new();
        let mut apply = Script::of(include_str!("swap_file.sh"));
        if !made {
            said.push(format!("make {} with {mib} MiB", self.path));
            apply.line(format!("swap_make {path} {mib}"));
        }
        let block = self.block();
        if let Some(difference) = block.difference(seen.content(FSTAB)) {
            said.push(format!("{FSTAB}: {difference}"));
            apply.extend(&block.put());
            apply.line(super::mount::RELOAD);
        }
        if made && !used {
            said.push(format!("turn on {}", self.path));
        }
        apply.line(format!("swap_use {path}"));
        (said, apply)
    }
}

impl Resource for SwapFile {
    fn id(&self) -> ResourceId {
        format!("swap:{}", self.path)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = vec![Query::Stat(self.path.clone()), Query::Content(FSTAB.into())];
        if seen.facts.swap {
            wants.push(Query::Content(SWAPS.into()));
            wants.push(self.direct());
        }
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let pending = seen.journal.pending(&self.id());
        if seen.facts.container && !pending {
            return Ok(None);
        }
        let (mut said, apply) = self.difference(seen);
        if said.is_empty() && !pending {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let undo = Undo {
            path: self.path.clone(),
            block: self.block().undo(),
        };
        let verb = match seen.journal.find(&self.id()) {
            Some(_) => Verb::Update,
            None => Verb::Create,
        };
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::SwapFile(undo));
        change.diff = self.block().diff(seen.content(FSTAB));
        change.limit += Duration::from_secs(self.bytes / SLOWEST);
        Ok(Some(change))
    }
}

/// How a file of swap is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Absolute path.
    pub path: String,
    /// The line of fstab.
    pub block: block::Undo,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        let mut script = Script::of(include_str!("swap_file.sh"));
        script.line(format!("swap_leave {}", word(&self.path)));
        script.extend(&self.block.script());
        script.line(super::mount::RELOAD);
        script.line(format!(
            "rm -f -- {} {}",
            word(&self.path),
            word(format!("{}.bramble-new", self.path))
        ));
        script
    }

    pub(super) fn summary(&self) -> String {
        format!("turn off swap on {}, remove it", self.path)
    }
}
