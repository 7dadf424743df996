//! What a file with a router means: defaults, ways in, addresses, and unusual files that are right.

use bramble_spec::cluster::{DdnsSource, Jump, Ports, Role, Router, Transport, UplinkAddress};
use bramble_spec::{Cluster, load};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

const GATE: &str = "  - {name: gate, roles: [router], address: 192.168.1.100}\n";
const ONE: &str = "  - {name: one, roles: [control-plane], address: 10.77.0.11}\n";

fn text(lan: &str, section: &str, machines: &str) -> String {
    format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: lab}}\nspec:\n  network: {{lan: {lan}}}\n  router: {section}\n  machines:\n{machines}"
    )
}

fn cluster(lan: &str, section: &str, machines: &str) -> Cluster {
    let text = text(lan, section, machines);
    load("f", &text).unwrap_or_else(|p| panic!("{p}\n{text}"))
}

/// A router with a section, and one machine behind it.
fn router(section: &str) -> Router {
    let cluster = cluster("10.77.0.0/24", section, &format!("{GATE}{ONE}"));
    cluster.router.unwrap()
}

fn pool(lan: &str, section: &str, machines: &str) -> String {
    let found = cluster(lan, section, machines).router.unwrap().dhcp.pool;
    found.map_or("none".to_owned(), |(first, last)| format!("{first}-{last}"))
}

#[test]
fn a_role_is_enough() {
    let file = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {name: lab}\nspec:\n  network: {lan: 10.77.0.0/24}\n  machines:\n";
    let cluster = load("f", &format!("{file}{GATE}{ONE}")).unwrap_or_else(|p| panic!("{p}"));
    let router = cluster.router.as_ref().unwrap();
    assert_eq!(router.machine, "gate");
    assert_eq!(router.address.to_string(), "10.77.0.1/24");
    assert_eq!(router.address6, None);
    assert_eq!(router.interface, None);
    assert_eq!(router.uplink.interface, None);
    assert_eq!(router.uplink.address, UplinkAddress::Kept);
    assert_eq!(router.dhcp.lease, 43200);
    assert_eq!(
        router.dhcp.pool,
        Some((Ipv4Addr::new(10, 77, 0, 192), Ipv4Addr::new(10, 77, 0, 250)))
    );
    let ssh = Ports {
        transport: Transport::Tcp,
        first: 22,
        last: 22,
    };
    assert_eq!(router.firewall.open, [ssh]);
    assert!(router.firewall.trusted.is_empty() && router.firewall.forwards.is_empty());
    assert!(router.vpn.is_none() && router.registry.is_none() && router.ingress.is_none());
    let gate = cluster.machine("gate").unwrap();
    assert_eq!(gate.address.to_string(), "10.77.0.1");
    assert_eq!(gate.management.as_deref(), Some("192.168.1.100"));
    assert_eq!(gate.pod_range, None);
}

/// How each machine is reached: its own address or name, and the machine on the way.
fn ways(machines: &str) -> Vec<String> {
    let cluster = cluster("10.77.0.0/24", "{}", machines);
    let machines = cluster.machines.iter().map(|m| {
        let at = m.management.clone().unwrap_or(m.address.to_string());
        match &m.ssh.jump {
            None => format!("{} {at}", m.name),
            Some(Jump::Machine(name)) => format!("{} {at} through {name}", m.name),
            Some(Jump::Host { host, .. }) => format!("{} {at} through {host}", m.name),
        }
    });
    machines.collect()
}

#[test]
fn machines_behind_the_router_are_reached_through_it_where_that_is_outside() {
    assert_eq!(
        ways(&format!("{GATE}{ONE}")),
        ["gate 192.168.1.100", "one 10.77.0.11 through gate"]
    );
    // Its place in the file doesn't count.
    assert_eq!(
        ways(&format!("{ONE}{GATE}")),
        ["one 10.77.0.11 through gate", "gate 192.168.1.100"]
    );
    let named = "  - {name: gate, roles: [router], management: gate.example}\n";
    assert_eq!(
        ways(&format!("{named}{ONE}")),
        ["gate gate.example", "one 10.77.0.11 through gate"]
    );
    // Whoever is in the LAN needs nobody to jump through.
    let inside = GATE.replace("192.168.1.100", "10.77.0.7");
    assert_eq!(
        ways(&format!("{inside}{ONE}")),
        ["gate 10.77.0.7", "one 10.77.0.11"]
    );
    let inside = "  - {name: gate, roles: [router], management: 10.77.0.1}\n";
    assert_eq!(
        ways(&format!("{inside}{ONE}")),
        ["gate 10.77.0.1", "one 10.77.0.11"]
    );
    // What a machine says comes first.
    let others = "  - {name: two, address: 10.77.0.12, management: two.example}\n  - {name: three, address: 10.77.0.13, ssh: {jump: anna@bastion.example}}\n";
    assert_eq!(
        ways(&format!("{GATE}{ONE}{others}"))[2..],
        [
            "two two.example",
            "three 10.77.0.13 through bastion.example"
        ]
    );
}

