//! Ways to a machine: another user with and without sudo, through another machine, by another address.

use bramble_tests::program::binary;
use bramble_tests::{Listing, Running, Site, until};
use std::process::Command;
use std::time::Duration;

/// Longer than a machine waits before it takes a change back.
const LIMIT: Duration = Duration::from_secs(120);

/// Makes users with the lab's key: `ops` may become root, `guest` may not, `pia` with a password.
const USERS: &str = "set -e
for u in ops guest pia; do
	useradd -m -s /bin/bash $u
	install -d -m 700 -o $u -g $u /home/$u/.ssh
	install -m 600 -o $u -g $u /root/.ssh/authorized_keys /home/$u/.ssh/
done
echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops
echo 'pia ALL=(ALL) ALL' > /etc/sudoers.d/pia
echo 'pia:open sesame' | chpasswd
";

/// The lock of whoever switched machines on is free again when the command has ended, though they run on.
fn lab_up_by_way_of_a_lock(site: &Site) {
    let lock = site.write_beside("lock", "");
    let flock = |args: &[&str]| {
        let mut command = Command::new("flock");
        command.args(args).current_dir(site.folder());
        Running::start(&mut command).finish().expect(0)
    };
    let (lock, program) = (lock.display().to_string(), binary().display().to_string());
    flock(&[&lock, &program, "lab", "up"]);
    flock(&["--nonblock", &lock, "true"]);
}

#[test]
fn machines_are_reached_as_the_file_says() {
    let mut site = Site::new("t-logins", 15, &["one", "two", "three"]);
    site.write("");
    lab_up_by_way_of_a_lock(&site);
    for machine in site.machines() {
        site.script(&machine, USERS);
    }
    let up = |site: &Site, more: &[&str]| {
        site.bramble(&[&["up", "--step", "base", "--connect-timeout", "3"], more].concat())
    };

    site.write("defaults: { ssh: { user: guest } }\n");
    let before = Listing::times(&site, "one");
    let refused = up(&site, &[]);
    assert_ne!(refused.code, Some(0));
    refused.says("sudo").says("guest").says("one").says("three");
    before.assert_same(
        &Listing::times(&site, "one"),
        &[("/var/log/", "logs"), ("/var/lib/systemd/", "stamps")],
    );

    site.write("defaults: { ssh: { user: pia } }\n");
    assert_ne!(up(&site, &[]).code, Some(0), "pia's sudo wants a password");
    let password = site
        .write_beside("password", "open sesame\n")
        .display()
        .to_string();
    up(
        &site,
        &["--machine", "one", "--sudo-password-file", &password],
    )
    .expect(0);
    assert_eq!(
        site.on(
            "one",
            "grep -c '^UseDNS no' /etc/ssh/sshd_config.d/50-bramble.conf"
        ),
        "1"
    );

    site.write("defaults: { ssh: { user: ops } }\n");
    up(&site, &[]).expect(0);
    let done = site
        .bramble(&["plan", "--exit-code", "--step", "base"])
        .expect(0);
    assert_eq!(done.stdout.trim(), "nothing to do");

    locked_out(&site);
    ways(&mut site);
}

/// A shell that lets nobody in is taken back by the machines themselves.
fn locked_out(site: &Site) {
    let spec = |shell: &str| {
        let users = format!("users: [{{ name: ops, shell: {shell}, sudo: true }}]");
        site.write(&format!("defaults: {{ ssh: {{ user: ops }} }}\n{users}\n"));
    };
    let access = ["--step", "base/access"];
    spec("/bin/sh");
    let one = [&["up", "--machine", "one"][..], &access].concat();
    site.bramble(&one).expect(0);
    spec("/usr/sbin/nologin");
    let done = site.bramble(&[&["up"][..], &access].concat()).expect(1);
    done.says("takes it back by itself");
    // One was managed already and has what it had before; the others are as they were at first.
    for (machine, shell) in [
        ("one", "/bin/sh"),
        ("two", "/bin/bash"),
        ("three", "/bin/bash"),
    ] {
        until(&format!("{machine} takes it back"), LIMIT, || {
            let revert = "test -e /run/bramble/revert.sh || test -e /run/bramble/reverting.sh";
            site.try_on(machine, revert).code == Some(1)
        });
        let line = site.on(machine, "getent passwd ops");
        assert!(line.ends_with(&format!(":{shell}")), "{machine}: {line}");
        let rule = "ls /etc/sudoers.d/bramble-ops 2>/dev/null || echo none";
        let rule = site.on(machine, rule);
        assert_eq!(rule == "none", machine != "one", "{machine}: {rule}");
        assert_eq!(
            site.on(machine, "ls -d /run/bramble/kept 2>/dev/null || echo none"),
            "none"
        );
    }
    spec("/bin/bash");
    let changes = site.changes();
    let users: Vec<&String> = changes.iter().filter(|c| c.contains("user:ops")).collect();
    assert_eq!(users, ["one base/access user:ops"], "{changes:?}");
    site.bramble(&[&["up"][..], &access].concat()).expect(0);
    site.bramble(&["down", "--yes", "--step", "base/access"])
        .expect(0);
    assert!(site.on("one", "getent passwd ops").ends_with(":/bin/bash"));
    site.write("defaults: { ssh: { user: ops } }\n");
    site.bramble(&[&["up"][..], &access].concat()).expect(0);
}

/// Two is reached through one alone, three by a second address alone.
fn ways(site: &mut Site) {
    let close = |address: &str, except: &str| {
        format!(
            "nft 'table ip closed {{ chain input {{ type filter hook input priority 0; \
             ip daddr {address} tcp dport 22 ip saddr != {except} ct state new reject; }}; }}'"
        )
    };
    let key = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2";
    let fingerprint = site.on("three", key);
    site.on("three", "ip address add 10.78.15.200/24 dev host0");
    for (machine, except) in [("two", site.address("one")), ("three", "127.0.0.1".into())] {
        let rules = close(&site.address(machine), &except);
        site.on(machine, &rules);
    }
    let plan = |site: &Site| site.bramble(&["plan", "--step", "base", "--connect-timeout", "3"]);
    plan(site).expect(4).says("not reached: three, two");
    site.machine("two").more = "ssh: { jump: one }".into();
    site.machine("three").more =
        format!("management: 10.78.15.200\nssh: {{ hostKey: '{fingerprint}' }}");
    site.write("defaults: { ssh: { user: ops } }\n");
    plan(site).expect(0).says("nothing to do");

    let wrong = fingerprint.replace(&fingerprint[7..12], "AAAAA");
    site.machine("three").more = format!("management: 10.78.15.200\nssh: {{ hostKey: '{wrong}' }}");
    site.write("defaults: { ssh: { user: ops } }\n");
    plan(site)
        .expect(1)
        .says("three not seen:")
        .says("host key");
}
