//! What keeps a machine fit: the journal's limit, swap, large pages, and the kubelet's own limits.

use crate::context::{On, r};
use bramble_machine::kinds::{Directory, File, HugePages, Service, SwapFile};
use bramble_machine::{Resource, Step};
use bramble_spec::cluster::{Size, Swap};
use std::sync::Arc;

const JOURNAL: &str = "/etc/systemd/journald.conf.d";
const SWAP: &str = "/var/lib/bramble.swap";
/// What the kubelet does without being told.
const LOG_SIZE: Size = Size::mebi(10);
const LOG_FILES: u16 = 5;
const IMAGE_GC_HIGH: u8 = 85;
const IMAGE_GC_LOW: u8 = 80;
/// Of a container: its disk is its host's, whatever part of that others have filled. What the kubelet would do from a
/// tenth of it on, a large disk's many gigabytes, is done when there is no room indeed. The flag replaces all that the
/// kubelet does by itself: memory and inodes are said as it has them.
const SHARED_DISK: &str =
    "memory.available<100Mi,nodefs.available<1Gi,nodefs.inodesFree<5%,imagefs.available<1Gi";

pub(super) fn step(on: &On) -> Option<Step> {
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    if let Some(most) = on.machine.journal {
        out.extend(journal(most));
    }
    if let Swap::File(size) = on.machine.swap
        && !on.facts.container
    {
        out.push(r(SwapFile::new(SWAP, size.bytes())));
    }
    let pages = &on.machine.hugepages;
    if on.machine.is_node() && !pages.is_empty() && on.facts.huge_pages {
        let pages = pages
            .iter()
            .map(|(size, count)| (size.bytes() >> 10, *count));
        out.push(r(HugePages::new(pages)));
    }
    (!out.is_empty()).then(|| on.step("base/care", out))
}

/// What is asked for and can't be had on a machine.
pub(super) fn remarks(on: &On) -> Vec<String> {
    let name = &on.machine.name;
    let mut out = Vec::new();
    if matches!(on.machine.swap, Swap::File(_)) && on.facts.container {
        out.push(format!(
            "{name}: it is a container, whose swap is its host's: it gets no swap file"
        ));
    }
    if on.machine.is_node() && !on.machine.hugepages.is_empty() && !on.facts.huge_pages {
        out.push(format!(
            "{name}: it can't set large pages aside: they are its host's, or its kernel has none; pods that ask for them are not put here"
        ));
    }
    out
}

/// A file of its own, named so that it comes after all others and counts, and goes without a trace.
fn journal(most: Size) -> [Arc<dyn Resource>; 3] {
    let file = format!("{JOURNAL}/zz-bramble.conf");
    let most = most.to_string();
    // The journal's units are multiples of 1024 too, but called K, M and G.
    let most = most.trim_end_matches('i');
    let text = format!("# Made by Bramble.\n[Journal]\nSystemMaxUse={most}\n");
    let service = Service::on("systemd-journald.service").watching([format!("file:{file}")]);
    [
        r(Directory::new(JOURNAL)),
        r(File::text(file, text)),
        r(service),
    ]
}

/// The kubelet's flags for its limits: nothing for what it does by itself, because each flag that has
/// its like in the configuration file is called deprecated in its log.
pub(super) fn flags(on: &On) -> Vec<String> {
    let limits = &on.cluster().kubernetes.kubelet;
    let mut out = Vec::new();
    if on.facts.container {
        out.push(format!("--eviction-hard={SHARED_DISK}"));
    }
    let own = match on.facts.container {
        // What others keep on the disk is no reason to remove images here.
        true => (100, IMAGE_GC_LOW),
        false => (IMAGE_GC_HIGH, IMAGE_GC_LOW),
    };
    let (high, low) = limits.image_gc.map_or(own, |gc| (gc.high, gc.low));
    if high != IMAGE_GC_HIGH {
        out.push(format!("--image-gc-high-threshold={high}"));
    }
    if low != IMAGE_GC_LOW {
        out.push(format!("--image-gc-low-threshold={low}"));
    }
    if limits.log_size != LOG_SIZE {
        out.push(format!("--container-log-max-size={}", limits.log_size));
    }
    if limits.log_files != LOG_FILES {
        out.push(format!("--container-log-max-files={}", limits.log_files));
    }
    out
}