#[test]
fn a_router_may_be_a_node_too() {
    let both = "  - {name: gate, roles: [router, control-plane], address: 192.168.1.100}\n  - {name: two, mac: \"b8:27:eb:00:00:02\"}\n";
    let cluster = cluster(
        "10.77.0.0/24",
        "{lan: {address: 10.77.0.7}, ingress: {http: 30080}}",
        both,
    );
    let gate = cluster.machine("gate").unwrap();
    assert!(gate.is(Role::ControlPlane) && gate.is_node());
    assert_eq!(gate.address.to_string(), "10.77.0.7");
    assert_eq!(gate.management.as_deref(), Some("192.168.1.100"));
    assert_eq!(gate.pod_range.unwrap().to_string(), "10.244.7.0/24");
    let two = cluster.machine("two").unwrap();
    assert_eq!(two.address.to_string(), "10.77.0.101");
    assert_eq!(two.ssh.jump, Some(Jump::Machine("gate".into())));
    let backends = cluster.router.unwrap().ingress.unwrap().backends;
    assert_eq!(
        backends,
        [Ipv4Addr::new(10, 77, 0, 7), Ipv4Addr::new(10, 77, 0, 101)]
    );
}

#[test]
fn a_pool_by_plan_keeps_clear_of_every_address_that_the_file_names() {
    let two = |address: &str| format!("{GATE}{ONE}  - {{name: two, address: {address}}}\n");
    let lan = "10.77.0.0/24";
    let none = "{}";
    assert_eq!(
        pool(lan, none, &two("10.77.0.12")),
        "10.77.0.192-10.77.0.250"
    );
    assert_eq!(
        pool(lan, none, &two("10.77.0.200")),
        "10.77.0.201-10.77.0.250"
    );
    assert_eq!(
        pool(lan, none, &two("10.77.0.240")),
        "10.77.0.192-10.77.0.239"
    );
    assert_eq!(
        pool(lan, none, &two("10.77.0.221")),
        "10.77.0.222-10.77.0.250"
    );
    let gate = GATE.replace("192.168.1.100", "10.77.0.192");
    assert_eq!(
        pool(lan, none, &format!("{gate}{ONE}")),
        "10.77.0.193-10.77.0.250"
    );
    let machines = format!("{GATE}{ONE}");
    for section in [
        "{dhcp: {reservations: [{mac: \"b8:27:eb:00:00:99\", address: 10.77.0.200}]}}",
        "{ingress: {address: 10.77.0.200}}",
        "{dns: {records: [{name: \"*.apps\", address: 10.77.0.200}]}}",
        "{firewall: {forwards: [{port: tcp/8022, to: 10.77.0.200, toPort: 22}]}}",
    ] {
        assert_eq!(
            pool(lan, section, &machines),
            "10.77.0.201-10.77.0.250",
            "{section}"
        );
    }
    assert_eq!(pool(lan, "{dhcp: {pool: none}}", &machines), "none");
    assert_eq!(
        pool(lan, "{dhcp: {pool: 10.77.0.20 - 10.77.0.30}}", &machines),
        "10.77.0.20-10.77.0.30"
    );
}

