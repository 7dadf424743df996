//! A node is taken apart whatever state it is in: in a root of its own, with the computer's programs.

use crate::setup::{Setup, cluster, skip};
use bramble_machine::Observation;
use std::process::{Command, Output};

/// Runs `prepare`, the reset and `after` as a run would: in a function, under `set -e`. Without what
/// namespaces need: `None`.
fn reset(prepare: &str, after: &str) -> Option<Output> {
    let setup = Setup::new(cluster(""));
    let all = setup.step("two", "worker/join");
    let join = all
        .iter()
        .find(|r| r.id() == "action:kubeadm-join")
        .expect("the join");
    let change = join
        .plan(&Observation::default())
        .expect("a plan")
        .expect("a change");
    let undo = change.undo.script();
    // Nothing of this runs outside of the new root: `set -e` ends it before.
    let outer = r#"set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$ROOT"
cd "$ROOT"
mkdir usr etc var var/lib var/log run tmp proc sys root dev
mount --rbind -o ro /usr usr
mount -o remount,bind,ro usr
[ ! -d usr/libexec ] || mount -t tmpfs tmpfs usr/libexec
for l in bin sbin lib lib64; do [ ! -L /$l ] || ln -s usr/$l $l; done
mount -t proc proc proc
mount -t sysfs sysfs sys
: >dev/null
mkdir -p var/lib/bramble/originals
exec chroot . sh -es
"#;
    let inner = format!(
        "export LC_ALL=C PATH=/fake:/usr/sbin:/usr/bin:/sbin:/bin\n{prepare}\nr0() {{ :\n{}}}\nset +e\n( set -e; r0 ) 2>&1; c=$?\nset -e\n{after}\nexit $c\n",
        undo.as_str()
    );
    let dir = tempfile::tempdir().expect("a folder");
    let script = dir.path().join("inner.sh");
    std::fs::write(&script, inner).expect("written");
    let root = dir.path().join("root");
    std::fs::create_dir(&root).expect("a folder");
    let can = Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "sh",
            "-c",
            "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && mount -t sysfs sysfs /mnt",
        ])
        .output();
    if !can.is_ok_and(|o| o.status.success()) {
        skip("this computer makes no namespaces for us");
        return None;
    }
    let out = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "sh", "-c", outer])
        .env("ROOT", &root)
        .stdin(std::fs::File::open(&script).expect("the program"))
        .output()
        .expect("unshare");
    Some(out)
}

fn said(out: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

const NODE: &str = "mkdir -p /etc/kubernetes/pki /var/lib/kubelet/pods/x/volumes /var/lib/etcd/member /var/lib/cni/networks /var/log/pods/x /run/bramble
echo x > /var/lib/etcd/member/db
echo x > /run/bramble/join.yaml
";

/// All that is left of the places that a node uses.
const LEFT: &str = "find /etc/kubernetes /var/lib/kubelet /var/lib/etcd /var/lib/cni /var/log/pods /run/bramble/join.yaml 2>/dev/null | sort || :";

#[test]
fn a_whole_node_goes() {
    let volumes = format!(
        "{NODE}mkdir '/var/lib/kubelet/pods/a b'\nmount -t tmpfs tmpfs /var/lib/kubelet/pods/x/volumes\nmount -t tmpfs tmpfs '/var/lib/kubelet/pods/a b'\nip link add cni0 type bridge 2>/dev/null || :\n"
    );
    let Some(out) = reset(
        &volumes,
        &format!(
            "{LEFT}\ngrep kubelet /proc/mounts || :\n[ ! -d /sys/class/net/cni0 ] || echo cni0"
        ),
    ) else {
        return;
    };
    assert!(
        out.status.success() && said(&out).is_empty(),
        "{}",
        said(&out)
    );
}

#[test]
fn a_bare_machine_is_no_problem() {
    let Some(out) = reset("", "") else { return };
    assert!(
        out.status.success() && said(&out).is_empty(),
        "{}",
        said(&out)
    );
}

/// Tools that are missing or fail keep nothing else from going.
#[test]
fn tools_that_fail_do_not_stop_it() {
    let tools = "mkdir /fake\nfor t in systemctl ctr ip nft iptables-save ip6tables-save sysctl; do printf '#!/bin/sh\\nexit 1\\n' > /fake/$t; chmod +x /fake/$t; done\n: > /var/lib/bramble/nft.before; : > /var/lib/bramble/sysctl.before\n";
    let Some(out) = reset(
        &format!("{NODE}{tools}"),
        &format!("{LEFT}\nls /var/lib/bramble"),
    ) else {
        return;
    };
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(said(&out), "originals\n");
}

/// A volume that can't be unmounted keeps its data, the rest goes, and the failure is told.
#[test]
fn a_volume_that_stays_keeps_its_data() {
    let busy = format!(
        "{NODE}mkdir /fake /srv; printf '#!/bin/sh\\nexit 1\\n' > /fake/umount; chmod +x /fake/umount\necho precious > /srv/data\nmount --bind /srv /var/lib/kubelet/pods/x/volumes\n: > /var/lib/bramble/nft.before\n"
    );
    let Some(out) = reset(
        &busy,
        "cat /srv/data; ls -d /etc/kubernetes /var/lib/etcd 2>/dev/null || :\nls /var/lib/bramble",
    ) else {
        return;
    };
    let text = said(&out);
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(
        text.contains("/var/lib/kubelet (still mounted: /var/lib/kubelet/pods/x/volumes)"),
        "{text}"
    );
    // The record stays for the next try.
    assert!(
        text.ends_with("precious\nnft.before\noriginals\n"),
        "{text}"
    );
}

/// A disk or link of the operator's is emptied, and stays.
#[test]
fn disks_of_the_operator_stay() {
    let disks = format!(
        "mkdir -p /var/lib/etcd /disk/kubelet; mount -t tmpfs tmpfs /var/lib/etcd; ln -s /disk/kubelet /var/lib/kubelet\n{NODE}"
    );
    let Some(out) = reset(
        &disks,
        "mountpoint -q /var/lib/etcd; readlink /var/lib/kubelet; find /var/lib/etcd /disk -mindepth 1",
    ) else {
        return;
    };
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(said(&out), "/disk/kubelet\n/disk/kubelet\n");
}
