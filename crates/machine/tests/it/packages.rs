//! Packages from the archive.

use crate::cycle::{apply, carry_out, due, fails, plan, undo_all};
use crate::machine::{Machine, Network};
use bramble_machine::Resource;
use bramble_machine::kinds::Packages;

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
    let change = due(&m, &packages);
    let cut = "get() { apt-get -q -y --no-install-recommends install tree && apt-get -q -y --no-install-recommends -d install chrony && dpkg --unpack /var/cache/apt/archives/chrony_*.deb; exit 9; }";
    let script = change.apply.as_str().replace(
        "if [ $# -gt 0 ]; then",
        &format!("{cut}\nif [ $# -gt 0 ]; then"),
    );
    let half = bramble_machine::Change {
        apply: bramble_machine::Script::of(script),
        ..change
    };
    carry_out(&m, &packages.id(), &half, "", "");
    apply(&m, &packages);
    assert!(plan(&m, &packages).expect("a plan").is_none());
    undo_all(&m);
    assert_eq!(m.hand(state), before);

    // Cut off and given up.
    let change = due(&m, &packages);
    let script = change.apply.as_str().replace(
        "if [ $# -gt 0 ]; then",
        &format!("{cut}\nif [ $# -gt 0 ]; then"),
    );
    let half = bramble_machine::Change {
        apply: bramble_machine::Script::of(script),
        ..change
    };
    carry_out(&m, &packages.id(), &half, "", "");
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