#[test]
fn lans_of_every_size_can_be_served() {
    let behind = "  - {name: one, roles: [control-plane], mac: \"b8:27:eb:00:00:01\", podRange: 10.244.1.0/24}\n";
    for (lan, router, one, lent) in [
        (
            "10.77.0.8/29",
            "10.77.0.9",
            "10.77.0.12",
            "10.77.0.14-10.77.0.14",
        ),
        (
            "10.77.0.16/28",
            "10.77.0.17",
            "10.77.0.24",
            "10.77.0.28-10.77.0.30",
        ),
        (
            "10.77.0.64/26",
            "10.77.0.65",
            "10.77.0.96",
            "10.77.0.112-10.77.0.122",
        ),
        (
            "10.77.0.0/22",
            "10.77.0.1",
            "10.77.0.101",
            "10.77.3.0-10.77.3.250",
        ),
        (
            "172.16.0.0/12",
            "172.16.0.1",
            "172.16.0.101",
            "172.31.252.19-172.31.255.250",
        ),
    ] {
        let machines = format!("{GATE}{behind}");
        let found = cluster(lan, "{}", &machines);
        let address = |name| found.machine(name).unwrap().address.to_string();
        assert_eq!(
            (address("gate"), address("one")),
            (router.into(), one.into())
        );
        assert_eq!(pool(lan, "{}", &machines), lent);
    }
    let full = "  - {name: gate, roles: [router], address: 10.77.0.9}\n  - {name: one, roles: [control-plane], address: 10.77.0.14}\n";
    assert_eq!(pool("10.77.0.8/29", "{}", full), "none", "nothing is left");
    // The largest private LAN; pods need ranges by hand there.
    let large = behind.replace("10.244.1.0/24", "172.20.1.0/24");
    let file = text("10.0.0.0/8", "{}", &format!("{GATE}{large}"));
    let file = file.replace(
        "spec:\n",
        "spec:\n  kubernetes: {podRange: 172.20.0.0/16, serviceRange: 172.21.0.0/16}\n",
    );
    let found = load("f", &file).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(
        found.router.unwrap().dhcp.pool,
        Some((
            Ipv4Addr::new(10, 255, 252, 19),
            Ipv4Addr::new(10, 255, 255, 250)
        ))
    );
}

#[test]
fn what_is_given_to_others_is_given_to_no_machine() {
    let machines = format!(
        "{GATE}{ONE}  - {{name: a, mac: \"b8:27:eb:00:00:0a\"}}\n  - {{name: b, mac: \"b8:27:eb:00:00:0b\"}}\n"
    );
    let section = "{dhcp: {reservations: [{mac: \"b8:27:eb:00:00:99\", address: 10.77.0.101}]}, ingress: {address: 10.77.0.103}}";
    let found = cluster("10.77.0.0/24", section, &machines);
    let address = |name| found.machine(name).unwrap().address.to_string();
    assert_eq!(
        (address("a"), address("b")),
        ("10.77.0.102".into(), "10.77.0.104".into())
    );
    // A name or a forward may stand for a machine's address by plan, so they move nobody.
    let section = "{dns: {records: [{name: shop, address: 10.77.0.101}]}, firewall: {forwards: [{port: tcp/8080, to: 10.77.0.102}]}}";
    let found = cluster("10.77.0.0/24", section, &machines);
    let address = |name| found.machine(name).unwrap().address.to_string();
    assert_eq!(
        (address("a"), address("b")),
        ("10.77.0.101".into(), "10.77.0.102".into())
    );
}

#[test]
fn a_device_more_in_the_pool_moves_no_machine() {
    // So many machines that some come after the addresses for unknown devices.
    let many: String = (0..93)
        .map(|i| format!("  - {{name: m{i}, mac: \"b8:27:eb:00:01:{i:02x}\"}}\n"))
        .collect();
    let addresses = |more: &str| {
        let found = cluster("10.77.0.0/24", "{}", &format!("{GATE}{ONE}{many}{more}"));
        let known = found.machines.iter().filter(|m| m.name.starts_with('m'));
        known.map(|m| m.address).collect::<Vec<_>>()
    };
    let before = addresses("");
    assert_eq!(before[90].to_string(), "10.77.0.191");
    assert_eq!(before[91].to_string(), "10.77.0.251");
    assert_eq!(
        before,
        addresses("  - {name: fixed, address: 10.77.0.220}\n")
    );
}

#[test]
fn forwards_lead_to_machines_and_addresses() {
    let machines = format!("{GATE}{ONE}  - {{name: two, mac: \"b8:27:eb:00:00:02\"}}\n");
    let section = "{firewall: {forwards: [{port: tcp/6443, to: one}, {port: udp/6443, to: two, toPort: 53}, {port: tcp/8022, to: 10.77.0.30}]}}";
    let found = cluster("10.77.0.0/24", section, &machines).router.unwrap();
    let forwards: Vec<String> = found
        .firewall
        .forwards
        .iter()
        .map(|f| format!("{}/{} {}:{}", f.transport.as_str(), f.port, f.to, f.to_port))
        .collect();
    assert_eq!(
        forwards,
        [
            "tcp/6443 10.77.0.11:6443",
            "udp/6443 10.77.0.101:53",
            "tcp/8022 10.77.0.30:8022"
        ]
    );
}

