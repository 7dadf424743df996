//! Swap on a file, and large pages: on the real kernel, which is everybody's, so one test at a time.

use crate::cycle::{Case, apply, carry_out, due, fails, plan, refused, undo_all};
use crate::disks::Disk;
use crate::machine::{Machine, alone};
use bramble_machine::Resource;
use bramble_machine::kinds::{HugePages, SwapFile};
use bramble_machine::program::Said;

const DISK: &str = "/dev/disk/by-id/usb-Stick_1-0:0";
const SWAP: &str = "/mnt/disk/swap";
const MIB: u64 = 1 << 20;
const PAGES: &str = "/proc/sys/vm/nr_hugepages";

/// A disk; what is swapped to on it is left at the end, also of a test that fails.
struct SwapDisk(Disk);

impl SwapDisk {
    fn new() -> Self {
        Self(Disk::of(600 * MIB))
    }
}

impl Drop for SwapDisk {
    fn drop(&mut self) {
        let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
        if !swaps.contains("/swap ") {
            return;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let at = dir.path().display();
        let script = format!(
            "mount {} {at} && {{ swapoff {at}/swap; umount {at}; }}",
            self.0.node()
        );
        let _ = std::process::Command::new("sh")
            .args(["-c", &script])
            .status();
    }
}

/// A disk that can be swapped to: what the test machines are made of can't.
fn mounted(disk: &SwapDisk) -> String {
    format!(
        "{}mkfs.ext4 -q -F {DISK}\nmount {DISK} /mnt/disk\n",
        disk.0.plug(DISK)
    )
}

fn in_use(machine: &Machine) -> usize {
    let swaps = machine.hand("cat /proc/swaps");
    swaps.matches("/mnt/disk/swap").count()
}

#[test]
fn a_file_of_swap() {
    let _alone = alone();
    let disk = SwapDisk::new();
    let swap = SwapFile::new(SWAP, 20 * MIB);
    let gone = |m: &Machine| {
        assert_eq!(in_use(m), 0);
        assert_eq!(m.hand("ls /mnt/disk"), "lost+found\n");
    };
    Case::new(
        "mkdir /mnt/disk; printf '# none' > /etc/fstab; touch -d 2001-02-03 /etc/fstab",
        &swap,
    )
    .boot(&mounted(&disk))
    .gone(&gone)
    .drift(&[
        (
            "swapoff /mnt/disk/swap",
            "turn on /mnt/disk/swap",
        ),
        (
            "swapoff /mnt/disk/swap; rm /mnt/disk/swap",
            "make /mnt/disk/swap with 20 MiB",
        ),
        ("chmod 0644 /mnt/disk/swap", "make"),
        ("sed -i s/nofail/auto/ /etc/fstab", "the block differs"),
    ])
    .run(|m| {
        assert_eq!(in_use(m), 1);
        assert_eq!(
            m.hand("stat -c '%s %a %U' /mnt/disk/swap; grep -c '^/mnt/disk/swap none swap sw,nofail 0 0$' /etc/fstab"),
            format!("{} 600 root\n1\n", 20 * MIB)
        );
    });
}

#[test]
fn a_file_of_swap_becomes_larger_or_says_why_not() {
    let _alone = alone();
    let disk = SwapDisk::new();
    let Some(m) = Machine::new("mkdir /mnt/disk; : > /etc/fstab") else {
        return;
    };
    m.hand(&mounted(&disk));
    apply(&m, &SwapFile::new(SWAP, 20 * MIB));
    apply(&m, &SwapFile::new(SWAP, 30 * MIB));
    assert_eq!(in_use(&m), 1);
    let said = fails(&m, &SwapFile::new(SWAP, 500 * MIB));
    assert!(
        said.contains("MiB free: too little for 500 MiB of swap and 256 MiB that must stay free"),
        "{said}"
    );
    undo_all(&m);
    assert_eq!(in_use(&m), 0);
    // The kernel knows it by the name that the link leads to.
    m.hand("ln -s disk /mnt/link");
    let linked = SwapFile::new("/mnt/link/swap", 20 * MIB);
    apply(&m, &linked);
    assert_eq!(in_use(&m), 1);
    assert!(plan(&m, &linked).expect("a plan").is_none());
    undo_all(&m);
    assert_eq!(in_use(&m), 0);
    m.hand("rm /mnt/link");
    let said = fails(&m, &SwapFile::new("/root/swap", 20 * MIB));
    assert!(
        said.contains("this machine can not swap to /root/swap, which is on"),
        "{said}"
    );
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

/// Of the size that amd64 and arm64 have with small pages of 4 KiB.
fn two_mib(count: u32) -> HugePages {
    HugePages::new([(2048, count)])
}

fn number(machine: &Machine) -> u32 {
    machine
        .hand(&format!("cat {PAGES}"))
        .trim()
        .parse()
        .expect("a number")
}

/// A machine, unless this computer's pages have another size.
fn with_two_mib() -> Option<Machine> {
    let machine = Machine::new("")?;
    let usual = machine.hand("grep -c '^Hugepagesize: *2048 kB' /proc/meminfo || :");
    (usual == "1\n").then_some(machine)
}

#[test]
fn large_pages() {
    let _alone = alone();
    let Some(m) = with_two_mib() else { return };
    let before = number(&m);
    let want = before + 3;
    let pages = two_mib(want);
    let gone = |m: &Machine| assert_eq!(number(m), before);
    Case::new("", &pages)
        .gone(&gone)
        .drift(&[
            (
                &format!("echo {before} > {PAGES}"),
                &format!("pages of 2Mi {before} → {want}"),
            ),
            (
                "rm /etc/tmpfiles.d/bramble-hugepages.conf",
                "/etc/tmpfiles.d/bramble-hugepages.conf: new file",
            ),
        ])
        .run(|m| {
            assert_eq!(number(m), want);
            assert_eq!(
                m.hand("cat /etc/tmpfiles.d/bramble-hugepages.conf"),
                format!("# Made by Bramble.\nw {PAGES} - - - - {want}\n"),
                "what systemd-tmpfiles does at boot"
            );
        });
    // Other numbers later: the first one comes back.
    apply(&m, &two_mib(want));
    apply(&m, &two_mib(before + 1));
    assert_eq!(number(&m), before + 1);
    undo_all(&m);
    assert_eq!(number(&m), before);
}

#[test]
fn large_pages_that_can_not_be_had() {
    let _alone = alone();
    let Some(m) = with_two_mib() else { return };
    let before = number(&m);
    let said = refused(&m, &HugePages::new([(4, 1)]));
    assert!(
        said.contains("no large pages of 4Ki; its usual ones have 2Mi"),
        "{said}"
    );
    let said = refused(&m, &two_mib(u32::MAX));
    assert!(said.contains("don't fit into its"), "{said}");
    assert!(said.contains("256 must be left"), "{said}");
    // The kernel gives fewer than it was asked for.
    let pages = two_mib(before + 3);
    let change = due(&m, &pages);
    let fewer = format!(
        "echo() {{ case $1 in {}) command echo {} ;; *) command echo \"$@\" ;; esac; }}",
        before + 3,
        before + 2
    );
    let said = carry_out(&m, &pages.id(), &change, &fewer, "");
    assert!(matches!(said.last(), Some(Said::Failed(..))), "{said:?}");
    let expected = format!(
        "{} of {} large pages of 2Mi could be had",
        before + 2,
        before + 3
    );
    assert!(format!("{said:?}").contains(&expected), "{said:?}");
    // They come with the next boot all the same.
    let kept = m.hand("cat /etc/tmpfiles.d/bramble-hugepages.conf");
    assert!(kept.contains(&format!(" {}\n", before + 3)), "{kept}");
    apply(&m, &pages);
    assert!(plan(&m, &pages).expect("a plan").is_none());
    undo_all(&m);
    assert_eq!(number(&m), before);
    assert_eq!(m.differences(), [] as [String; 0]);
}
