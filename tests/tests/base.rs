//! What every machine gets, without Kubernetes: packages, users, zone, names, hooks, proxy, mirrors;
//! and that all of it goes again.

use bramble_tests::listing::{LEFT, assert_all_same};
use bramble_tests::{Listing, Site};
use std::process::Command;

/// The file's part that doesn't change.
fn spec(key: &str) -> String {
    format!(
        "network: {{ lan: 10.78.10.0/24, hosts: all, domain: base.internal }}
time: {{ zone: Asia/Tokyo }}
users:
  - name: anna
    authorizedKeys: ['{key}']
    sudo: true
    groups: [adm]
hooks:
  - name: motd
    after: base/system
    machines: [two]
    check: grep -q brambles /etc/motd
    run: echo 'part of the brambles' >> /etc/motd
    undo: sed -i '/brambles/d' /etc/motd
  - name: first
    before: base/system
    check: test -e /etc/before
    run: readlink /etc/localtime > /etc/before || echo none > /etc/before
    undo: rm -f /etc/before
"
    )
}

#[test]
fn machines_get_what_the_file_says_and_lose_it_again() {
    let site = Site::new("t-base", 10, &["one", "two"]);
    let key = site.folder().join("anna");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.is_ok_and(|s| s.success()), "ssh-keygen works");
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a public key");
    site.write(&spec(public.trim()));
    site.lab_up();
    let before = Listing::all(&site, Listing::full);
    let scope = ["--step", "base", "--step", "time", "--step", "runtime"];
    let run = |command: &str| site.bramble(&[&[command], &scope[..]].concat()).expect(0);

    let bare = Listing::times(&site, "two");
    let planned = site.bramble(&["plan", "--exit-code"]).expect(3);
    planned.says("known after control-plane/init");
    bare.assert_same(&Listing::times(&site, "two"), LEFT);

    run("up");
    let planned = site
        .bramble(&[&["plan", "--exit-code"], &scope[..]].concat())
        .expect(0);
    assert_eq!(planned.stdout.trim(), "nothing to do");
    everything_is_there(&site);
    anna_logs_in(&site, &key);
    proxy_and_mirrors_come_later(&site, public.trim(), run);

    site.bramble(&["down", "--yes"]).expect(0);
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);
    let again = site.bramble(&["down", "--yes"]).expect(0);
    assert_eq!(again.stdout.trim(), "nothing to do");
}

fn everything_is_there(site: &Site) {
    for machine in site.machines() {
        assert_eq!(
            site.on(&machine, "date +%Z"),
            "JST",
            "time zone of {machine}"
        );
        for other in site.machines() {
            let found = site.on(
                &machine,
                &format!("getent hosts {other} && getent hosts {other}.base.internal"),
            );
            let address = site.address(&other);
            assert!(
                found.lines().count() >= 2 && found.lines().all(|l| l.starts_with(&address)),
                "{other} on {machine}: {found}"
            );
        }
        let dns = site.on(
            &machine,
            "sshd -T | grep -i '^usedns '; grep -rhi '^usedns' /etc/ssh | wc -l",
        );
        assert_eq!(dns, "usedns no\n1", "sshd of {machine}");
        let before = site.on(&machine, "cat /etc/before");
        assert!(
            !before.contains("Tokyo"),
            "the hook ran before the step: {before}"
        );
    }
    assert_eq!(site.on("two", "grep -c brambles /etc/motd"), "1");
    assert_eq!(
        site.on("one", "grep -c brambles /etc/motd || :"),
        "0",
        "the hook is for two alone"
    );
}

fn anna_logs_in(site: &Site, key: &std::path::Path) {
    for machine in site.machines() {
        let mut ssh = Command::new("ssh");
        ssh.args([
            "-F",
            "/dev/null",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
        ]);
        ssh.arg("-o").arg(format!(
            "UserKnownHostsFile={}",
            site.lab().known_hosts().display()
        ));
        ssh.arg("-i")
            .arg(key)
            .arg(format!("anna@{}", site.address(&machine)));
        let done = bramble_tests::Running::start(ssh.arg("id -un; id -Gn; sudo -n id -un"))
            .finish()
            .expect(0);
        let lines: Vec<&str> = done.stdout.lines().collect();
        assert!(
            lines[0] == "anna" && lines[1].split(' ').any(|g| g == "adm") && lines[2] == "root",
            "{lines:?}"
        );
    }
}

/// What is added to the file changes those files alone.
fn proxy_and_mirrors_come_later(site: &Site, key: &str, run: impl Fn(&str) -> bramble_tests::Done) {
    let more = "proxy: { http: 'http://proxy.invalid:3128', noProxy: [.example.org] }
mirrors: { registries: { docker.io: ['https://mirror.invalid'] } }
";
    site.write(&(spec(key) + more));
    let plan = site.bramble(&[
        "plan", "--output", "json", "--step", "base", "--step", "time", "--step", "runtime",
    ]);
    let mut changes = bramble_tests::site::changes(&plan.expect(0).json());
    changes.retain(|c| c.starts_with("two "));
    assert_eq!(
        changes,
        [
            "two base/packages file:/etc/apt/apt.conf.d/90bramble-proxy",
            "two runtime directory:/etc/containerd/certs.d/docker.io",
            "two runtime file:/etc/containerd/certs.d/docker.io/hosts.toml",
            "two runtime file:/etc/systemd/system/containerd.service.d/bramble.conf",
            "two runtime service:containerd.service",
        ]
    );
    run("up");
    let apt = site.on("two", "apt-config dump | grep -i 'Proxy '");
    assert!(
        apt.contains("Acquire::http::Proxy \"http://proxy.invalid:3128\""),
        "{apt}"
    );
    assert!(
        apt.contains("Acquire::https::Proxy \"http://proxy.invalid:3128\""),
        "{apt}"
    );
    let environment = site.on(
        "two",
        "tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value containerd)/environ",
    );
    for part in [
        "HTTPS_PROXY=http://proxy.invalid:3128",
        ".example.org",
        "10.78.10.0/24",
        "10.244.0.0/16",
    ] {
        assert!(environment.contains(part), "{part}: {environment}");
    }
    let hosts = site.on("two", "cat /etc/containerd/certs.d/docker.io/hosts.toml");
    assert!(
        hosts.contains("[host.\"https://mirror.invalid\"]"),
        "{hosts}"
    );
}