#[test]
fn the_vpn_is_wireguard_unless_the_file_says_otherwise() {
    let vpn = router("{vpn: {users: [anna]}}").vpn.unwrap();
    let tunnel = vpn.wireguard.unwrap();
    assert_eq!((vpn.host.as_str(), vpn.openvpn), ("192.168.1.100", None));
    assert_eq!(
        (tunnel.port, tunnel.range.to_string()),
        (51820, "10.8.0.0/24".into())
    );
    assert_eq!(tunnel.router().to_string(), "10.8.0.1");
    let vpn = router("{vpn: {users: [], openvpn: {protocol: tcp, port: 443}}}")
        .vpn
        .unwrap();
    let tunnel = vpn.openvpn.unwrap();
    assert!(vpn.wireguard.is_none() && vpn.users.is_empty());
    assert_eq!((tunnel.port, tunnel.transport), (443, Transport::Tcp));
    let section =
        "{vpn: {users: [a]}, ddns: {name: home.example.org, zone: example.org, tokenFile: t}}";
    assert_eq!(router(section).vpn.unwrap().host, "home.example.org");
    let section = "{vpn: {users: [a], host: vpn.example.org}, ddns: {name: home.example.org, zone: example.org, tokenFile: t}}";
    assert_eq!(router(section).vpn.unwrap().host, "vpn.example.org");
    // Six addresses are enough for five clients.
    let users = "a, b, c, d, e";
    let section = format!("{{vpn: {{users: [{users}], wireguard: {{range: 10.8.0.0/29}}}}}}");
    assert_eq!(router(&section).vpn.unwrap().users.len(), 5);
}

#[test]
fn services_have_defaults() {
    let section = "{ddns: {name: example.org, zone: example.org, tokenFile: t}, registry: {mirrors: [{host: docker.io}, {host: \"registry.example:5000\"}]}, ingress: {address: 10.77.0.40}}";
    let found = router(section);
    let ddns = found.ddns.unwrap();
    assert_eq!((ddns.source, ddns.every), (DdnsSource::Auto, 300));
    assert_eq!(ddns.api, "https://api.cloudflare.com/client/v4");
    let registry = found.registry.unwrap();
    assert_eq!(registry.dir, "/var/lib/bramble-registry");
    let mirrors: Vec<_> = registry
        .mirrors
        .iter()
        .map(|m| (m.url.as_str(), m.port))
        .collect();
    assert_eq!(
        mirrors,
        [
            ("https://registry-1.docker.io", 5010),
            ("https://registry.example:5000", 5011)
        ]
    );
    let ingress = found.ingress.unwrap();
    assert_eq!((ingress.http, ingress.https), (Some(80), Some(443)));
    assert_eq!(ingress.backends, [Ipv4Addr::new(10, 77, 0, 40)]);
    let ingress = router("{ingress: {https: 30443}}").ingress.unwrap();
    assert_eq!((ingress.http, ingress.https), (None, Some(30443)));
    assert_eq!(ingress.backends, [Ipv4Addr::new(10, 77, 0, 11)]);
}

#[test]
fn unusual_files_that_are_right() {
    for section in [
        // A port that something else opens anyway.
        "{firewall: {open: [ssh, udp/51820, tcp/80]}, vpn: {users: []}, ingress: {http: 30080}}",
        // Nobody outside needs SSH where the workstation is trusted.
        "{firewall: {open: [], trusted: [192.168.1.0/24, 203.0.113.7]}}",
        // What listens at the side of the LAN can be forwarded from outside.
        "{registry: {}, firewall: {forwards: [{port: udp/53, to: one}, {port: tcp/5001, to: one}]}}",
        // Several addresses of a name; both families; below a machine's name.
        "{dns: {records: [{name: db, address: 10.77.0.40}, {name: db, address: 10.77.0.41}, {name: one, address: \"fd00:77::11\"}, {name: \"*.one\", address: 10.77.0.11}, {name: registry, address: 10.77.0.42}]}}",
        "{uplink: {address: 192.168.1.100/24, gateway: none}}",
        "{uplink: {address: 198.51.100.7/31, gateway: 198.51.100.6}}",
        "{uplink: eth0.10, lan: {interface: eth0.20}}",
        "{uplink: {}, lan: {}, dhcp: {}, dns: {}, firewall: {}, registry: {}}",
    ] {
        router(section);
    }
    // A plug-in of the operator's own doesn't mind a router; neither does a large LAN with it.
    let file =
        text("10.77.0.0/16", "{}", &format!("{GATE}{ONE}")) + "  podNetwork: {plugin: none}\n";
    assert!(load("f", &file).is_ok());
    let six = text(
        "10.77.0.0/24, lan6: \"fd00:77::/64\"",
        "{}",
        &format!("{GATE}{ONE}"),
    );
    let found = load("f", &six)
        .unwrap_or_else(|p| panic!("{p}"))
        .router
        .unwrap();
    assert_eq!(found.address6.unwrap().to_string(), "fd00:77::1/64");
}

