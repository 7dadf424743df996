//! Everything that a machine is: its files, packages, units, users, network. Two listings can be
//! compared line by line.

use crate::site::Site;
use std::collections::{BTreeMap, BTreeSet};

/// What a teardown leaves behind on purpose: prefix of a path, and why.
pub const LEFT: &[(&str, &str)] = &[
    ("/var/log/", "logs stay: they tell what happened"),
    ("/var/lib/apt/", "apt's memory of what was asked for"),
    ("/var/cache/apt/", "apt's cache"),
    (
        "/var/lib/dpkg/",
        "dpkg's records and their backups; the packages themselves are compared",
    ),
    ("/var/cache/debconf/", "debconf's records and their backups"),
    ("/var/lib/ucf/", "ucf's records and their backups"),
    ("/var/cache/ldconfig/", "ldconfig's cache"),
    ("/var/lib/systemd/", "timers' stamps and the random seed"),
    (
        "/var/tmp/systemd-private-",
        "private folders of services that run",
    ),
];

/// What may change while nothing changes the machine: prefix of a path, and why.
pub const VOLATILE: &[(&str, &str)] = &[
    ("/var/log/", "logs"),
    ("/var/lib/etcd/", "the cluster's own data"),
    ("/var/lib/kubelet/pods/", "tokens that the kubelet renews"),
    (
        "/var/lib/kubelet/device-plugins",
        "the kubelet's sockets and check points",
    ),
    (
        "/var/lib/kubelet/cpu_manager_state",
        "the kubelet's check point",
    ),
    (
        "/var/lib/kubelet/pki",
        "certificates that the kubelet renews",
    ),
    ("/var/lib/containerd/", "the runtime's data"),
    ("/var/lib/cni/", "addresses that are taken"),
    ("/var/lib/systemd/", "timers' stamps"),
    ("/var/lib/chrony/", "the clock's drift"),
];

/// Prints lines `section TAB text`. Files: path, type, mode, owner, target or digest. What is mounted
/// below `/run/host` is systemd-nspawn's and another at each boot. Targets that only put others in
/// order stay once something asked for them, and so does the queue of a link that was up once.
const PROGRAM: &str = r#"export LC_ALL=C
s() { sed "s|^|$1\t|"; }
here() { find / /var/lib -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp \) -prune -o "$@"; }
here -printf '%p %y %m %U:%G %l\n' | sort -u | s file
here -type f -print0 | sort -zu | xargs -0 sha256sum | awk '{ h = $1; sub(/^[0-9a-f]+ +/, ""); print $0 " " h }' | s content
dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' | s package
apt-mark showmanual | s manual
systemctl list-unit-files --no-pager --no-legend --plain | awk '{ print $1, $2 }' | s unit-file
systemctl list-units --all --no-pager --no-legend --plain | awk '{ print $1, $2, $3, $4 }' | grep -vE '^(run-|session-|user-|user@|sys-|dev-|apt-daily|dpkg-db|fstrim|e2scrub|systemd-tmpfiles-clean|network-online|nss-lookup|time-set|time-sync)' | s unit
for f in passwd group shadow; do s $f </etc/$f; done
ip -o link | sed 's/^[0-9]*: //; s/ qlen.*//; s/@if[0-9]*//; s/ qdisc noop / qdisc noqueue /' | s link
ip -o addr | sed 's/^[0-9]*: //; s/valid_lft.*//' | grep -v 'inet6 fe80' | s address
ip route show table all | grep -vE '^(ff00|fe80|multicast|local fe80|anycast)' | s route
ip rule | s rule
nft list ruleset 2>/dev/null | sed 's/counter packets [0-9]* bytes [0-9]*/counter/' | s nft
for t in iptables-legacy ip6tables-legacy; do command -v $t-save >/dev/null && $t-save 2>/dev/null | grep -v '^#' | sed 's/\[.*\]//' | s $t; done
awk '$2 !~ "^/run/host/" { print $1, $2, $3 }' /proc/mounts | sort | s mount
sysctl -a 2>/dev/null | grep -E '^net\.ipv[46]\.(ip_forward|conf\.(all|default)\.)' | s sysctl
ss -Hlntu | awk '{ print $1, $5 }' | sort | s socket
[ ! -d /run/bramble ] || echo /run/bramble | s file
hostname | s hostname
date +%Z | s zone
true
"#;

