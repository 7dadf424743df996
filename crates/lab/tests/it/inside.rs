//! What works on a machine: everything that clusters need.

use crate::common::{Turn, ssh, topology};

#[test]
fn kernel_features_work_inside() {
    let turn = Turn::take(&["t-inside"]);
    let lab = turn.up(&topology("t-inside", 4, &["one"]));
    let checks = [
        (
            "nothing failed",
            "test -z \"$(systemctl --failed --no-legend)\"",
        ),
        (
            "nftables",
            "nft list ruleset && nft add table inet t && nft delete table inet t",
        ),
        (
            "its own network in /sys",
            "test \"$(ls /sys/class/net | tr '\\n' ' ')\" = 'host0 lo '",
        ),
        (
            "bridge and veth",
            "ip link add br9 type bridge && ip link add v1 type veth peer name v2 && \
             ip link set v1 master br9 && ip link del v1 && ip link del br9",
        ),
        (
            "network namespaces",
            "ip netns add n && ip netns exec n ip link set lo up && ip netns del n",
        ),
        (
            "tun",
            "test -c /dev/net/tun && ip tuntap add t0 mode tun && ip link del t0",
        ),
        (
            "overlays below /var/lib",
            "cd /var/lib && mkdir -p containerd/l containerd/u containerd/w containerd/m && \
             mount -t overlay o -o lowerdir=containerd/l,upperdir=containerd/u,workdir=containerd/w containerd/m \
             && touch containerd/m/x && umount containerd/m && test -e containerd/u/x",
        ),
        (
            "/var/lib's directories can go",
            "rm -rf /var/lib/containerd && test ! -e /var/lib/containerd",
        ),
        (
            "namespaces",
            "unshare --pid --mount --net --uts --ipc --fork --mount-proc true",
        ),
        (
            "own control groups, writable, in every hierarchy",
            "awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts | while read d; do \
             mkdir $d/t && rmdir $d/t || exit 1; done",
        ),
        (
            "control groups start at the machine's own",
            "test ! -e /sys/fs/cgroup/memory/bramble-lab",
        ),
        (
            "kernel settings",
            "sysctl -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0",
        ),
        (
            "shared mounts",
            "findmnt -no PROPAGATION / | grep -qx shared",
        ),
        ("the kubelet's log device", "test -r /dev/kmsg"),
        ("own name", "getent hosts one | grep -q 10.213.4.11"),
    ];
    for (what, program) in checks {
        println!("{what}");
        ssh(&lab, "one", program);
    }
    let journal = ssh(&lab, "one", "journalctl -b -q -t kernel | wc -l");
    assert_eq!(
        journal.trim(),
        "0",
        "this computer's kernel log is in the machine's journal"
    );
}

#[test]
fn packages_install_at_once() {
    let turn = Turn::take(&["t-apt"]);
    let lab = turn.up(&topology("t-apt", 5, &["one"]));
    // Without apt-get update: the lists came with the image.
    ssh(
        &lab,
        "one",
        "DEBIAN_FRONTEND=noninteractive apt-get install -y -q tree iptables 2>&1",
    );
    ssh(
        &lab,
        "one",
        "tree --version && iptables -t nat -L -n && iptables-save",
    );
    ssh(&lab, "one", "apt-get update 2>&1 && apt-get check");
}
