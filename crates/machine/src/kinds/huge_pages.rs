//! Large pages of memory.

use super::file::{self, File};
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const FOLDER: &str = "/etc/tmpfiles.d";
const FILE: &str = "/etc/tmpfiles.d/bramble-hugepages.conf";
const MEMORY: &str = "/proc/meminfo";
/// Number of the pages that have the usual size.
const USUAL: &str = "/proc/sys/vm/nr_hugepages";
/// What must be left for everything else, in KiB.
const REST: u64 = 256 << 10;

/// Large pages that are set aside, now and early in each boot, while memory is in one piece.
#[derive(Debug, Clone)]
pub struct HugePages {
    /// Size of a page in KiB → how many.
    pub pages: BTreeMap<u64, u32>,
}

/// Id of the resource: there is one on a machine.
pub const ID: &str = "hugepages:bramble";

impl HugePages {
    /// Pages of these sizes in KiB.
    pub fn new(pages: impl IntoIterator<Item = (u64, u32)>) -> Self {
        Self {
            pages: pages.into_iter().collect(),
        }
    }

    /// Size, wanted number, and where the kernel has the number.
    fn settings(&self, seen: &Observation) -> Vec<(u64, u32, String)> {
        let usual = usual_size(seen);
        let pages = self.pages.iter();
        pages
            .map(|(size, count)| {
                let path = match Some(*size) == usual {
                    // The same number, and of the two the one that can be written in more containers.
                    true => USUAL.to_owned(),
                    false => pool(*size),
                };
                (*size, *count, path)
            })
            .collect()
    }

    fn file(&self, seen: &Observation) -> File {
        let mut text = String::from("# Made by Bramble.\n");
        for (_, count, path) in self.settings(seen) {
            let _ = writeln!(text, "w {path} - - - - {count}");
        }
        File::text(FILE, text)
    }

    fn fits(&self, seen: &Observation) -> Result<(), PlanError> {
        let unfit = |what: String, hint: String| PlanError::Unfit {
            id: self.id(),
            what,
            hint,
        };
        let all: u64 = self.pages.iter().map(|(s, n)| s * u64::from(*n)).sum();
        let memory = seen.facts.memory << 10;
        if memory > 0 && all + REST > memory {
            return Err(unfit(
                format!(
                    "{} MiB of large pages don't fit into its {} MiB of memory: {} must be left",
                    all >> 10,
                    memory >> 10,
                    REST >> 10
                ),
                "ask for fewer of them (`hugepages`)".into(),
            ));
        }
        let settings = self.settings(seen);
        let missing = settings
            .iter()
            .find(|(.., path)| seen.content(path).is_none());
        if let Some((size, ..)) = missing {
            let hint = match usual_size(seen) {
                Some(usual) => format!("its usual ones have {}", called(usual)),
                None => "it has none at all: take `hugepages` out for this machine".into(),
            };
            let what = format!("its kernel has no large pages of {}", called(*size));
            return Err(unfit(what, hint));
        }
        Ok(())
    }
}

/// Where the kernel has the number of pages of a size.
fn pool(size: u64) -> String {
    format!("/sys/kernel/mm/hugepages/hugepages-{size}kB/nr_hugepages")
}

/// Size in KiB of the large pages that the kernel means when nobody says which.
fn usual_size(seen: &Observation) -> Option<u64> {
    let lines = seen.content(MEMORY)?.lines();
    let mut sizes = lines.filter_map(|l| l.strip_prefix("Hugepagesize:"));
    sizes.next()?.split_whitespace().next()?.parse().ok()
}

/// A size in KiB in words: `2Mi`.
fn called(size: u64) -> String {
    match size {
        size if size.is_multiple_of(1 << 20) => format!("{}Gi", size >> 20),
        size if size.is_multiple_of(1 << 10) => format!("{}Mi", size >> 10),
        size => format!("{size}Ki"),
    }
}

