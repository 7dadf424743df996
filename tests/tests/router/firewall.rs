//! What may come in from outside, and what the machines behind reach.

use super::{LAN_LIMIT, spec};
use bramble_tests::{Site, until};
use std::collections::BTreeMap;
use std::time::Duration;

/// The rules in force.
const LIST: &str = "nft -s list table inet bramble-router";
/// What kube-proxy would make of node ports on a router that is a node: one that leads to a pod, one to the
/// machine itself, and one that wants a port which the file forwards.
const NODE_PORTS: &str = "nft -f - <<'E'
table ip kube-proxy {
	chain services {
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport 30080 dnat to TWO:22
		tcp dport 30081 redirect to :22
		tcp dport 8022 dnat to TWO:22
	}
	chain hidden {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat masquerade
	}
}
E";

/// Ports that are not filtered, by a scan from outside.
fn scan(site: &Site, options: &[&str]) -> BTreeMap<u16, String> {
    scan_of(site, &site.outside(), options)
}

fn scan_of(site: &Site, address: &str, options: &[&str]) -> BTreeMap<u16, String> {
    let mut args = vec!["nmap", "-n", "-Pn", "-T4", "-oG", "-"];
    args.extend(options);
    args.push(address);
    let text = site.beside("outsider", &args).expect(0).stdout;
    let ports = text.split_once("Ports: ").map_or("", |(_, rest)| rest);
    let ports = ports.split(['\t', '\n']).next().unwrap_or_default();
    let one = |port: &str| {
        let mut fields = port.trim().split('/');
        let number = fields.next()?.parse().ok()?;
        let state = fields.next()?.to_owned();
        (state != "filtered" && state != "open|filtered").then_some((number, state))
    };
    ports.split(',').filter_map(one).collect()
}

/// Exactly what the file says; where nobody listens, the kernel says so.
pub fn exactly_the_declared_set_is_open(site: &Site) {
    let found = scan(
        site,
        &[
            "-sS",
            "-p1-65535",
            "--min-rate",
            "20000",
            "--max-retries",
            "2",
        ],
    );
    let tcp = [(22, "open"), (8022, "open"), (8080, "closed")];
    assert_eq!(found, tcp.map(|(p, s)| (p, s.to_owned())).into());
    let ports = "-p53,67,68,69,123,161,500,546,547,1194,4999-5003,5353,51820";
    let found = scan(site, &["-sU", ports, "--max-retries", "3"]);
    let udp = [5000, 5001, 5002].map(|p| (p, "closed".to_owned()));
    assert_eq!(found, udp.into());
    site.on("outsider", &format!("ping -c1 -W2 {}", site.outside()));
    // By IPv6 there are no forwards.
    let link =
        "ip -6 -o address show dev wan0 scope link | sed -n 's/.* inet6 \\([^/]*\\).*/\\1/p'";
    let link = format!("{}%host0", site.on("gate", link));
    let six = [
        "-6",
        "-sS",
        "-p1-10000",
        "--min-rate",
        "20000",
        "--max-retries",
        "2",
    ];
    let found = scan_of(site, &link, &six);
    let tcp = [(22, "open"), (8080, "closed")];
    assert_eq!(found, tcp.map(|(p, s)| (p, s.to_owned())).into());
}

/// The host key of the SSH server that answers there, as a machine sees it.
fn host_key(site: &Site, from: &str, address: &str, port: &str) -> Option<String> {
    let args = [
        "ssh-keyscan",
        "-T",
        "3",
        "-t",
        "ed25519",
        "-p",
        port,
        address,
    ];
    let text = site.beside(from, &args).stdout;
    let key = text.lines().find(|l| !l.starts_with('#'))?;
    key.split(' ').nth(2).map(str::to_owned)
}

fn own_key(site: &Site, machine: &str) -> Option<String> {
    let key = site.on(machine, "cat /etc/ssh/ssh_host_ed25519_key.pub");
    key.split(' ').nth(1).map(str::to_owned)
}

/// A forwarded port leads to its machine, from outside and from inside; kube-proxy's don't become open.
pub fn forwards_lead_in_and_node_ports_do_not(site: &Site) {
    let (outside, two) = (site.outside(), site.address("two"));
    let [one_key, two_key, gate_key] = ["one", "two", "gate"].map(|m| own_key(site, m));
    assert!(one_key.is_some() && one_key != gate_key && one_key != two_key);
    let rules = site.on("gate", LIST);
    site.on("gate", &NODE_PORTS.replace("TWO", &two));
    for from in ["outsider", "guest", "two"] {
        assert_eq!(host_key(site, from, &outside, "8022"), one_key, "{from}");
        assert_eq!(host_key(site, from, &outside, "22"), gate_key, "{from}");
    }
    assert_eq!(host_key(site, "outsider", &outside, "30080"), None);
    assert_eq!(host_key(site, "outsider", &outside, "30081"), None);
    assert_eq!(host_key(site, "guest", &outside, "30080"), two_key);

    // The machines behind are not in reach for somebody who knows the way.
    let lan = format!("{}/32", site.address("one"));
    site.on("outsider", &format!("ip route add {lan} via {outside}"));
    assert_eq!(host_key(site, "outsider", &site.address("one"), "22"), None);
    let ping = format!("ping -c1 -W1 {}", site.address("one"));
    assert_ne!(site.try_on("outsider", &ping).code, Some(0));
    site.on("outsider", &format!("ip route delete {lan}"));

    assert_eq!(site.on("gate", LIST), rules);
}

