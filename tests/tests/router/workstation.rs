//! A computer in the home network that is connected to the machines by `bramble workstation`.

use bramble_tests::program::binary;
use bramble_tests::wait::answer;
use bramble_tests::{Site, until};
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

/// Connects `desk`, a machine outside the router that the file trusts, and takes it away again. The
/// program, the system's resolver and the router's name server are the real ones.
pub fn a_workstation_reaches_machines_and_names(site: &Site, desk: &str) {
    let one = site.address("one");
    let domain = format!("{}.internal", site.name());
    send(site, desk, "/root/bramble", &binary());
    send(site, desk, "/root/bramble.yaml", &site.file());
    site.script(
        desk,
        "set -e\nchmod +x /root/bramble\nexport DEBIAN_FRONTEND=noninteractive\napt-get -qq -o DPkg::Lock::Timeout=60 update >/dev/null\napt-get -qq install -y --no-install-recommends systemd-resolved >/dev/null 2>&1\n\
         # Started before the bus knew that it may have its name.\n\
         systemctl restart systemd-resolved\nresolvectl dns > /run/dns\nresolvectl domain >> /run/dns\nip -4 route > /run/routes\ncp -a /etc/hosts /run/hosts\n",
    );
    let ssh = format!("timeout 5 bash -c 'head -c 4 </dev/tcp/{one}/22'");
    assert_ne!(site.try_on(desk, &ssh).code, Some(0), "there is no way yet");
    let connected = site.on(desk, "cd /root && ./bramble workstation connect");
    for text in ["the machines (10.", "(systemd-resolved): set"] {
        assert!(connected.contains(text), "{connected}");
    }
    assert_eq!(site.on(desk, &ssh), "SSH-");
    assert_eq!(site.on(desk, "getent hosts one | cut -d' ' -f1"), one);
    // Types are asked for in DNS alone, not in the file of names.
    let dns = |query: &str| {
        answer(query, Duration::from_secs(20), || {
            let done = site.try_on(desk, &format!("resolvectl --legend=no query {query}"));
            if done.code == Some(0) {
                Ok(done.stdout)
            } else {
                Err(done.stderr)
            }
        })
    };
    let found = dns(&format!("-t A one.{domain}"));
    assert!(found.contains(&one), "{found}");
    let reverse: Vec<&str> = one.rsplit('.').collect();
    let found = dns(&format!("-t PTR {}.in-addr.arpa", reverse.join(".")));
    assert!(found.contains(&format!("one.{domain}")), "{found}");
    // Of the router nothing else is asked.
    let told = site.on(desk, "resolvectl default-route | grep '^Link'");
    assert!(!told.contains("yes"), "{told}");
    let again = site.on(desk, "cd /root && ./bramble workstation connect");
    assert!(!again.lines().any(|l| l.ends_with(": set")), "{again}");
    assert!(again.contains("is there already"), "{again}");
    site.on(desk, "cd /root && ./bramble workstation status");
    site.on(
        desk,
        "cd /root && ./bramble workstation disconnect && ip -4 route | cmp - /run/routes && cmp /etc/hosts /run/hosts && [ ! -e /var/lib/bramble-workstation ] && { resolvectl dns; resolvectl domain; } | cmp - /run/dns",
    );
    // The resolver looks at the file of names every two seconds at most.
    let query = format!("resolvectl --legend=no query -t A one.{domain}");
    until("the name is gone", Duration::from_secs(20), || {
        site.try_on(desk, &query).code != Some(0)
    });
}

/// Copies a file by way of SSH.
fn send(site: &Site, machine: &str, to: &str, from: &std::path::Path) {
    let mut command = site
        .lab()
        .ssh_command(machine)
        .expect("a machine of the lab");
    let file = File::open(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    let status = command
        .arg(format!("cat > {to}"))
        .stdin(Stdio::from(file))
        .status();
    assert!(
        status.is_ok_and(|s| s.success()),
        "{to} is not on {machine}"
    );
}
