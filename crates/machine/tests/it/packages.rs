//! Packages from the archive, and from a small one on the machine itself.

use crate::cycle::{apply, carry_out, due, fails, look, plan, undo, undo_all};
use crate::machine::{Machine, Network};
use bramble_machine::Resource;
use bramble_machine::kinds::Packages;
use bramble_machine::program::Said;
use bramble_machine::{Change, Query, Script, Verb};

/// What the package tools themselves keep.
fn kept_by_tools(line: &str) -> bool {
    let tools = [
        "/var/lib/dpkg",
        "/var/lib/apt",
        "/var/cache/apt",
        "/var/cache/debconf",
        "/var/cache/ldconfig",
        "/var/log",
        "/var/lib/systemd",
    ];
    let (_, path) = line.split_once('/').unwrap_or(("", line));
    let path = format!("/{path}");
    tools.iter().any(|t| path.starts_with(t))
        || [
            "passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-",
        ]
        .iter()
        .any(|b| path == format!("/etc/{b}"))
        || (line.starts_with("time of ")
            && (path.starts_with("/etc/") || path.starts_with("/var/cache/")))
}

/// Begins an installation that ends without a further word after `work`, as in a power cut: apt has told
/// what it is about to bring.
fn cut_off(m: &Machine, packages: &Packages, work: &str) {
    let change = due(m, packages);
    let call = "bring \"$@\" ||";
    let script = change.apply.as_str();
    assert!(script.contains(call), "no call of apt in {script}");
    let told = r#"get -s install "$@" | awk 'BEGIN { print "VERSION 2\nx=y\n" } $1 == "Inst" { print $2, ($3 ~ /^\[/ ? "0" : "-"), "< 1 /x.deb" }' | sh -c "$tell""#;
    let half = Change {
        apply: Script::of(script.replace(call, &format!("{{ {told}; {work}; exit 9; }} ||"))),
        ..change
    };
    carry_out(m, &packages.id(), &half, "", "");
}

/// Packages of an archive on the machine: `ours` needs `ourlib` and makes an account; `other` makes
/// one as well. `pin` is there in two versions, of which the archive's list names both.
const ARCHIVE: &str = r#"rm -f /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*_* /var/cache/apt/*.bin
mkdir -p /srv/pool /tmp/build
cd /srv/pool
build() {
	d=/tmp/build/$1-$2
	mkdir -p $d/DEBIAN
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: x <x@example>\nDescription: x\n' $1 $2 >$d/DEBIAN/control
	[ -z "$3" ] || echo "Depends: $3" >>$d/DEBIAN/control
	mkdir -p $d/usr/share/$1
	echo $2 >$d/usr/share/$1/version
	if [ -n "$4" ]; then
		printf '#!/bin/sh\nset -e\ngetent passwd %s >/dev/null || useradd -r %s\n' $4 $4 >$d/DEBIAN/postinst
		chmod 0755 $d/DEBIAN/postinst
	fi
	dpkg-deb -b --root-owner-group $d /srv/pool/$1_$2_all.deb >/dev/null
}
build ourlib 1 '' ''
build ours 1 ourlib ours-daemon
build other 1 '' other-daemon
build pin 1 '' ''
build pin 2 '' ''
rm -r /tmp/build
cat >/srv/index <<'INDEX'
cd /srv/pool
for f in *.deb; do
	dpkg-deb -f $f
	printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $f $(wc -c <$f) $(sha256sum <$f | cut -c1-64)
done >Packages
printf 'Suite: x\nSHA256:\n %s %s Packages\n' $(sha256sum <Packages | cut -c1-64) $(wc -c <Packages) >Release
apt-get -q update
INDEX
echo 'deb [trusted=yes] copy:/srv/pool ./' >/etc/apt/sources.list.d/pool.list
sh /srv/index
"#;

/// What the operator does between two tries: accounts of people and of programs, a package that
/// makes an account, and a folder where the packages will have one.
const OPERATOR: &str = "useradd -m bob; useradd -r svc; groupadd -r tools
[ -e /srv/pool/other_1_all.deb ] || mv /srv/away/other_1_all.deb /srv/pool
apt-get -q -y install other; mkdir -p /var/lib/ours; echo mine > /var/lib/ours/x";

const OPERATORS_OWN: &str = "id -u bob svc other-daemon >/dev/null; getent group tools >/dev/null; dpkg -s other >/dev/null";

/// Nothing of `ours` is there any more.
const GONE: &str = "! dpkg -s ours ourlib 2>/dev/null && ! getent passwd ours-daemon && ! getent group ours-daemon";

