//! Disks: loop devices that are plugged into a machine under names that stay.

use crate::cycle::{apply, carry_out, due, fails, plan, refused, undo, undo_all};
use crate::machine::Machine;
use bramble_machine::Resource;
use bramble_machine::kinds::{FileSystem, Mount};
use std::process::Command;

const NAME: &str = "/dev/disk/by-id/usb-Stick_1-0:0";
/// XFS makes no smaller ones.
const SIZE: u64 = 320 << 20;

/// A blank disk; gone at the end of the test.
pub struct Disk {
    _file: tempfile::NamedTempFile,
    node: String,
}

impl Disk {
    fn new() -> Self {
        Self::of(SIZE)
    }

    pub fn of(size: u64) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(size).expect("a size");
        let out = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(file.path())
            .output()
            .expect("losetup");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let node = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        Self { _file: file, node }
    }

    /// Its name on this computer.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Shell that plugs it in under this name.
    pub fn plug(&self, name: &str) -> String {
        let path = format!(
            "/sys/class/block/{}/dev",
            self.node.trim_start_matches("/dev/")
        );
        let number = std::fs::read_to_string(path).expect("a number");
        let (node, number) = (&self.node, number.trim().replace(':', " "));
        format!(
            "mkdir -p /dev/disk/by-id; [ -b {node} ] || mknod {node} b {number}; ln -s ../..{} {name}\n",
            node.trim_start_matches("/dev")
        )
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .args(["--detach", &self.node])
            .status();
    }
}

fn filesystem(fstype: &str) -> FileSystem {
    FileSystem {
        device: NAME.into(),
        fstype: fstype.into(),
        at: "/srv/my data".into(),
        wipe: false,
        owner: "ceil".into(),
    }
}

fn mount(fstype: &str) -> Mount {
    Mount::new(NAME, "/srv/my data", fstype).options("noatime")
}

/// A machine with a disk.
fn machine(disk: &Disk) -> Option<Machine> {
    let machine = Machine::new(": > /etc/fstab")?;
    machine.hand(&disk.plug(NAME));
    Some(machine)
}

fn nothing_to_do(m: &Machine, resource: &dyn Resource) {
    let change = plan(m, resource).expect("a plan");
    assert!(change.is_none(), "{:?}", change.map(|c| c.summary));
}

#[test]
fn a_blank_disk_is_formatted_once_and_keeps_its_data() {
    for fstype in ["ext4", "xfs"] {
        let disk = Disk::new();
        let Some(m) = machine(&disk) else { return };
        let (filesystem, mount) = (filesystem(fstype), mount(fstype));
        let change = apply(&m, &filesystem);
        assert_eq!(change.summary, format!("format 335.5 MB with {fstype}"));
        assert_eq!(change.destroys, None);
        apply(&m, &mount);
        m.hand("echo precious > '/srv/my data/file'");
        nothing_to_do(&m, &filesystem);
        nothing_to_do(&m, &mount);
        let kind = m.hand(&format!("blkid -p -o value -s TYPE -s LABEL {NAME}"));
        assert_eq!(kind, format!("bramble\n{fstype}\n"));
        // Unmounted by hand: mounted again, no more.
        m.hand("umount '/srv/my data'");
        nothing_to_do(&m, &filesystem);
        assert!(apply(&m, &mount).summary.contains("mount"));
        assert_eq!(m.hand("cat '/srv/my data/file'"), "precious\n");
        // Undone, the data stays; and it is there when the machine comes back, whatever the file says.
        undo_all(&m);
        assert_eq!(
            m.hand("grep -c 'my.data' /proc/mounts || :; cat /etc/fstab"),
            "0\n"
        );
        nothing_to_do(&m, &filesystem);
        let again = FileSystem {
            wipe: true,
            ..filesystem.clone()
        };
        nothing_to_do(&m, &again);
        apply(&m, &mount);
        assert_eq!(m.hand("cat '/srv/my data/file'"), "precious\n");
        undo_all(&m);
        assert_eq!(
            m.differences()
                .into_iter()
                .filter(|d| !d.contains("/dev/"))
                .collect::<Vec<_>>(),
            [] as [String; 0]
        );
    }
}

#[test]
fn a_disk_with_something_on_it_is_formatted_at_the_operators_word_alone() {
    let disk = Disk::new();
    let Some(m) = machine(&disk) else { return };
    m.hand(&format!("mkfs.xfs -q -L holidays {NAME}"));
    let kept = filesystem("ext4");
    let said = refused(&m, &kept);
    assert!(said.contains("holds xfs called \"holidays\""), "{said}");
    assert!(
        said.contains("(335.5 MB)") && said.contains("`wipe: true`"),
        "{said}"
    );
    let wiped = FileSystem {
        wipe: true,
        ..kept.clone()
    };
    let change = due(&m, &wiped);
    let lost = change.destroys.clone().expect("a loss");
    assert_eq!(
        lost,
        format!("all that {NAME} (335.5 MB) holds xfs called \"holidays\"")
    );
    // Somebody changes it between the plan and the run.
    m.hand(&format!("xfs_admin -L other {NAME} >/dev/null"));
    let said = format!("{:?}", carry_out(&m, &wiped.id(), &change, "", ""));
    assert!(
        said.contains("has changed since the plan was made"),
        "{said}"
    );
    assert_eq!(
        m.hand(&format!("blkid -p -o value -s LABEL {NAME}")),
        "other\n"
    );
    assert!(
        apply(&m, &wiped)
            .destroys
            .is_some_and(|d| d.contains("\"other\""))
    );
    apply(&m, &mount("ext4"));
    m.hand("echo precious > '/srv/my data/file'");
    nothing_to_do(&m, &wiped);
    m.hand("umount '/srv/my data'");
    nothing_to_do(&m, &wiped);
    // Another kind in the file later: what Bramble made is not formatted again.
    let changed = FileSystem {
        fstype: "xfs".into(),
        ..wiped
    };
    let said = refused(&m, &changed);
    assert!(
        said.contains("formats a disk only once") && said.contains("wipefs -a"),
        "{said}"
    );
}

