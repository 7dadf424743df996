//! Addresses and names: who gets which, and that nobody gets another's.

use super::{LAN_LIMIT, lan};
use bramble_tests::site::VERSION;
use bramble_tests::{Site, until, until_else};
use std::collections::BTreeSet;
use std::time::Duration;

/// First and last number of the pool that the plan makes of a /24.
const POOL: std::ops::RangeInclusive<u8> = 192..=250;

/// How long a lease of somebody unknown lasts; it is asked for again at half of that.
const STRANGERS_LEASE: Duration = Duration::from_secs(180);

/// The IPv4 address of a machine behind the router; empty while it has none.
fn address(site: &Site, machine: &str) -> String {
    site.on(
        machine,
        "ip -4 -o address show dev host0 | sed -n 's/.* inet \\([0-9.]*\\).*/\\1/p'",
    )
}

/// Machines of the file get their own addresses, and somebody unknown one of the pool, which is returned.
pub fn devices_get_addresses(site: &Site) -> String {
    for machine in ["one", "two"] {
        let own = site.address(machine);
        gets(site, machine, &format!("{machine} has {own}"), |has| {
            has == own
        });
    }
    stranger_gets_an_address(site, "guest")
}

/// The address that somebody unknown gets, one of the pool.
pub fn stranger_gets_an_address(site: &Site, machine: &str) -> String {
    let what = format!("{machine} has an address");
    gets(site, machine, &what, |has| !has.is_empty());
    let address = address(site, machine);
    let last = address.rsplit('.').next().and_then(|n| n.parse().ok());
    assert!(last.is_some_and(|n| POOL.contains(&n)), "{address}");
    address
}

/// Waits for the address that a machine is given.
fn gets(site: &Site, machine: &str, what: &str, is: impl Fn(&str) -> bool) {
    until_else(
        what,
        LAN_LIMIT,
        || is(&address(site, machine)),
        || {
            let client = site.on(
                machine,
                "ip address show; journalctl -b -n 40 --no-pager -u systemd-networkd",
            );
            let server = site.on(
                "gate",
                "ip address show lan0; cat /var/lib/misc/dnsmasq.leases; journalctl -b -n 60 --no-pager -u dnsmasq; nft list ruleset",
            );
            format!("{machine}:\n{client}\ngate:\n{server}")
        },
    );
}

/// Lets a machine forget its address and ask anew.
fn ask_anew(site: &Site, machine: &str) {
    let program = "systemctl stop systemd-networkd.socket systemd-networkd; ip -4 address flush dev host0; rm -f /run/systemd/netif/leases/*; systemctl reset-failed systemd-networkd; systemctl start systemd-networkd";
    site.on(machine, program);
}

/// Lets everybody behind the router ask anew.
fn all_ask_anew(site: &Site) {
    for machine in ["one", "two", "guest"] {
        ask_anew(site, machine);
    }
}

/// Everybody has the same address again, when dnsmasq was started anew and the devices ask anew.
pub fn leases_outlive_the_server(site: &Site, guest: &str) {
    site.on("gate", "systemctl restart dnsmasq");
    all_ask_anew(site);
    assert_eq!(devices_get_addresses(site), guest);
}

/// The same after the router itself was off, whose interfaces may come up after its services.
pub fn leases_outlive_the_router(site: &Site, guest: &str) {
    all_ask_anew(site);
    assert_eq!(devices_get_addresses(site), guest);
    let late = "systemctl stop dnsmasq && ip link set lan0 down && ip link set lan0 name late0 && systemctl start dnsmasq && ip link set late0 name lan0 && networkctl reconfigure lan0";
    site.on("gate", late);
    all_ask_anew(site);
    assert_eq!(devices_get_addresses(site), guest);
}

/// Somebody whom the router has lent an address comes into the file; what the file says then.
pub fn a_stranger_comes_into_the_file(site: &Site, spec: &str, machine: &str) -> String {
    let mac = site.on(machine, "cat /sys/class/net/host0/address");
    let own = lan(site, 50);
    let known = format!("reservations: [{{ mac: '{mac}', address: {own}, name: {machine} }}, ");
    let spec = spec.replace("reservations: [", &known);
    site.write(&spec);
    let up = ["up", "--machine", "gate", "--step", "router/dhcp"];
    site.bramble(&up).expect(0);
    own
}

