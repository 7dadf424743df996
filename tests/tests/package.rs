//! Debian's package on a Debian machine: what it brings, the daemon that runs from it, and what stays when it goes.

use bramble_tests::listing::LEFT;
use bramble_tests::{Listing, Site, program, until_else};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// The package: `BRAMBLE_DEB`, or what `scripts/deb.sh --debug` put beside the program under test.
fn package() -> PathBuf {
    if let Some(path) = std::env::var_os("BRAMBLE_DEB") {
        return path.into();
    }
    let folder = program::binary().with_file_name("debian");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; remedy: scripts/deb.sh --debug",
            folder.display()
        )
    });
    let deb = |path: &PathBuf| path.extension().is_some_and(|end| end == "deb");
    let found = files.flatten().map(|file| file.path()).find(deb);
    found.unwrap_or_else(|| panic!("no package in {}", folder.display()))
}

/// What systemd says of the daemon's unit.
fn unit(site: &Site, property: &str) -> String {
    site.on(
        "one",
        &format!("systemctl show --value -p {property} bramble"),
    )
}

/// Asks the daemon by its API, from outside of the machine.
fn health(site: &Site) -> Result<Value, String> {
    let url = format!("https://{}:7443/api/v1/health", site.address("one"));
    let said = site.page(&url)?;
    serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))
}

fn until_it_answers(site: &Site) {
    let log = || site.on("one", "journalctl --no-pager -u bramble");
    until_else("the daemon answers", LIMIT, || health(site).is_ok(), log);
}

#[test]
fn the_package_brings_a_daemon_and_takes_all_of_it_away() {
    let site = Site::new("t-package", 19, &["one"]);
    site.write("");
    site.lab_up();
    let bare = Listing::full(&site, "one");

    let first = site.lab().status().machines.remove(0).pid;
    let root = format!("/proc/{}/root", first.expect("a machine that is on"));
    std::fs::copy(package(), format!("{root}/root/bramble.deb")).expect("the package is copied");
    let apt = |words: &str| {
        let quiet = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends";
        site.on("one", &format!("{quiet} {words}"))
    };
    apt("install /root/bramble.deb");

    let version = site.on("one", "bramble --version");
    assert!(version.starts_with("bramble "), "{version}");
    let brought = [
        "/usr/share/man/man1/bramble.1.gz",
        "/usr/share/man/man1/bramble-serve.1.gz",
        "/usr/share/bash-completion/completions/bramble",
        "/usr/share/zsh/vendor-completions/_bramble",
        "/usr/share/fish/vendor_completions.d/bramble.fish",
        "/usr/share/doc/bramble/copyright",
        "/usr/share/doc/bramble/examples/minimal.yaml",
    ];
    for path in brought {
        site.on("one", &format!("test -s {path}"));
    }
    site.on(
        "one",
        "bramble check -f /usr/share/doc/bramble/examples/minimal.yaml",
    );
    let depends = site.on("one", "dpkg-query -W -f '${Depends}' bramble");
    assert!(depends.contains("libc6 (>= "), "{depends}");
    let complaints = site.on(
        "one",
        "systemd-analyze verify --man=no bramble.service 2>&1",
    );
    assert_eq!(complaints, "");

    // Nobody asked for a daemon yet.
    assert_eq!(unit(&site, "ActiveState"), "inactive");
    assert_eq!(unit(&site, "UnitFileState"), "disabled");
    site.on("one", "systemctl -q enable --now bramble");
    until_it_answers(&site);
    assert_eq!(
        health(&site).expect("an answer")["first"],
        true,
        "nobody is there yet"
    );
    let link = "/var/lib/bramble-server/first-user";
    let mode = site.on("one", &format!("stat -c '%a %U' {link}"));
    assert_eq!(mode, "600 root");

    // Another version in its place: the daemon that ran runs again, with what it knew.
    let authority = "sha256sum /var/lib/bramble-server/tls/ca.pem";
    let (before, known) = (unit(&site, "MainPID"), site.on("one", authority));
    apt("install --reinstall /root/bramble.deb");
    until_it_answers(&site);
    assert_ne!(unit(&site, "MainPID"), before);
    assert_eq!(site.on("one", authority), known);

    apt("remove bramble");
    assert_eq!(unit(&site, "ActiveState"), "inactive");
    assert!(health(&site).is_err(), "it is stopped");
    assert_eq!(site.on("one", authority), known, "what it knows stays");

    site.on("one", "rm /root/bramble.deb");
    apt("purge bramble");
    bare.assert_same(&Listing::full(&site, "one"), LEFT);
}