#[test]
fn a_file_system_of_the_right_kind_is_left_as_it_is() {
    let disk = Disk::new();
    let Some(m) = machine(&disk) else { return };
    m.hand(&format!("mkfs.ext4 -q -L mine {NAME}"));
    nothing_to_do(&m, &filesystem("ext4"));
    // At the operator's word it is emptied, once, and never while it is in use.
    let wiped = FileSystem {
        wipe: true,
        ..filesystem("ext4")
    };
    assert!(
        due(&m, &wiped)
            .destroys
            .is_some_and(|d| d.ends_with("holds ext4 called \"mine\""))
    );
    m.hand(&format!(
        "mkdir -p '/srv/my data'; mount {NAME} '/srv/my data'"
    ));
    nothing_to_do(&m, &wiped);
}

#[test]
fn data_without_a_name_is_data() {
    let disk = Disk::new();
    let Some(m) = machine(&disk) else { return };
    m.hand(&format!(
        "echo secret | dd of={NAME} bs=1 seek=70000 conv=notrunc 2>/dev/null"
    ));
    let said = refused(&m, &filesystem("ext4"));
    assert!(
        said.contains("holds data that is no known file system"),
        "{said}"
    );
}

#[test]
fn the_wrong_disk_is_refused() {
    let disk = Disk::new();
    let Some(m) = machine(&disk) else { return };
    let other = FileSystem {
        device: "/dev/disk/by-id/usb-Other-0:0".into(),
        ..filesystem("ext4")
    };
    let said = refused(&m, &other);
    assert!(
        said.contains("there is no disk /dev/disk/by-id/usb-Other-0:0"),
        "{said}"
    );
    assert!(
        said.contains("those below /dev/disk/by-id are usb-Stick_1-0:0"),
        "{said}"
    );
    m.hand(&format!(
        "mkfs.ext4 -q {NAME}; mkdir /old; mount {NAME} /old"
    ));
    let wiped = FileSystem {
        wipe: true,
        ..filesystem("ext4")
    };
    let said = refused(&m, &wiped);
    assert!(
        said.contains("is in use: loop") && said.contains("is mounted at /old"),
        "{said}"
    );
    m.hand("umount /old; rm -r /dev/disk");
    assert!(refused(&m, &other).contains("no disk of the machine has a name"));
}

#[test]
fn formatting_that_was_cut_off_is_begun_anew() {
    // Before it, in the middle of it, right after it.
    let places = [
        ("exit 9", ""),
        (
            "dd if=/dev/urandom of=/dev/disk/by-id/usb-Stick_1-0:0 bs=64k count=1 2>/dev/null; exit 9",
            "",
        ),
        // A name with a dot is no function's: the tool itself fails.
        (
            "mv /sbin/mke2fs /sbin/away; trap 'mv /sbin/away /sbin/mke2fs' EXIT",
            "",
        ),
        ("e2label() { exit 9; }", ""),
        ("sync() { exit 9; }", ""),
        ("", "exit 9"),
    ];
    for (before, after) in places {
        let disk = Disk::new();
        let Some(m) = machine(&disk) else { return };
        let filesystem = filesystem("ext4");
        let change = due(&m, &filesystem);
        carry_out(&m, &filesystem.id(), &change, before, after);
        let change = apply(&m, &filesystem);
        assert_eq!(change.destroys, None, "after {before:?}");
        nothing_to_do(&m, &filesystem);
        apply(&m, &mount("ext4"));
        m.hand("echo precious > '/srv/my data/file'");
        // A run that is cut off later takes nothing.
        carry_out(&m, &filesystem.id(), &change, "exit 9", "");
        m.hand("umount '/srv/my data'");
        if let Some(change) = plan(&m, &filesystem).expect("a plan") {
            assert_eq!(change.summary, "finish an interrupted change");
            apply(&m, &filesystem);
        }
        apply(&m, &mount("ext4"));
        assert_eq!(m.hand("cat '/srv/my data/file'"), "precious\n");
        undo(&m, "");
    }
}

#[test]
fn nothing_is_made_where_the_tool_is_missing() {
    let disk = Disk::new();
    let Some(m) = machine(&disk) else { return };
    m.hand("rm /sbin/mkfs.xfs");
    assert_eq!(fails(&m, &filesystem("xfs")), "mkfs.xfs is not installed");
    assert!(due(&m, &filesystem("xfs")).destroys.is_none());
}