/// It is not left with a stranger's address until half a day is over, though it never asks of itself for
/// another: its lease was a short one.
pub fn it_moves_to_its_own_address(site: &Site, machine: &str, own: &str) {
    until_else(
        &format!("{machine} has {own}"),
        STRANGERS_LEASE,
        || address(site, machine) == own,
        || site.on(machine, "journalctl -b --no-pager -u systemd-networkd"),
    );
}

/// What devices are told besides their address.
pub fn devices_are_told_the_way(site: &Site) {
    // Of itself, networkd asks for less.
    let more = "for f in /etc/systemd/network/*.network; do mkdir -p $f.d; printf '[DHCPv4]\\nUseMTU=yes\\nUseDomains=yes\\n' >$f.d/more.conf; done";
    site.on("guest", more);
    ask_anew(site, "guest");
    until("the guest has asked again", LAN_LIMIT, || {
        site.on("guest", "cat /run/systemd/netif/leases/* 2>/dev/null || :")
            .contains("MTU=")
    });
    let lease = site.on("guest", "cat /run/systemd/netif/leases/*");
    let own = site.address("gate");
    for line in [
        format!("ROUTER={own}"),
        format!("DNS={own}"),
        format!("NTP={own}"),
        format!("DOMAINNAME={}.internal", site.name()),
        format!("DOMAIN_SEARCH_LIST={}.internal", site.name()),
        "MTU=1450".to_owned(),
        "LIFETIME=180".to_owned(),
    ] {
        assert!(lease.lines().any(|l| l == line), "{line}: {lease}");
    }
    until(
        "the guest has an address of its own making",
        LAN_LIMIT,
        || {
            site.on("guest", "ip -6 -o address show dev host0 scope global")
                .contains("inet6 fd00:")
        },
    );
    site.on("guest", "ping -6 -c1 -W2 gate");
}

/// Status and answers of a question to the router's DNS.
fn dig(site: &Site, question: &[&str]) -> (String, Vec<String>) {
    let server = format!("@{}", site.address("gate"));
    let mut args = vec!["dig", "+tries=3", "+time=2", &server];
    args.extend(question);
    let text = site.beside("guest", &args).expect(0).stdout;
    let status = text.split_once("status: ").map(|(_, rest)| rest);
    let status = status.and_then(|rest| rest.split(',').next());
    let answers = text
        .lines()
        .filter(|l| !l.starts_with(';') && !l.is_empty());
    let answers = answers.filter_map(|l| l.split_whitespace().last());
    (
        status.unwrap_or_default().to_owned(),
        answers.map(str::to_owned).collect(),
    )
}

/// Names forward and back, in the domain and alone, of machines, devices, guests and records.
pub fn names_are_found_both_ways(site: &Site, guest: &str) {
    let domain = format!("{}.internal", site.name());
    let [one, two, gate] = ["one", "two", "gate"].map(|m| site.address(m));
    let (printer, apps) = (lan(site, 30), lan(site, 40));
    for (name, address) in [
        ("gate", gate.as_str()),
        ("one", &one),
        ("two", &two),
        ("guest", guest),
        ("printer", &printer),
        ("apps", &apps),
    ] {
        let full = format!("{name}.{domain}");
        for asked in [name, &full] {
            let found = dig(site, &[asked]);
            assert_eq!(found, ("NOERROR".into(), vec![address.into()]), "{asked}");
        }
        let found = dig(site, &["-x", address]);
        assert_eq!(found, ("NOERROR".into(), vec![format!("{full}.")]));
        // The way that programs on a node take.
        let program = format!("getent -s dns ahostsv4 {full}; getent -s dns hosts {address}");
        let found = site.on("one", &program);
        assert!(found.contains(address) && found.contains(&full), "{found}");
    }
    let wild = format!("any.shop.apps.{domain}");
    assert_eq!(dig(site, &[&wild]).1, [apps]);
    // It exists, without an address of the other family.
    assert_eq!(dig(site, &["AAAA", &wild]), ("NOERROR".into(), vec![]));
    // A record beside a machine's own name doesn't take its place on the way back.
    assert_eq!(dig(site, &[&format!("web.{domain}")]).1, [one]);
    for nobody in [format!("nobody.{domain}"), "nobody".into()] {
        assert_eq!(dig(site, &[&nobody]), ("NXDOMAIN".into(), vec![]));
    }
    assert_eq!(dig(site, &["-x", "192.168.99.9"]).0, "NXDOMAIN");
}

