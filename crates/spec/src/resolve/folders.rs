//! Rules for folders on machines: where data may live, and where a disk may be mounted.

use super::Resolver;
use crate::cluster::Router;
use crate::problem::Problem;
use crate::shape::Seg;
use crate::tree::shorten;

/// Folders that a disk can't replace without taking something away from the system.
const SYSTEM: &[&str] = &["/home", "/root", "/var", "/var/lib", "/var/log"];
/// Folders of the system, with everything below them.
const SYSTEM_TREES: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var/lib/apt",
    "/var/lib/bramble",
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/run",
    "/var/tmp",
];

/// Why a folder is no place of its own, in words; `None` if it is one. Without a slash at the end.
pub(super) fn unfit(folder: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    if !folder.starts_with('/') {
        return Some("it is no absolute path");
    }
    if !folder.chars().all(plain) {
        return Some("paths have letters, digits, `-`, `_` and `.` here");
    }
    let mut parts = folder.split('/').skip(1);
    if folder.len() < 2 || parts.any(|p| matches!(p, "" | "." | "..")) {
        return Some("it is no clean path");
    }
    let system = SYSTEM.contains(&folder) || SYSTEM_TREES.iter().any(|tree| inside(folder, tree));
    if system {
        return Some("it is the system's own");
    }
    // With the keys by which people log in; that of a user of our own goes with the user.
    let home = folder.strip_prefix("/home/");
    if home.is_some_and(|rest| !rest.contains('/') || rest.starts_with("bramble-backup/")) {
        return Some("it is somebody's home");
    }
    None
}

/// Whether a folder is another one, or below it.
pub(super) fn inside(folder: &str, other: &str) -> bool {
    folder
        .strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Resolver<'_> {
    /// The folder of a section of the router, or the usual one.
    pub(super) fn data_dir(&mut self, written: Option<&str>, section: &str, usual: &str) -> String {
        let Some(text) = written else {
            return usual.to_owned();
        };
        let folder = trimmed(text);
        let path = super::route!["spec", "router", section, "dir"];
        let shallow = folder.matches('/').count() < 2;
        let why = unfit(folder).or(shallow.then_some("it is at the top of the file system"));
        if let Some(why) = why {
            self.report(
                "bad-data-dir",
                &path,
                format!("`{}` can't be a folder of data: {why}", shorten(text)),
                "write a folder of its own, such as /srv/data",
            );
        }
        folder.to_owned()
    }

    /// Images and backups don't share a folder.
    pub(super) fn folders_are_apart(&mut self, router: &Router) {
        let (Some(registry), Some(backup)) = (&router.registry, &router.backup) else {
            return;
        };
        let (registry, backup) = (&registry.dir, &backup.dir);
        if !inside(registry, backup) && !inside(backup, registry) {
            return;
        }
        let path = |section: &str| -> Vec<Seg> { super::route!["spec", "router", section, "dir"] };
        let (main, other) = match self.written(&path("backup")) {
            true => ("backup", "registry"),
            false => ("registry", "backup"),
        };
        let mut problem = Problem::new(
            "data-dir-shared",
            self.place(&path(main)),
            format!("images in {registry} and backups in {backup} are not apart"),
        )
        .hint("give each a folder that isn't inside the other");
        if self.written(&path(other)) {
            problem = problem.related(self.place(&path(other)), "the other one");
        }
        self.push(problem);
    }
}

/// Without slashes at the end.
pub(super) fn trimmed(folder: &str) -> &str {
    match folder.trim_end_matches('/') {
        "" => folder,
        trimmed => trimmed,
    }
}