#[test]
fn what_the_operator_adds_between_two_tries_stays() {
    let Some(m) = Machine::new(ARCHIVE) else {
        return;
    };
    let packages = Packages::new("base", ["ours"]).leaving(["/var/lib/ours"]);
    m.hand("mkdir /srv/away; mv /srv/pool/*.deb /srv/away");
    fails(&m, &packages);
    m.hand(OPERATOR);
    m.hand("mv /srv/away/*.deb /srv/pool");
    apply(&m, &packages);
    m.hand("id ours-daemon; dpkg -s ours ourlib");
    undo_all(&m);
    m.hand(OPERATORS_OWN);
    m.hand(GONE);
    assert_eq!(m.hand("cat /var/lib/ours/x"), "mine\n");
}

/// Lists that seem to be from the future. A clock can't be set here: what reads it is put in front.
#[test]
fn a_clock_that_was_never_set_keeps_no_package_away() {
    let Some(m) = Machine::new(ARCHIVE) else {
        return;
    };
    let packages = Packages::new("base", ["ours"]);
    m.hand("sed -i \"s/^printf 'Suite: x/&\\\\nDate: Thu, 01 Jan 2099 00:00:00 UTC/\" /srv/index; rm -f /var/lib/apt/lists/*_* /var/cache/apt/*.bin; sh /srv/index || :; grep -q 2099 /srv/pool/Release");
    let said = fails(&m, &packages);
    assert!(said.contains("not valid yet"), "{said}");
    m.hand(
        "printf '#!/bin/sh\\necho 86400\\n' > /usr/local/bin/date; chmod 755 /usr/local/bin/date",
    );
    apply(&m, &packages);
    m.hand("dpkg -s ours");
    undo_all(&m);
}

#[test]
fn what_the_operator_adds_after_a_power_cut_stays() {
    let Some(m) = Machine::new(ARCHIVE) else {
        return;
    };
    let packages = Packages::new("base", ["ours"]);
    let half = "dpkg --unpack /srv/pool/ourlib_1_all.deb";
    for finish in [true, false] {
        cut_off(&m, &packages, half);
        m.hand(OPERATOR);
        if finish {
            apply(&m, &packages);
            m.hand("id ours-daemon; dpkg -s ours ourlib");
        }
        undo_all(&m);
        m.hand(OPERATORS_OWN);
        m.hand(GONE);
        m.hand("userdel -r bob 2>/dev/null; userdel svc; groupdel tools; dpkg -P other; userdel other-daemon");
    }
}

#[test]
fn a_package_that_stays_keeps_its_account_and_data() {
    let Some(m) = Machine::new(&format!(
        "{ARCHIVE}build needs 1 ours ''\nrm -r /tmp/build\nsh /srv/index"
    )) else {
        return;
    };
    let packages = Packages::new("base", ["ours"]).leaving(["/var/lib/ours"]);
    apply(&m, &packages);
    m.hand("mkdir /var/lib/ours; apt-get -q -y install needs");
    undo_all(&m);
    m.hand("dpkg -s ours ourlib; id ours-daemon; test -d /var/lib/ours");
}

/// A group that is asked for less: what it brought goes, with its own; what was there before, what others of
/// the group need, and what the operator's packages need stays.
#[test]
fn what_is_asked_for_no_more_goes() {
    let Some(m) = Machine::new(&format!(
        "{ARCHIVE}build needs 1 ours ''\nbuild extra 1 ourlib ''\nrm -r /tmp/build\nsh /srv/index\napt-get -q -y install pin=1"
    )) else {
        return;
    };
    let all = Packages::new("base", ["ours", "other", "extra", "pin"]).leaving(["/var/lib/ours"]);
    let less = |names: &[&str]| Packages::new("base", names.iter().copied());
    apply(&m, &all);
    m.hand("mkdir /var/lib/ours");
    // `pin` was there.
    let three = less(&["other", "extra"]);
    let change = due(&m, &three);
    assert_eq!(change.summary, "remove ours, asked for no more");
    assert_eq!(change.verb, Verb::Update);
    let said = apply_cut_off(&m, &three, &change);
    assert!(matches!(said, Some(Said::Failed(..))), "{said:?}");
    // Cut off in between, it is finished by the next run.
    apply(&m, &three);
    m.hand("! dpkg -s ours 2>/dev/null && ! getent passwd ours-daemon && [ -e /var/lib/ours ] && dpkg -s ourlib other extra pin && id other-daemon");
    assert!(plan(&m, &three).expect("a plan").is_none());
    // More and less at once.
    let swapped = less(&["other", "ours"]);
    let change = due(&m, &swapped);
    assert_eq!(
        change.summary,
        "install ours; remove extra, asked for no more"
    );
    apply(&m, &swapped);
    m.hand("! dpkg -s extra 2>/dev/null && dpkg -s ours ourlib && id ours-daemon");
    m.hand("apt-get -q -y install needs");
    apply(&m, &less(&["other"]));
    m.hand("dpkg -s needs ours ourlib && id ours-daemon");
    m.hand("apt-get -q -y purge needs");
    undo_all(&m);
    m.hand("[ ! -e /var/lib/ours ]");
    m.hand("! dpkg -s ours ourlib 2>/dev/null && dpkg -s pin && ! dpkg -s other 2>/dev/null && ! id other-daemon 2>/dev/null");
}

