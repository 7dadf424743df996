//! Disks that are made ready once, and mounted (U093, U094).

use crate::context::{On, r};
use bramble_machine::kinds::{FileSystem, Mount, Packages};
use bramble_machine::{Resource, Step};
use bramble_spec::cluster::{Disk, FileSystem as Kind};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn step(on: &On) -> Option<Step> {
    let disks = &on.machine.disks;
    if disks.is_empty() {
        return None;
    }
    let tools: BTreeSet<&str> = disks.iter().map(|d| tool(d.filesystem)).collect();
    let mut out: Vec<Arc<dyn Resource>> = vec![r(Packages::new("disks", tools))];
    for disk in disks {
        out.push(r(filesystem(on, disk)));
        out.push(r(mount(disk)));
    }
    Some(on.step("base/disks", out))
}

fn tool(kind: Kind) -> &'static str {
    match kind {
        Kind::Ext4 => "e2fsprogs",
        Kind::Xfs => "xfsprogs",
    }
}

fn filesystem(on: &On, disk: &Disk) -> FileSystem {
    FileSystem {
        device: disk.device.clone(),
        fstype: disk.filesystem.as_str().into(),
        at: disk.at.clone(),
        wipe: disk.wipe,
        owner: on.cluster().name.clone(),
    }
}

/// Without `nofail` (which every mount has) and the short wait, a machine whose disk was pulled out would
/// not come up any more.
fn mount(disk: &Disk) -> Mount {
    Mount::new(&disk.device, &disk.at, disk.filesystem.as_str())
        .options("noatime,nofail,x-systemd.device-timeout=10s")
}