/// What comes from inside wears the router's address outside.
pub fn machines_behind_are_hidden(site: &Site, outsider: &str) {
    let listen = "nft -f - <<'E'
table ip seen {
	set from { type ipv4_addr; flags dynamic; }
	chain input {
		type filter hook input priority 0;
		icmp type echo-request update @from { ip saddr }
	}
}
E";
    site.on("outsider", listen);
    site.on("one", &format!("ping -c1 -W2 {outsider}"));
    let seen = site.on(
        "outsider",
        "nft list set ip seen from; nft delete table ip seen",
    );
    assert!(
        seen.contains(&format!("elements = {{ {} }}", site.outside())),
        "{seen}"
    );
}

/// Rules that somebody removes are missed and come back; what others have made stays.
pub fn rules_that_were_flushed_come_back(site: &Site) {
    let others = "nft list table ip kube-proxy";
    let (rules, theirs) = (site.on("gate", LIST), site.on("gate", others));
    let scope = ["--machine", "gate", "--step", "router"];
    for hand in [
        "nft flush chain inet bramble-router postrouting",
        "nft delete table inet bramble-router",
        "nft add rule inet bramble-router input tcp dport 9999 accept",
    ] {
        site.on("gate", hand);
        let plan = site.bramble(&[&["plan", "--output", "json"], &scope[..]].concat());
        assert_eq!(
            bramble_tests::site::changes(&plan.json()),
            ["gate router/firewall nft-table:bramble-router"],
            "after {hand}"
        );
        site.bramble(&[&["up"], &scope[..]].concat());
        assert_eq!(site.on("gate", LIST), rules, "after {hand}");
    }
    assert_eq!(site.on("gate", others), theirs);
    site.on("gate", "nft delete table ip kube-proxy");
}

/// A run that dies before it could confirm its change: the next one does, and the machine doesn't take it
/// back when nobody looks any more.
pub fn what_an_interrupted_run_changed_stays(site: &Site) {
    let slow = "mv /usr/sbin/nft /usr/sbin/nft.real; printf '#!/bin/sh\\nsleep 2\\nexec /usr/sbin/nft.real \"$@\"\\n' >/usr/sbin/nft; chmod 755 /usr/sbin/nft";
    site.on("gate", slow);
    site.write(&spec(site).replace("tcp/8080", "tcp/8080, tcp/8081"));
    let up = site.start(&["up", "--machine", "gate", "--step", "router/firewall"]);
    until("the timer is armed", LAN_LIMIT, || {
        site.try_on("gate", "[ -e /run/bramble/revert.sh ]").code == Some(0)
    });
    up.signal("KILL");
    up.finish();
    site.on("gate", "mv -f /usr/sbin/nft.real /usr/sbin/nft");

    let scope = ["--machine", "gate", "--step", "router/firewall"];
    let plan = site.bramble(&[&["plan"], &scope[..]].concat()).expect(0);
    plan.says("keep what an interrupted run changed");
    // The server may not have learned yet that the first one is gone.
    until("the next run goes through", LAN_LIMIT, || {
        site.bramble(&[&["up"], &scope[..]].concat()).code == Some(0)
    });
    let left = "systemctl is-active bramble-revert.timer; ls /run/bramble/revert.sh 2>/dev/null; nft list table inet bramble-router | grep -c 8081";
    assert_eq!(site.on("gate", left), "inactive\n1");

    site.write(&spec(site));
    site.bramble(&[&["up"], &scope[..]].concat()).expect(0);
}

/// Rules that shut the operator out go back by themselves, and the run says so.
pub fn a_lock_out_goes_back_by_itself(site: &Site) {
    let state = format!(
        "{LIST}; cat /etc/bramble-router.nft; grep -v unconfirmed /var/lib/bramble/journal | sort | tail -n 1"
    );
    let before = site.on("gate", &state);
    let closed = "open: [tcp/8080]\n    trusted: [192.0.2.0/24]";
    site.write(&spec(site).replace("open: [ssh, tcp/8080, udp/5000-5002]", closed));
    let scope = ["--machine", "gate", "--step", "router/firewall"];
    let done = site.bramble(&[&["up"], &scope[..]].concat()).expect(1);
    done.says("takes it back by itself")
        .says("name `ssh` in router.firewall.open");
    until("the old rules are back", Duration::from_secs(20), || {
        site.try_on("gate", LIST).code == Some(0) && site.on("gate", &state) == before
    });
    site.write(&spec(site));
    let plan = site.bramble(&[&["plan", "--output", "json"], &scope[..]].concat());
    assert_eq!(bramble_tests::site::changes(&plan.json()), [] as [&str; 0]);
    until("the guest is served", LAN_LIMIT, || {
        site.try_on("guest", "ping -c1 -W1 gate").code == Some(0)
    });
}
