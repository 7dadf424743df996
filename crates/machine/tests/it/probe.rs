//! What a look finds, and how much it costs.

use crate::cycle::look;
use crate::machine::Machine;
use bramble_machine::kinds::{File, HostName, SudoRule, Sysctl, User};
use bramble_machine::{Networking, Observation, PlanError, Query, Resource};

/// Asks and changes nothing.
#[derive(Debug)]
struct Ask(Vec<Query>);

impl Resource for Ask {
    fn id(&self) -> String {
        "ask:x".into()
    }
    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        self.0.clone()
    }
    fn plan(&self, _seen: &Observation) -> Result<Option<bramble_machine::Change>, PlanError> {
        Ok(None)
    }
}

#[test]
fn a_look_finds_what_is_there() {
    let Some(m) = Machine::new(
        "printf 'no end' > /etc/a; : > /etc/b; printf 'x\\n\\n' > '/etc/c d'; ln -s 'to here' /etc/l",
    ) else {
        return;
    };
    let path = |p: &str| p.to_owned();
    let missing = path("/no/such/file");
    let seen = look(
        &m,
        &[&Ask(vec![
            Query::Content(path("/etc/a")),
            Query::Content(path("/etc/b")),
            Query::Content(path("/etc/c d")),
            Query::Content(missing.clone()),
            Query::Content(path("/etc")),
            Query::Stat(path("/etc/l")),
            Query::Stat(path("/etc/c d")),
            Query::Stat(missing.clone()),
            Query::Sha256(path("/etc/b")),
            Query::Sha256(missing.clone()),
            Query::Package(path("sudo")),
            Query::Package(path("nosuchpackage")),
            Query::Unit(path("nosuch.service")),
            Query::User(path("root")),
            Query::User(path("nosuchuser")),
            Query::Group(path("sudo")),
            Query::Sysctl(path("kernel.ostype")),
            Query::Sysctl(path("no.such.parameter")),
            Query::Command(path("echo out; echo err >&2; exit 3")),
            Query::Command(path("cat")),
        ])],
    );
    assert_eq!(seen.content("/etc/a"), Some("no end"));
    assert_eq!(seen.content("/etc/b"), Some(""));
    assert_eq!(seen.content("/etc/c d"), Some("x\n\n"));
    assert_eq!(seen.content(&missing), None);
    assert_eq!(seen.content("/etc"), None);
    let link = seen.stat("/etc/l").expect("a link");
    assert_eq!((link.kind, link.target.as_str()), ('l', "to here"));
    let file = seen.stat("/etc/c d").expect("a file");
    assert_eq!((file.kind, file.mode, file.size), ('f', 0o644, 3));
    assert_eq!(seen.stat(&missing), None);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(seen.sha256("/etc/b"), Some(empty));
    assert_eq!(seen.sha256(&missing), None);
    assert!(seen.package("sudo").is_some_and(|v| v.starts_with('1')));
    assert_eq!(seen.package("nosuchpackage"), None);
    assert_eq!(seen.unit("nosuch.service").active, "");
    assert_eq!(seen.user("root"), Some("root:x:0:0:root:/root:/bin/bash"));
    assert_eq!(seen.user("nosuchuser"), None);
    assert!(seen.group("sudo").is_some());
    assert_eq!(seen.sysctl("kernel.ostype"), Some("Linux"));
    assert_eq!(seen.sysctl("no.such.parameter"), None);
    let printed = seen
        .printed("echo out; echo err >&2; exit 3")
        .expect("an answer");
    assert_eq!((printed.text.as_str(), printed.exit), ("out", 3));
    assert_eq!(seen.printed("cat").map(|p| p.exit), Some(0));
    assert_eq!(seen.facts.os, "debian");
    assert_eq!(seen.facts.codename, "bookworm");
    assert!(seen.facts.memory > 0 && seen.facts.cpus > 0 && seen.facts.clock > 1_700_000_000);
}

