//! The control groups of machines: where they are, who is in them, freezing, killing, removal.
//!
//! Three kinds of computers: cgroup v1 hierarchies (one per controller, perhaps with an empty v2
//! beside them), where a machine gets a group in each; v2 alone without systemd, where it gets one;
//! and v2 under systemd, where systemd owns the tree and each machine is a transient service with
//! `Delegate=yes`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{At, Error, Result};

/// The group above those of all labs.
const TOP: &str = "bramble-lab";

/// How control groups are arranged on this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A hierarchy per controller, each at its mount point.
    V1(Vec<PathBuf>),
    /// One hierarchy of our own making.
    V2(PathBuf),
    /// One hierarchy that systemd manages.
    Systemd(PathBuf),
}

impl Layout {
    /// What this computer has; `None` where nothing is mounted.
    pub(crate) fn detect() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
        Self::from_mounts(&mounts, Path::new("/run/systemd/system").is_dir())
    }

    fn from_mounts(mounts: &str, systemd: bool) -> Option<Self> {
        let mut v1 = BTreeSet::new();
        let mut v2 = BTreeSet::new();
        for line in mounts.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match (words.get(1), words.get(2)) {
                (Some(place), Some(&"cgroup")) => v1.insert(PathBuf::from(place)),
                (Some(place), Some(&"cgroup2")) => v2.insert(PathBuf::from(place)),
                _ => continue,
            };
        }
        if !v1.is_empty() {
            return Some(Self::V1(v1.into_iter().chain(v2).collect()));
        }
        let place = v2.into_iter().next()?;
        Some(if systemd {
            Self::Systemd(place)
        } else {
            Self::V2(place)
        })
    }

    /// The groups of one machine, one per hierarchy.
    pub(crate) fn machine(&self, lab: &str, machine: &str) -> Groups {
        Groups(match self {
            Self::V1(places) => places
                .iter()
                .map(|p| p.join(TOP).join(lab).join(machine))
                .collect(),
            Self::V2(place) => vec![place.join(TOP).join(lab).join(machine)],
            Self::Systemd(place) => {
                vec![place.join("system.slice").join(unit_name(lab, machine))]
            }
        })
    }

    /// The names of machines of a lab that have groups, whatever its records say.
    pub(crate) fn machines_of(&self, lab: &str) -> BTreeSet<String> {
        let (places, prefix): (Vec<PathBuf>, String) = match self {
            Self::V1(places) => (
                places.iter().map(|p| p.join(TOP).join(lab)).collect(),
                String::new(),
            ),
            Self::V2(place) => (vec![place.join(TOP).join(lab)], String::new()),
            Self::Systemd(place) => (vec![place.join("system.slice")], unit_name(lab, "")),
        };
        let prefix = prefix.trim_end_matches(".service");
        places
            .iter()
            .filter_map(|place| std::fs::read_dir(place).ok())
            .flat_map(|entries| entries.flatten())
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let name = name.strip_prefix(prefix)?;
                Some(name.trim_end_matches(".service").to_owned())
            })
            .collect()
    }

    /// Removes the (empty) group above a lab's machines and the one above all labs.
    pub(crate) fn remove_lab(&self, lab: &str) {
        let places = match self {
            Self::V1(places) => places.as_slice(),
            Self::V2(place) => std::slice::from_ref(place),
            Self::Systemd(_) => return,
        };
        for place in places {
            // Not empty means that another lab lives; that is its business.
            let _ = std::fs::remove_dir(place.join(TOP).join(lab));
            let _ = std::fs::remove_dir(place.join(TOP));
        }
    }
}

/// The transient service of a machine where systemd manages the tree.
pub(crate) fn unit_name(lab: &str, machine: &str) -> String {
    // '_' can't be in a label, so no two pairs of names meet.
    format!("bramble-lab_{lab}_{machine}.service")
}

/// One machine's groups, one per hierarchy.
#[derive(Debug, Clone)]
pub(crate) struct Groups(pub(crate) Vec<PathBuf>);