/// Makes a change that ends before anything is removed; how it ended.
fn apply_cut_off(m: &Machine, packages: &Packages, change: &Change) -> Option<Said> {
    let script = change.apply.as_str();
    assert!(script.contains("|| drop"), "nothing is dropped in {script}");
    let half = Change {
        apply: Script::of(script.replace("|| drop", "|| exit 9")),
        ..change.clone()
    };
    carry_out(m, &packages.id(), &half, "", "").pop()
}

fn pinned(name: &str, version: &str) -> Packages {
    Packages {
        packages: vec![(name.into(), Some(version.into()))],
        ..Packages::new::<String>("base", [])
    }
}

#[test]
fn a_version_that_was_there_before_comes_back() {
    let Some(m) = Machine::new(&format!(
        "{ARCHIVE}build pin 3 '' ''\nbuild user 1 pin ''\nrm -r /tmp/build\nsh /srv/index\napt-get -q -y install pin=1 user\napt-mark auto pin"
    )) else {
        return;
    };
    let state = "dpkg-query -W; apt-mark showmanual";
    let before = m.hand(state);
    let version = "dpkg-query -W -f '${Version}' pin; cat /usr/share/pin/version";
    assert_eq!(due(&m, &pinned("pin", "2")).summary, "install pin 1 → 2");
    apply(&m, &pinned("pin", "2"));
    apply(&m, &pinned("pin", "3"));
    assert_eq!(m.hand(version), "33\n");
    assert_eq!(
        look(&m, &[]).journal.records[0].undo.summary(),
        "remove the packages that base added, put back pin 1"
    );
    undo_all(&m);
    assert_eq!(m.hand(version), "11\n");
    assert_eq!(m.hand(state), before);

    // Cut off before anything had changed, or in the middle of the way back.
    cut_off(&m, &pinned("pin", "2"), ":");
    undo_all(&m);
    assert_eq!(m.hand(state), before);
    apply(&m, &pinned("pin", "2"));
    undo(&m, "rm() { exit 9; }\n");
    undo_all(&m);
    assert_eq!(m.hand(state), before);

    // The operator's own choice since then.
    apply(&m, &pinned("pin", "2"));
    m.hand("apt-get -q -y install pin=3");
    undo_all(&m);
    assert_eq!(m.hand(version), "33\n");

    // It can't be had any more.
    m.hand("apt-get -q -y --allow-downgrades install pin=1");
    apply(&m, &pinned("pin", "2"));
    m.hand("rm /srv/pool/pin_1_all.deb; sh /srv/index");
    let said = undo(&m, "");
    assert_eq!(said.last(), Some(&Said::End), "{said:#?}");
    let line = "pin stays at version 2: version 1, which was there before, can not be installed";
    assert!(said.contains(&Said::Output(line.into())), "{said:#?}");
    assert_eq!(m.hand(version), "22\n");
}

#[test]
fn a_version_of_our_own_goes_with_its_package() {
    let Some(m) = Machine::new(ARCHIVE) else {
        return;
    };
    apply(&m, &pinned("pin", "1"));
    apply(&m, &pinned("pin", "2"));
    undo_all(&m);
    m.hand("! dpkg -s pin 2>/dev/null");
}

#[test]
fn nothing_goes_for_a_version_that_comes_back() {
    // What the operator installed since needs the newer one.
    let Some(m) = Machine::new(&format!(
        "{ARCHIVE}build needs 1 'pin (>= 2)' ''\nrm -r /tmp/build\nsh /srv/index\napt-get -q -y install pin=1"
    )) else {
        return;
    };
    apply(&m, &pinned("pin", "2"));
    m.hand("apt-get -q -y install needs");
    undo_all(&m);
    assert_eq!(
        m.hand("dpkg-query -W -f '${Package} ${Version}\n' needs pin"),
        "needs 1\npin 2\n"
    );
}

