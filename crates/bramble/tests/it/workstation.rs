//! This computer's way to the machines: in a network and with system folders of the test's own, by the
//! system's real tools.

use crate::common::Place;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// A computer at 192.168.7.20, in the network of the router (192.168.7.2).
const NETWORK: &str = "\
set -e
cp -a /etc \"$PLACE/etc\"
mount --bind \"$PLACE/etc\" /etc
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
ip link set lo up
ip link add home type veth peer name peer
ip link set peer up
ip addr add 192.168.7.20/24 dev home
ip link set home up
ip route add default via 192.168.7.1
printf '127.0.0.1 localhost\\n10.1.1.1 kept # as it is \\t\\n\\n\\377\\n' > /etc/hosts
chmod 0640 /etc/hosts
chgrp daemon /etc/hosts
cp -a /etc/hosts /run/hosts
ip -4 route > /run/routes
b() { \"$BRAMBLE\" \"$@\"; }
w() { b workstation \"$@\"; }
as_it_was() {
	ip -4 route | cmp - /run/routes
	cmp /etc/hosts /run/hosts
	[ \"$(stat -c '%a %U %G' /etc/hosts)\" = '640 root daemon' ]
	[ ! -e /var/lib/bramble-workstation ]
}
";

const FILE: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  network: { lan: 10.77.0.0/24 }
  router:
    firewall: { trusted: [192.168.7.0/24] }
    dns: { records: [{ name: grafana, address: 10.77.0.40 }] }
  machines:
    - { name: gate, roles: [router], address: 192.168.7.2 }
    - { name: one, roles: [control-plane], address: 10.77.0.11 }
";

const LINES: &str = "10.77.0.1\tgate.home.internal gate\n10.77.0.11\tone.home.internal one\n10.77.0.40\tgrafana.home.internal grafana\n";

struct Computer(Place);

impl Computer {
    /// `None` (and a line that says so) where networks can't be made.
    fn new(file: &str) -> Option<Self> {
        let able = Command::new("unshare").args(["-m", "-n", "true"]).status();
        if !able.is_ok_and(|s| s.success()) {
            eprintln!("skipped: networks of a test's own need root");
            return None;
        }
        let place = Place::with(file);
        std::fs::create_dir(place.path("bin")).unwrap();
        Some(Self(place))
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path(name), text).unwrap();
    }

    /// Puts a program in front of the system's.
    fn program(&self, name: &str, text: &str) {
        let path = format!("bin/{name}");
        self.write(&path, &format!("#!/bin/sh\n{text}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.0.path(&path), mode).unwrap();
    }

    /// Runs a program on the computer as it is at first; what it printed. It must succeed.
    #[track_caller]
    fn run(&self, program: &str) -> String {
        let output = self.try_run(program);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}\n{said}\n{errors}");
        said
    }

    fn try_run(&self, program: &str) -> Output {
        let etc = self.0.path("etc");
        let _ = std::fs::remove_dir_all(&etc);
        let path = std::env::var("PATH").unwrap_or_default();
        self.0
            .process("unshare")
            .args(["-m", "-n", "sh", "-c", &format!("{NETWORK}{program}")])
            .env("PLACE", self.0.path(""))
            .env("BRAMBLE", Place::program())
            .env("PATH", format!("{}:{path}", self.0.path("bin").display()))
            .output()
            .unwrap()
    }
}

#[test]
fn connect_sets_what_is_needed_and_disconnect_takes_that_away() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    let said = computer.run(
        "w connect
w status
ip -4 route
cat /etc/hosts
stat -c '%a %U %G' /etc/hosts
stat -c '%i %Y %Z' /etc/hosts /var/lib/bramble-workstation/* > /run/before
w connect | grep -c 'is there already'
stat -c '%i %Y %Z' /etc/hosts /var/lib/bramble-workstation/* | cmp - /run/before
w disconnect
as_it_was
w disconnect
as_it_was",
    );
    for text in [
        "route to the machines (10.77.0.0/24) by 192.168.7.2: set\n",
        "home: connected\n  route to the machines (10.77.0.0/24) by 192.168.7.2: set\n",
        "10.77.0.0/24 via 192.168.7.2 dev home",
        "10.244.0.0/16 via 192.168.7.2 dev home",
        LINES,
        "640 root daemon\n3\n",
        "make 10.77.0.1 the first DNS server of this computer",
        "route to 10.244.0.0/16 by 192.168.7.2: gone\n/etc/hosts: the names of home are gone\nthis computer is not connected to home: nothing to do\n",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
}

/// What the file says by then is no matter: what was set goes. And a changed file changes what is set.
#[test]
fn a_file_that_changes_meanwhile_leaves_nothing_behind() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    computer.write(
        "other.yaml",
        &FILE
            .replace("10.77.0", "10.99.0")
            .replace("192.168.7.2 ", "192.168.7.3 "),
    );
    computer.write("gone.yaml", "nonsense");
    let said = computer.run(
        "w connect
b -f other.yaml workstation disconnect
as_it_was
w connect >/dev/null
if b -f other.yaml workstation status; then exit 1; fi
b -f other.yaml workstation connect >/dev/null
ip -4 route
grep -c 10.99.0.11 /etc/hosts
if grep 10.77.0.11 /etc/hosts; then exit 1; fi
b -f gone.yaml workstation disconnect home
as_it_was",
    );
    for text in [
        "  route to 10.77.0.0/24 by 192.168.7.2: set, but no longer in the file\n",
        "10.99.0.0/24 via 192.168.7.3",
        "10.244.0.0/16 via 192.168.7.3",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    assert!(!said.contains("10.77.0.0/24 via"), "{said}");
}

#[test]
fn what_others_made_is_left_alone() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    computer.run(
        "ip route add 10.77.0.0/24 via 192.168.7.2
ip -4 route > /run/routes
printf 'without a line break' >> /etc/hosts
cp -a /etc/hosts /run/hosts
w connect
grep -c '^without a line break$' /etc/hosts
w disconnect
as_it_was
w connect
echo 10.5.5.5 later >> /etc/hosts
echo 10.5.5.5 later >> /run/hosts
sed -i 's/^without a line break10/without a line break\\n10/' /run/hosts
w disconnect
as_it_was",
    );
}

/// A file may be a link, or be mounted by itself, as in containers.
#[test]
fn the_file_of_names_may_be_a_link_or_a_mount() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    computer.run(
        "mv /etc/hosts /etc/hosts.real
ln -s hosts.real /etc/hosts
w connect >/dev/null
[ -L /etc/hosts ]
grep -q one.home.internal /etc/hosts.real
w disconnect >/dev/null
[ -L /etc/hosts ]
cmp /etc/hosts.real /run/hosts
rm /etc/hosts
mv /etc/hosts.real /etc/hosts
cp -a /etc/hosts /etc/hosts.mounted
mount --bind /etc/hosts.mounted /etc/hosts
w connect >/dev/null
grep -q one.home.internal /etc/hosts
w disconnect >/dev/null
as_it_was",
    );
}

#[test]
fn what_can_not_work_is_refused_and_nothing_is_set() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    computer.write(
        "stranger.yaml",
        &FILE.replace("[192.168.7.0/24]", "[192.168.8.0/24]"),
    );
    computer.write("far.yaml", &FILE.replace("192.168.7.2 ", "192.168.9.2 "));
    computer.write("own.yaml", &FILE.replace("192.168.7.2 ", "192.168.7.20 "));
    computer.write(
        "unknown.yaml",
        &FILE.replace("address: 192.168.7.2 ", "address: 10.77.0.1 "),
    );
    let refused = |before: &str, file: &str, says: &[&str]| {
        let program = format!(
            "{before}\nip -4 route > /run/routes\nif b -f {file} workstation connect; then exit 9; fi\nas_it_was"
        );
        let output = computer.try_run(&program);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{file}: {said}");
        for text in says {
            assert!(said.contains(text), "{file}: {text}\n{said}");
        }
    };
    let trusted = "trusted: [192.168.8.0/24, 192.168.7.0/24]";
    refused(
        "",
        "stranger.yaml",
        &["doesn't trust this computer (192.168.7.20)", trusted],
    );
    refused(
        "",
        "far.yaml",
        &["is in another network", "reached through 192.168.7.1"],
    );
    refused(
        "",
        "own.yaml",
        &["192.168.7.20 is an address of this computer"],
    );
    refused(
        "",
        "unknown.yaml",
        &["doesn't say at which address gate is reached"],
    );
    let office = "ip route add 10.0.0.0/8 via 192.168.7.9";
    refused(
        office,
        "bramble.yaml",
        &["a route to 10.0.0.0/8 by 192.168.7.9 (home) already"],
    );
    let tunnel = "ip addr add 10.77.0.200/25 dev peer";
    refused(
        tunnel,
        "bramble.yaml",
        &["a route to 10.77.0.128/25 by peer already"],
    );
    let marks =
        "echo '# bramble workstation home begin' >> /etc/hosts; cp -a /etc/hosts /run/hosts";
    refused(
        marks,
        "bramble.yaml",
        &["the marks of home in /etc/hosts are damaged"],
    );
    // Everybody may look; what belongs to root says how to become it.
    let output = computer.try_run(
        "cp \"$BRAMBLE\" bramble.yaml /run\ncd /run\nw status\nif setpriv --reuid=65534 --clear-groups ./bramble workstation connect; then exit 9; fi\nas_it_was",
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("sudo bramble workstation connect"), "{said}");
}

/// Cut off after the first route: what was set is known, and goes.
#[test]
fn what_is_half_set_can_be_finished_or_taken_away() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    computer.program(
        "ip",
        "case \"$*\" in 'route add 10.244.'*) [ ! -e /run/broken ] || { echo 'no more' >&2; exit 2; } ;; esac\nexec /sbin/ip \"$@\"",
    );
    let said = computer.run(
        "touch /run/broken
if w connect 2>&1; then exit 9; fi
ip -4 route
w disconnect
as_it_was
if w connect; then exit 9; fi
rm /run/broken
w connect
w status
w disconnect
as_it_was",
    );
    assert!(
        said.contains("ip route add 10.244.0.0/16 via 192.168.7.2: no more"),
        "{said}"
    );
    assert!(said.contains("10.77.0.0/24 via 192.168.7.2"), "{said}");
}

/// Answers as resolvectl does, and remembers what it was told in /run/dns, by interface: servers, domains
/// and whether it is asked for everything.
const RESOLVECTL: &str = "\
mkdir -p /run/dns
what=$1 link=$2
[ $# -gt 0 ] && shift
if [ $# -gt 0 ]; then
	shift
	if [ $what = revert ]; then rm -f /run/dns/*.$link; else echo \"$*\" >/run/dns/$what.$link; fi
	exit
fi
if [ $what != default-route ]; then
	echo \"Global: $(cat /run/systemd/resolved.conf.d/*.conf 2>/dev/null | sed -n 's/^DNS=//p')\"
fi
for i in home peer; do
	echo \"Link 2 ($i): $(cat /run/dns/$what.$i 2>/dev/null || case $what in default-route) echo yes ;; esac)\"
done";

/// The words that systemd-resolved gets; what it makes of them is tested where it runs.
#[test]
fn resolved_is_told_which_names_the_router_knows() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    computer.program("systemctl", "echo \"$*\" >> /run/calls");
    computer.program("resolvectl", RESOLVECTL);
    let said = computer.run(
        "resolvectl dns home 192.168.7.1
resolvectl domain home lan.example
cp -a /run/dns /run/dns.before
w connect
cat /run/systemd/resolved.conf.d/bramble-home.conf
cat /run/dns/domain.home
w connect
grep -c try-restart /run/calls
w status --output json
w disconnect
grep -c try-restart /run/calls
[ ! -e /run/systemd/resolved.conf.d ]
diff -r /run/dns /run/dns.before
as_it_was
w connect >/dev/null
resolvectl domain home cafe.example
if w status; then exit 9; fi
w disconnect
cat /run/dns/domain.home
mkdir -p /run/systemd/resolved.conf.d
echo mine > /run/systemd/resolved.conf.d/bramble-home.conf
w connect
w disconnect
cat /run/systemd/resolved.conf.d/bramble-home.conf /run/dns/domain.home",
    );
    for text in [
        "DNS of home.internal by 10.77.0.1 (systemd-resolved): set\n",
        "[Resolve]\nDNS=10.77.0.1\nDomains=~home.internal ~0.77.10.in-addr.arpa\nlan.example ~.\n",
        "(systemd-resolved): is there already\n1\n",
        "bramble-home.conf: gone\nDNS by home: as it was before\n2\n",
        "  DNS of home.internal by 10.77.0.1: missing\n",
        "bramble-home.conf: gone\ncafe.example\n",
        "is somebody else's and was left alone",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    assert!(said.ends_with("mine\ncafe.example\n"), "{said}");
}

/// An interface that has no servers asks the router for the cluster's names alone.
#[test]
fn an_interface_without_servers_asks_the_router_for_its_names_only() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    computer.program("systemctl", "echo \"$*\" >> /run/calls");
    computer.program("resolvectl", RESOLVECTL);
    let said = computer.run(
        "resolvectl dns peer 192.168.9.1
cp -a /run/dns /run/dns.before
w connect
head /run/dns/*.home
[ ! -e /run/systemd/resolved.conf.d ]
w connect | tail -n 1
w status
w disconnect
diff -r /run/dns /run/dns.before
! grep try-restart /run/calls
as_it_was",
    );
    for text in [
        "DNS of home.internal by 10.77.0.1 (systemd-resolved): set\n",
        "default-route.home <==\nno\n",
        "dns.home <==\n10.77.0.1\n",
        "domain.home <==\n~home.internal ~0.77.10.in-addr.arpa\n",
        "DNS of home.internal by 10.77.0.1 (systemd-resolved): is there already\n",
        "  DNS of home.internal by 10.77.0.1: set\n",
        "DNS by home: as it was before\n",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
}

#[test]
fn the_check_says_what_is_missing() {
    let Some(computer) = Computer::new(FILE) else {
        return;
    };
    let output = computer.try_run("w check");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for text in [
        "✗ SSH key is missing: make one (ssh-keygen -t ed25519)",
        "✗ bundle of Kubernetes is missing: bramble bundle build --from upstream --version v1.34.2",
        "✓ ip: ",
        "✓ way to the machines: 10.77.0.0/24 and 10.244.0.0/16 can have a route",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    computer.write("key", "");
    computer.write(
        "keyed.yaml",
        &(FILE.to_owned() + "  defaults: { ssh: { keys: [key] } }\n"),
    );
    let output = computer.try_run("b -f keyed.yaml workstation check --output json");
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        value["things"][0]["found"]
            .as_str()
            .unwrap()
            .ends_with("key"),
        "{value}"
    );
}