impl Groups {
    /// Makes them. In a v1 cpuset a group without processors admits nobody, so they are copied down.
    pub(crate) fn create(&self) -> Result<()> {
        for group in &self.0 {
            std::fs::create_dir_all(group).at("make the control group", group)?;
            let chain: Vec<&Path> = group.ancestors().take(3).collect();
            for dir in chain.into_iter().rev() {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    copy_down(dir, file)?;
                }
            }
        }
        Ok(())
    }

    /// Every process in them and in the groups below.
    pub(crate) fn processes(&self) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        for group in &self.0 {
            visit(group, &mut |dir| {
                let text = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
                // 0 is a process of a namespace outside ours.
                found.extend(text.lines().filter_map(|l| l.parse::<i32>().ok()));
            });
        }
        found.remove(&0);
        found
    }

    /// The machine's first process (`systemd` inside), seen from here.
    pub(crate) fn leader(&self) -> Option<i32> {
        self.processes().into_iter().find(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let inner = status.lines().find_map(|l| l.strip_prefix("NSpid:"));
            let numbers: Vec<&str> = inner.unwrap_or_default().split_whitespace().collect();
            numbers.len() == 2 && numbers[1] == "1"
        })
    }

    /// Stops or continues every process at once.
    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let v2 = (if frozen { "1" } else { "0" }, "cgroup.freeze");
        let v1 = (if frozen { "FROZEN" } else { "THAWED" }, "freezer.state");
        for group in &self.0 {
            // On a computer with v1 the empty v2 hierarchy has cgroup.freeze too; both is harmless.
            for (word, file) in [v1, v2] {
                let path = group.join(file);
                if path.exists() {
                    std::fs::write(&path, word).at("write", &path)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the processes are stopped by [`Groups::freeze`].
    pub(crate) fn is_frozen(&self) -> bool {
        self.0.iter().any(|group| {
            let word = |file| std::fs::read_to_string(group.join(file)).unwrap_or_default();
            matches!(word("freezer.state").trim(), "FROZEN" | "FREEZING")
                || word("cgroup.freeze").trim() == "1"
        })
    }

    /// Kills every process, like a power cut, and waits until none is left.
    pub(crate) fn kill(&self, lab: &str, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(2);
        loop {
            // Frozen first: nobody can fork or restart another while the signals go out.
            let _ = self.freeze(true);
            for pid in self.processes() {
                if let Some(pid) = Pid::from_raw(pid) {
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            let _ = self.freeze(false);
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            if begin.elapsed() > limit {
                return Err(Error::Stuck {
                    lab: lab.to_owned(),
                    what: format!("processes {left:?}"),
                    waited: limit,
                });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Removes the groups and those below; a group that has just lost its last process may refuse
    /// for a moment.
    pub(crate) fn remove(&self, lab: &str, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        loop {
            // Whoever was on the way in while the others were killed.
            self.kill(lab, limit)?;
            let mut left = None;
            for group in &self.0 {
                let mut dirs = Vec::new();
                visit(group, &mut |dir| dirs.push(dir.to_path_buf()));
                for dir in dirs.iter().rev() {
                    if std::fs::remove_dir(dir).is_err() && dir.exists() {
                        left = Some(dir.clone());
                    }
                }
            }
            match left {
                None => return Ok(()),
                Some(dir) if begin.elapsed() > limit => {
                    return Err(Error::Stuck {
                        lab: lab.to_owned(),
                        what: format!("control group {}", dir.display()),
                        waited: limit,
                    });
                }
                Some(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

/// Calls `with` for a group and all below it, parents first.
fn visit(group: &Path, with: &mut dyn FnMut(&Path)) {
    if !group.is_dir() {
        return;
    }
    with(group);
    let Ok(entries) = std::fs::read_dir(group) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            visit(&entry.path(), with);
        }
    }
}

fn copy_down(dir: &Path, file: &str) -> Result<()> {
    let own = dir.join(file);
    let Ok(value) = std::fs::read_to_string(&own) else {
        return Ok(());
    };
    let above = dir.parent().map(|p| p.join(file));
    let above = above
        .and_then(|p| std::fs::read_to_string(p).ok())
        .unwrap_or_default();
    // On v2 an empty file means "as above"; v2 is not touched because the parent's may be empty too.
    if value.trim().is_empty() && !above.trim().is_empty() {
        std::fs::write(&own, above.trim()).at("write", &own)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_told_apart() {
        let v1 = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                  cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(
            Layout::from_mounts(v1, true),
            Some(Layout::V1(vec![
                "/sys/fs/cgroup/cpu".into(),
                "/sys/fs/cgroup/unified".into()
            ]))
        );
        let v2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        assert_eq!(
            Layout::from_mounts(v2, true),
            Some(Layout::Systemd("/sys/fs/cgroup".into()))
        );
        assert_eq!(
            Layout::from_mounts(v2, false),
            Some(Layout::V2("/sys/fs/cgroup".into()))
        );
        assert_eq!(Layout::from_mounts("proc /proc proc rw 0 0\n", false), None);
    }
}