#[test]
fn packages_come_and_go() {
    let Some(m) = Machine::with_network("", Network::Shared) else {
        return;
    };
    let state =
        "dpkg-query -W; cat /etc/passwd /etc/group /etc/shadow /etc/gshadow; apt-mark showmanual";
    let before = m.hand(state);
    let packages = Packages::new("base", ["tree", "chrony"]).leaving(["/var/lib/chrony"]);
    assert_eq!(due(&m, &packages).summary, "install tree, chrony");
    apply(&m, &packages);
    assert!(plan(&m, &packages).expect("a plan").is_none());
    m.hand("tree --version; getent passwd _chrony; mkdir -p /var/lib/chrony; echo 1 > /var/lib/chrony/drift");
    // Removed by hand.
    m.hand("dpkg -r tree");
    assert_eq!(due(&m, &packages).summary, "install tree");
    apply(&m, &packages);
    undo_all(&m);
    assert_eq!(m.hand(state), before);
    let mut left = m.differences();
    left.retain(|line| !kept_by_tools(line));
    assert_eq!(left, [] as [String; 0]);

    // Cut off while dpkg was at work: the next run finishes, and the list of what came is whole.
    let at_work = "apt-get -q -y --no-install-recommends install tree && apt-get -q -y --no-install-recommends -d install chrony && dpkg --unpack /var/cache/apt/archives/chrony_*.deb";
    cut_off(&m, &packages, at_work);
    apply(&m, &packages);
    assert!(plan(&m, &packages).expect("a plan").is_none());
    undo_all(&m);
    assert_eq!(m.hand(state), before);

    // Cut off and given up.
    cut_off(&m, &packages, at_work);
    undo_all(&m);
    assert_eq!(m.hand(state), before);

    let said = fails(&m, &Packages::new("x", ["no-such-package-here"]));
    assert!(
        said.contains("Unable to locate package no-such-package-here"),
        "{said}"
    );
    undo_all(&m);
}

#[test]
fn packages_that_others_need_stay() {
    let Some(m) = Machine::with_network("", Network::Shared) else {
        return;
    };
    let packages = Packages::new("base", ["libjansson4", "tree"]);
    apply(&m, &packages);
    m.hand("DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install jose >/dev/null 2>&1 || DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install nftables >/dev/null");
    undo_all(&m);
    assert_eq!(
        m.hand("dpkg-query -W -f '${Package}\\n' libjansson4 tree 2>/dev/null || :"),
        "libjansson4\n"
    );
}

/// A package that asks, as Debian's do, whether its service may be started.
const DAEMON: &str = r#"build daemon 1 '' ''
mkdir -p /tmp/build/daemon-1/DEBIAN
printf '#!/bin/sh\np=/usr/sbin/policy-rc.d\nif [ ! -x $p ] || $p daemon start; then echo started >>/srv/daemon; else echo held >>/srv/daemon; fi\n' >/tmp/build/daemon-1/DEBIAN/postinst
chmod 0755 /tmp/build/daemon-1/DEBIAN/postinst
dpkg-deb -b --root-owner-group /tmp/build/daemon-1 /srv/pool/daemon_1_all.deb >/dev/null
rm -r /tmp/build
sh /srv/index
"#;

#[test]
fn services_of_quiet_packages_wait() {
    let Some(m) = Machine::new(&format!("{ARCHIVE}{DAEMON}")) else {
        return;
    };
    let quiet = Packages::new("router", ["daemon"]).quietly();
    // What a power cut left of the last try.
    cut_off(&m, &quiet, "kill -9 $$");
    m.hand("rm -f /srv/daemon");
    let came = |group: &str, package: &str| {
        let Query::Command(question) = Packages::came_with(group, package) else {
            panic!("a question");
        };
        m.hand(&format!("({question}) && echo yes || echo no")) == "yes\n"
    };
    assert!(came("router", "daemon"), "apt was cut off");
    apply(&m, &quiet);
    assert!(came("router", "daemon"));
    assert!(!came("base", "daemon") && !came("router", "dpkg"));
    assert_eq!(m.hand("cat /srv/daemon"), "held\n");
    m.hand("! ls /usr/sbin/policy-rc.d 2>/dev/null");
    undo_all(&m);
    let loud = Packages::new("router", ["daemon"]);
    apply(&m, &loud);
    assert_eq!(m.hand("cat /srv/daemon"), "held\nstarted\n");
    undo_all(&m);
    // The operator's own word stands.
    m.hand("printf '#!/bin/sh\\nexit 0\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; rm /srv/daemon");
    apply(&m, &quiet);
    assert_eq!(m.hand("cat /srv/daemon"), "started\n");
    undo_all(&m);
    m.hand("grep -qx 'exit 0' /usr/sbin/policy-rc.d");
}