#[test]
fn disks_inside_each_other_come_in_their_order() {
    let machine = "  - name: one\n    roles: [control-plane]\n    address: 10.77.0.11\n    disks:\n      - {id: inner, at: /srv/data/registry, filesystem: xfs}\n      - {id: /dev/disk/by-path/pci-0000:00:1f.2-ata-1, at: /srv/data/, wipe: true}\n      - {id: /dev/disk/by-uuid/0a1b-2c3d, at: /var/lib/containerd}\n";
    let found = cluster("10.77.0.0/24", "{}", &format!("{GATE}{machine}"));
    let disks: Vec<_> = found.machine("one").unwrap().disks.iter().collect();
    let shown: Vec<String> = disks
        .iter()
        .map(|d| format!("{} {} {} {}", d.at, d.device, d.filesystem.as_str(), d.wipe))
        .collect();
    assert_eq!(
        shown,
        [
            "/srv/data /dev/disk/by-path/pci-0000:00:1f.2-ata-1 ext4 true",
            "/srv/data/registry /dev/disk/by-id/inner xfs false",
            "/var/lib/containerd /dev/disk/by-uuid/0a1b-2c3d ext4 false"
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the file gives to whom: nobody else has it, and nobody's address is lent.
    #[test]
    fn an_address_has_one_owner(
        prefix in 22u8..=29,
        own in any::<Option<u32>>(),
        written in proptest::collection::btree_set(any::<u32>(), 0..6),
        reserved in proptest::collection::btree_set(any::<u32>(), 0..6),
        planned in 0usize..8,
    ) {
        let size = 1u32 << (32 - prefix);
        let address = |n: &u32| Ipv4Addr::from(0x0a4d_0000 + 1 + n % (size - 2));
        let mut machines = match own {
            Some(n) => format!("  - {{name: gate, roles: [router], address: {}}}\n", address(&n)),
            None => GATE.to_owned(),
        };
        for (i, n) in written.iter().enumerate() {
            machines += &format!("  - {{name: w{i}, address: {}}}\n", address(n));
        }
        machines += "  - {name: one, roles: [control-plane], mac: \"b8:27:eb:00:00:01\"}\n";
        for i in 0..planned {
            machines += &format!("  - {{name: p{i}, mac: \"b8:27:eb:00:01:{i:02x}\"}}\n");
        }
        let reservations: Vec<String> = reserved
            .iter()
            .enumerate()
            .map(|(i, n)| format!("{{mac: \"b8:27:eb:00:02:{i:02x}\", address: {}}}", address(n)))
            .collect();
        let section = format!("{{dhcp: {{reservations: [{}]}}}}", reservations.join(", "));
        let file = text(&format!("10.77.0.0/{prefix}"), &section, &machines);
        match load("f", &file) {
            Ok(cluster) => {
                let router = cluster.router.unwrap();
                let machines = cluster.machines.iter().map(|m| m.address);
                let reserved = router.dhcp.reservations.iter().map(|r| IpAddr::V4(r.address));
                let mut all: Vec<IpAddr> = machines.chain(reserved).collect();
                for address in &all {
                    let IpAddr::V4(v4) = address else { panic!("{address}") };
                    prop_assert!(router.lan().hosts().any(|h| h == *v4));
                    let lent = router.dhcp.pool.is_some_and(|(a, b)| (a..=b).contains(v4));
                    prop_assert!(!lent, "{address}\n{file}");
                }
                if let Some((first, last)) = router.dhcp.pool {
                    prop_assert!(first <= last && router.lan().contains(&first) && router.lan().contains(&last));
                }
                all.sort();
                prop_assert!(all.windows(2).all(|w| w[0] != w[1]), "{file}");
            }
            Err(problems) => for p in problems.list() {
                let expected = ["duplicate-address", "reserved-twice", "router-address-taken", "lan-full", "pod-range-overlap"];
                prop_assert!(expected.contains(&p.code), "{problems}\n{file}");
            },
        }
    }
}