/// A device that calls itself by a name of the file doesn't get it.
pub fn names_of_the_file_can_not_be_taken(site: &Site, guest: &str) {
    let domain = format!("{}.internal", site.name());
    for (name, owner) in [
        ("one", vec![site.address("one")]),
        ("printer", vec![lan(site, 30)]),
        ("apps", vec![lan(site, 40)]),
        ("web", vec![site.address("one")]),
        ("wpad", vec![]),
        ("visitor", vec![guest.to_owned()]),
    ] {
        site.on("guest", &format!("hostname {name}"));
        ask_anew(site, "guest");
        assert_eq!(devices_get_addresses(site), guest);
        for asked in [name, &format!("{name}.{domain}")] {
            let found = || dig(site, &[asked]).1;
            until(&format!("{asked} is {owner:?}"), LAN_LIMIT, || {
                found() == owner
            });
        }
    }
    site.on("guest", "hostname guest");
    ask_anew(site, "guest");
    assert_eq!(devices_get_addresses(site), guest);
}

/// Nodes reach package sources by way of the router, and names outside by its DNS.
pub fn nodes_reach_package_sources(site: &Site) {
    site.on(
        "one",
        "apt-get -q update -o Acquire::Retries=3 -o APT::Update::Error-Mode=any",
    );
}

/// 500 devices at once in a larger LAN, served by the configuration that the product makes for it.
pub fn five_hundred_devices_get_an_address_each(site: &Site) {
    let file = site.write_beside(
        "many/bramble.yaml",
        &format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: {} }}\nspec:\n  \
             kubernetes: {{ version: {VERSION} }}\n  network: {{ lan: 10.99.0.0/22 }}\n  \
             router: {{ dhcp: {{ pool: 10.99.1.0-10.99.3.200 }} }}\n  \
             machines:\n    - {{ name: gate, roles: [router], address: {} }}\n    \
             - {{ name: one, roles: [control-plane], address: 10.99.0.11 }}\n",
            site.name(),
            site.outside()
        ),
    );
    let file = file.display().to_string();
    site.on("gate", "ip address add 10.99.0.1/22 dev lan0");
    site.on("guest", "ip address add 10.99.0.9/22 dev host0");
    let step = ["--machine", "gate", "--step", "router/dhcp"];
    serve(site, &[&["up", "-f", &file], &step[..]].concat());
    // The tool draws by lot, from 600 devices, who asks next. To the first ones dnsmasq answers after it
    // has looked whether the address is in use, and on a busy computer some are not answered in time.
    let clients = [
        "perfdhcp",
        "-4",
        "-R",
        "600",
        "-r",
        "60",
        "-p",
        "20",
        "-W",
        "2000000",
        "-l",
        "10.99.0.9",
        "10.99.0.1",
    ];
    let leases = || {
        let list = "grep ' 00:0c:01:' /var/lib/misc/dnsmasq.leases || :";
        site.on("gate", list)
    };
    let mut rounds = 0;
    while leases().lines().count() < 500 {
        assert!(rounds < 6, "{} leases", leases().lines().count());
        rounds += 1;
        // It ends with 3 where some were not answered.
        site.beside("guest", &clients);
    }
    let leases = leases();
    let field = |at| -> BTreeSet<&str> {
        let fields = leases.lines().filter_map(|l| l.split(' ').nth(at));
        fields.collect()
    };
    let count = leases.lines().count();
    assert_eq!(field(1).len(), count, "hardware addresses");
    assert_eq!(field(2).len(), count, "addresses");

    serve(site, &[&["up"], &step[..]].concat());
    site.on("gate", "ip address delete 10.99.0.1/22 dev lan0");
    site.on("guest", "ip address delete 10.99.0.9/22 dev host0");
}

/// Runs a command that looks at other machines in vain.
fn serve(site: &Site, command: &[&str]) {
    let done = site.bramble(command);
    done.says("router/dhcp");
    assert!(!done.said().contains('✗'), "{}", done.said());
}