/// Prints paths with inode, size, times: the change time moves whatever is done to a file. Of the
/// packet filter, what kube-proxy makes is left out: it follows the cluster's pods.
const TIMES: &str = r#"export LC_ALL=C
find / /var/lib -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp \) -prune -o -printf 'file\t%p %i %s %m %U:%G %T@ %C@\n' | sort -u
systemctl show '*.service' '*.timer' '*.socket' -p Id,ActiveEnterTimestampMonotonic,MainPID | awk -v RS= '{ gsub(/\n/, " "); print "unit\t" $0 }' | grep -vE 'Id=(apt-daily|dpkg-db|fstrim|e2scrub|systemd-tmpfiles-clean|session|user|run-|logrotate|man-db|bramble-lab-resolv)' | sort
nft list ruleset 2>/dev/null | grep -vE 'counter packets|KUBE-' | sed 's/^/nft\t/'
ip route show table all | grep -v fe80 | sed 's/^/route\t/'
"#;

/// A machine's listing.
#[derive(Debug, Clone)]
pub struct Listing {
    machine: String,
    lines: BTreeSet<String>,
}

impl Listing {
    /// Everything, files with their contents' digests.
    #[track_caller]
    pub fn full(site: &Site, machine: &str) -> Self {
        Self::read(site, machine, PROGRAM)
    }

    /// Files with their times, units with the time at which they were started.
    #[track_caller]
    pub fn times(site: &Site, machine: &str) -> Self {
        Self::read(site, machine, TIMES)
    }

    #[track_caller]
    fn read(site: &Site, machine: &str, program: &str) -> Self {
        let text = site.script(machine, program);
        let lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        assert!(
            lines.len() > 1000,
            "the listing of {machine} is too short to be whole: {text}"
        );
        Self {
            machine: machine.to_owned(),
            lines,
        }
    }

    /// Listings of all machines, by name.
    #[track_caller]
    pub fn all(site: &Site, read: fn(&Site, &str) -> Self) -> BTreeMap<String, Self> {
        let names = site.machines();
        std::thread::scope(|scope| {
            let jobs: Vec<_> = names
                .iter()
                .map(|name| scope.spawn(|| read(site, name)))
                .collect();
            let read = jobs.into_iter().map(|j| j.join().expect("a listing"));
            names.iter().cloned().zip(read).collect()
        })
    }

    /// Asserts that a later listing is the same, apart from files and sockets with the given prefixes.
    ///
    /// # Panics
    /// When it is not; every difference is shown.
    #[track_caller]
    pub fn assert_same(&self, later: &Self, apart: &[(&str, &str)]) {
        let counts = |line: &&String| {
            let mut words = line.split('\t');
            let (section, text) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            let named = matches!(section, "file" | "content" | "socket");
            !(named && apart.iter().any(|(prefix, _)| text.starts_with(prefix)))
        };
        let gone = self
            .lines
            .difference(&later.lines)
            .filter(counts)
            .map(|l| format!("- {l}"));
        let new = later
            .lines
            .difference(&self.lines)
            .filter(counts)
            .map(|l| format!("+ {l}"));
        let mut all: Vec<String> = gone.chain(new).collect();
        all.sort_by(|a, b| a[2..].cmp(&b[2..]));
        assert!(
            all.is_empty(),
            "{} is not as it was:\n{}",
            self.machine,
            all.join("\n")
        );
    }
}

/// Asserts that every machine's later listing is the same, apart from files below the given prefixes.
///
/// # Panics
/// When one is not.
#[track_caller]
pub fn assert_all_same(
    before: &BTreeMap<String, Listing>,
    after: &BTreeMap<String, Listing>,
    apart: &[(&str, &str)],
) {
    for (name, before) in before {
        let after = after
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no listing"));
        before.assert_same(after, apart);
    }
}