/// The number of processes is what a look costs; their number must not grow with the number of
/// files, users and parameters.
#[test]
fn a_look_costs_a_handful_of_processes() {
    let Some(m) = Machine::new("") else { return };
    let many = |n: usize| -> Vec<Box<dyn Resource>> {
        (0..n)
            .flat_map(|i| -> [Box<dyn Resource>; 5] {
                [
                    Box::new(File::text(format!("/etc/f{i}"), "x")),
                    Box::new(SudoRule::new(format!("r{i}"), "x")),
                    Box::new(User::new(format!("u{i}")).groups([format!("g{i}")])),
                    Box::new(Sysctl::new(format!("s{i}"), [("net.ipv4.ip_forward", "1")])),
                    Box::new(HostName::new("x")),
                ]
            })
            .collect()
    };
    let cost = |n: usize| {
        let resources = many(n);
        let queries = resources
            .iter()
            .flat_map(|r| r.wants(&Observation::default()))
            .collect();
        let program = bramble_machine::probe::program(&queries, "nonce", true);
        // Each process takes the next number.
        let count = "printf '\\nforks '; sh -c 'echo $$'\n";
        let out = m.run(&format!("{count}{program}{count}"));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let numbers: Vec<u32> = text
            .lines()
            .filter_map(|l| l.strip_prefix("forks ")?.parse().ok())
            .collect();
        numbers[1] - numbers[0]
    };
    let (one, twenty) = (cost(1), cost(20));
    assert_eq!(one, twenty);
    assert!(one <= 14, "{one} processes");
}

#[test]
fn the_network_cards_of_a_machine() {
    let Some(m) = Machine::new("") else { return };
    let facts = || look(&m, &[]).facts;
    assert_eq!(facts().ethernet, [] as [&str; 0]);
    assert_eq!(facts().default_interface, None);
    assert_eq!(facts().networking, Networking::None);
    m.hand(
        "ip link add wan0 type veth peer name lan0
        ip link add host0 type veth peer name veth1f2e3d
        ip link add cni0 type bridge; ip link add home type bridge
        ip link add one type veth peer name two; ip link set one master home
        ip link add link two name two.7 type macvlan
        mkdir -p /dev/net; mknod /dev/net/tun c 10 200; ip tuntap add dev t0 mode tap
        ip address add 192.0.2.2/24 dev wan0; ip address add 198.51.100.2/24 dev lan0
        ip link set wan0 up; ip link set lan0 up
        ip route add 0.0.0.0/1 dev lan0; ip route add unreachable 0.0.0.0/0 metric 9000
        ip route add default via 192.0.2.1 metric 100; ip route add default via 198.51.100.1 metric 200",
    );
    // Hardware alone, as long as the machine is hardware itself.
    assert_eq!(facts().ethernet, [] as [&str; 0]);
    m.hand("mkdir -p /run/systemd; echo nspawn > /run/systemd/container");
    let seen = facts();
    assert_eq!(seen.ethernet, ["host0", "lan0", "two", "two.7", "wan0"]);
    assert_eq!(seen.default_interface.as_deref(), Some("wan0"));
    m.hand("ip route add default via 198.51.100.1 metric 50");
    assert_eq!(facts().default_interface.as_deref(), Some("lan0"));
}

#[test]
fn who_configures_the_interfaces() {
    let Some(m) = Machine::new("") else { return };
    m.hand("mkdir -p /run/systemd/units /run/systemd/netif/links; touch /run/systemd/container; ip link add lan0 type veth peer name veth0");
    let runs = |units: &[&str]| {
        m.hand("rm -f /run/systemd/units/*");
        for unit in units {
            m.hand(&format!(
                "ln -s 1f00 /run/systemd/units/invocation:{unit}.service"
            ));
        }
        look(&m, &[]).facts.networking
    };
    assert_eq!(runs(&["networking"]), Networking::Ifupdown);
    assert_eq!(runs(&["networking", "dhcpcd"]), Networking::Dhcpcd);
    assert_eq!(
        runs(&["networking", "NetworkManager"]),
        Networking::NetworkManager
    );
    // Two at once: who has the card.
    let both = ["NetworkManager", "systemd-networkd"];
    m.hand(
        "echo ADMIN_STATE=unmanaged > /run/systemd/netif/links/$(cat /sys/class/net/lan0/ifindex)",
    );
    assert_eq!(runs(&both), Networking::NetworkManager);
    m.hand("printf 'ADMIN_STATE=configured\nNETWORK_FILE=/x\n' > /run/systemd/netif/links/$(cat /sys/class/net/lan0/ifindex)");
    assert_eq!(runs(&both), Networking::Networkd);
    // What networkd left there when it was stopped says nothing.
    assert_eq!(runs(&["NetworkManager"]), Networking::NetworkManager);
    assert_eq!(runs(&["systemd-networkd"]), Networking::Networkd);
    assert_eq!(runs(&[]), Networking::None);
}
