//! Ways to a machine: another user with and without sudo, through another machine, by another address.

use bramble_tests::{Listing, Site};

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

#[test]
fn machines_are_reached_as_the_file_says() {
    let mut site = Site::new("t-logins", 15, &["one", "two", "three"]);
    site.write("");
    site.lab_up();
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

    ways(&mut site);
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
        .expect(4)
        .says("three not seen:")
        .says("host key");
}
