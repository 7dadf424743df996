//! Rules for disks of machines.

use super::folders::{trimmed, unfit};
use super::{Resolver, route};
use crate::cluster::Disk;
use crate::file::disk as written;
use crate::problem::Problem;
use crate::shape::Seg;
use crate::tree::shorten;

const BY_ID: &str = "/dev/disk/by-id/";

impl Resolver<'_> {
    /// The disks of a machine; one inside another comes after that.
    pub(super) fn disks(&mut self, disks: &[written::Disk], machine: usize) -> Vec<Disk> {
        let mut out: Vec<(usize, Disk)> = Vec::new();
        for (i, disk) in disks.iter().enumerate() {
            let path = |key: &str| route!["spec", "machines", machine, "disks", i, key];
            let wipe = disk.wipe.unwrap_or(false);
            let device = disk.id.as_ref();
            let device = device.and_then(|id| self.disk_device(id, wipe, &path("id")));
            let at = disk.at.as_ref();
            let at = at.and_then(|at| self.mount_point(at, &path("at")));
            let (Some(device), Some(at)) = (device, at) else {
                continue;
            };
            let disk = Disk {
                device,
                at,
                filesystem: disk.filesystem.unwrap_or_default(),
                wipe,
            };
            self.disk_twice(&out, i, &disk, machine);
            out.push((i, disk));
        }
        let mut out: Vec<Disk> = out.into_iter().map(|(_, disk)| disk).collect();
        out.sort_by(|a, b| a.at.cmp(&b.at));
        out
    }

    /// The path of a disk's stable name.
    fn disk_device(&mut self, id: &str, wipe: bool, path: &[Seg]) -> Option<String> {
        let device = match id.starts_with('/') {
            true => id.to_owned(),
            false => format!("{BY_ID}{id}"),
        };
        let name = device.strip_prefix("/dev/disk/by-");
        let name = name.and_then(|rest| rest.split_once('/'));
        // What udev lets stand in these names.
        let plain = |c: char| c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c);
        let good =
            |text: &str| !text.is_empty() && text.chars().all(plain) && !matches!(text, "." | "..");
        let Some((kind, _)) = name.filter(|(kind, name)| good(kind) && good(name)) else {
            self.report(
                "unstable-disk",
                path,
                format!("`{}` is not the stable name of a disk", shorten(id)),
                "write a name that `ls -l /dev/disk/by-id` shows on the machine; names like /dev/sda change",
            );
            return None;
        };
        if wipe && matches!(kind, "uuid" | "label") {
            self.report(
                "wiped-name",
                path,
                format!(
                    "the name `{}` goes with what is on the disk, which `wipe` removes",
                    shorten(id)
                ),
                "write a name that `ls -l /dev/disk/by-id` shows on the machine",
            );
            return None;
        }
        Some(device)
    }

    fn mount_point(&mut self, text: &str, path: &[Seg]) -> Option<String> {
        let folder = trimmed(text);
        if let Some(why) = unfit(folder) {
            self.report(
                "bad-mount-point",
                path,
                format!("a disk can't be mounted at `{}`: {why}", shorten(text)),
                "write a folder of its own, such as /srv/data",
            );
            return None;
        }
        Some(folder.to_owned())
    }

    /// Each disk has one folder, each folder one disk.
    fn disk_twice(&mut self, out: &[(usize, Disk)], index: usize, disk: &Disk, machine: usize) {
        let path = |i: usize, key: &str| route!["spec", "machines", machine, "disks", i, key];
        let device = out.iter().find(|(_, d)| same_disk(&d.device, &disk.device));
        if let Some((first, _)) = device {
            let problem = Problem::new(
                "disk-twice",
                self.place(&path(index, "id")),
                format!("the disk `{}` is named twice", shorten(&disk.device)),
            )
            .hint("a disk, or a part of it, is mounted at one place: remove one")
            .related(self.place(&path(*first, "id")), "first here");
            self.push(problem);
        }
        if let Some((first, _)) = out.iter().find(|(_, d)| d.at == disk.at) {
            let problem = Problem::new(
                "mounted-twice",
                self.place(&path(index, "at")),
                format!("two disks can't both be mounted at `{}`", disk.at),
            )
            .hint("give each disk a folder of its own")
            .related(self.place(&path(*first, "at")), "first here");
            self.push(problem);
        }
    }
}

/// Whether two names stand for one disk, or for a disk and a part of it.
fn same_disk(a: &str, b: &str) -> bool {
    let part = |whole: &str, part: &str| {
        let rest = part.strip_prefix(whole);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("-part"))
    };
    part(a, b) || part(b, a)
}