impl Resource for HugePages {
    fn id(&self) -> ResourceId {
        ID.into()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = vec![
            Query::Content(MEMORY.into()),
            Query::Content(USUAL.into()),
            Query::Stat(FOLDER.into()),
        ];
        wants.extend(self.pages.keys().map(|size| Query::Content(pool(*size))));
        wants.extend(self.file(seen).wants(seen));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        self.fits(seen)?;
        let file = self.file(seen);
        let (mut said, mut live) = (Vec::new(), Vec::new());
        let mut set = Script::of(SET);
        for (size, count, path) in self.settings(seen) {
            let now = seen.content(&path).unwrap_or_default().trim().to_owned();
            if now != count.to_string() {
                said.push(format!("pages of {} {now} → {count}", called(size)));
            }
            set.line(format!(
                "pages_set {} {count} {}",
                word(&path),
                called(size)
            ));
            live.push((path, now));
        }
        let differs = file.differences(seen);
        if !differs.is_empty() {
            said.push(format!("{FILE}: {}", differs.join(", ")));
        }
        if said.is_empty() && !seen.journal.pending(ID) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let first = match super::recorded(seen, ID) {
            Some(super::Undo::HugePages(undo)) => Some(undo),
            _ => None,
        };
        let undo = Undo {
            file: file.undo(first.map(|u| &u.file), seen),
            folder: seen.stat(FOLDER).is_some(),
            live,
        };
        let mut apply = Script::new();
        if !differs.is_empty() {
            // First: where the pages can't be had now, they are there after the next boot.
            apply.line(format!("mkdir -p {FOLDER}"));
            apply.extend(&file.write(undo.file.absent));
        }
        apply.extend(&set);
        let verb = match first {
            Some(_) => Verb::Update,
            None => Verb::Create,
        };
        let mut change = Change::new(verb, said.join(", "), apply, super::Undo::HugePages(undo));
        change.diff = file.diff(seen);
        Ok(Some(change))
    }
}

/// The kernel gives as many as it finds, and no error where that is fewer. `cat` and not `read`, which
/// takes one byte at a time: the kernel gives a number only whole.
const SET: &str = r#"pages_set() {
	now=$(cat "$1")
	[ "$now" != "$2" ] || return 0
	{ echo "$2" >"$1"; } 2>/dev/null || { echo "large pages of $3 can not be set aside on this machine: $1 can not be written"; exit 1; }
	now=$(cat "$1")
	if [ "$now" -lt "$2" ]; then
		{ echo 1 >/proc/sys/vm/compact_memory; } 2>/dev/null || :
		echo "$2" >"$1"
		now=$(cat "$1")
	fi
	[ "$now" = "$2" ] || { echo "$now of $2 large pages of $3 could be had: there is not as much memory free in pieces of that size. Restart the machine, which sets them aside early, then run up again; or ask for fewer"; exit 1; }
}
"#;

/// How large pages are undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The file that sets them aside at boot.
    pub file: file::Undo,
    /// The folder of the file was there before.
    pub folder: bool,
    /// Numbers before, by path.
    pub live: Vec<(String, String)>,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.live, &later.live, |a, b| a.0 == b.0);
        self
    }

    pub(super) fn script(&self) -> Script {
        let mut script = self.file.script();
        if !self.folder {
            script.line(format!("rmdir {FOLDER} 2>/dev/null || :"));
        }
        for (path, count) in &self.live {
            // Those in use stay until nobody uses them.
            let (path, count) = (word(path), word(count));
            script.line(format!(
                "[ ! -e {path} ] || {{ echo {count} >{path}; }} 2>/dev/null || :"
            ));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        let numbers = self.live.iter().map(|(_, count)| count.as_str());
        format!(
            "{}, large pages as before ({})",
            self.file.summary(),
            numbers.collect::<Vec<_>>().join(", ")
        )
    }
}
