//! What the router's services are given: packet rules, addresses, names.

use crate::setup::{Setup, container, debian, example, load, run, skip};
use bramble_machine::Facts;
use std::process::Command;

const LAN: &str = "network: { lan: 10.7.0.0/24 }";

/// A cluster with a router of the name `gate` with these lines in its section.
fn behind(roles: &str, section: &str, spec: &str) -> Setup {
    Setup::new(load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  {spec}\n  router: {{ {section} }}\n  machines:\n    - {{ name: gate, roles: [{roles}], address: 192.168.1.2 }}\n    - {{ name: one, roles: [control-plane], mac: '02:00:00:00:00:01', address: 10.7.0.11 }}\n    - {{ name: two, address: 10.7.0.12 }}\n"
    )))
}

/// Routers that differ.
fn setups() -> Vec<Setup> {
    vec![
        Setup::new(example("full.yaml")),
        behind("router", "", LAN),
        behind(
            "router, worker",
            "dhcp: { pool: none }, firewall: { open: [], trusted: [192.0.2.0/24] }",
            LAN,
        ),
        behind(
            "router",
            "firewall: { open: [ssh, tcp/25-40, tcp/41], trusted: [192.168.1.0/24], forwards: [{ port: tcp/6443, to: one }] }, vpn: { host: h.example, users: [anna], openvpn: {} }",
            "network: { lan: 10.7.0.0/22, lan6: '2001:db8:7::/64' }\n  podNetwork: { plugin: routed, masquerade: false }",
        ),
    ]
}

fn rules(setup: &Setup) -> String {
    let text = setup.new_text("gate", "router/firewall", "nft-table:bramble-router");
    text.expect("rules")
}

fn dnsmasq(setup: &Setup) -> String {
    let text = setup.text("gate", "router/dhcp", "/etc/dnsmasq.d/bramble.conf");
    text.expect("a configuration")
}

#[test]
fn rules_of_all_keys() {
    insta::assert_snapshot!(rules(&Setup::new(example("full.yaml"))));
}

#[test]
fn rules_of_a_router_that_is_a_node_as_well() {
    let setup = behind("router, worker", "", LAN);
    insta::assert_snapshot!(rules(&setup));
}

#[test]
fn dnsmasq_of_all_keys() {
    insta::assert_snapshot!(dnsmasq(&Setup::new(example("full.yaml"))));
}

#[test]
fn nftables_reads_the_rules() {
    // Even a check asks the kernel.
    let nft = |args: &[&str]| {
        Command::new("unshare")
            .args(["-n", "nft"])
            .args(args)
            .output()
    };
    if !nft(&["list", "tables"]).is_ok_and(|o| o.status.success()) {
        return skip("nft doesn't run here");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("rules");
    let path = path.to_str().expect("text");
    for setup in setups() {
        let text = rules(&setup);
        std::fs::write(path, &text).expect("written");
        let out = nft(&["-c", "-f", path]).expect("nft");
        assert!(
            out.status.success(),
            "{}\n{text}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn dnsmasq_reads_its_configuration() {
    let Some(program) = debian(
        "usr/sbin/dnsmasq",
        &["dnsmasq-base", "libnetfilter-conntrack3", "libnfnetlink0"],
    ) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("dnsmasq.conf");
    let path = path.to_str().expect("text");
    for setup in setups() {
        let text = dnsmasq(&setup);
        std::fs::write(path, &text).expect("written");
        let out = run(&program, &["--test", "-C", path]);
        assert!(
            out.status.success(),
            "{}\n{text}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

/// A machine whose clock is its own, with a battery or without.
fn board(battery: bool) -> Facts {
    Facts {
        rtc: battery,
        ..Facts::default()
    }
}

fn serving(setup: &Setup) -> String {
    let text = setup.text("gate", "time", "/etc/chrony/conf.d/bramble.conf");
    text.expect("chrony serves")
}

#[test]
fn the_router_tells_the_time_as_far_as_it_knows_it() {
    let section =
        "firewall: { trusted: [192.168.1.0/24] }, vpn: { host: h.example, users: [anna] }";
    let setup = behind("router", section, LAN).on_all(&board(true));
    let text = serving(&setup);
    for net in ["10.7.0.0/24", "192.168.1.0/24", "10.8.0.0/24"] {
        assert!(text.contains(&format!("allow {net}\n")), "{net}: {text}");
    }
    let alone = "local stratum 10\n";
    assert!(text.contains(alone), "{text}");
    // What it says after a power cut is wrong until it has asked others.
    assert!(!serving(&behind("router", "", LAN).on_all(&board(false))).contains(alone));
    // A container's clock is its host's: served, not set.
    let setup = behind("router", "", LAN).on_all(&container());
    assert!(serving(&setup).contains(alone));
    let options = setup.text("gate", "time", "/etc/chrony/bramble.options");
    assert_eq!(options.as_deref(), Some("DAEMON_OPTS='-F 1 -x'\n"));
    assert!(setup.ids("one", "time") == ["action:clock"]);
}

#[test]
fn machines_behind_the_router_ask_it_for_the_time() {
    let sources = |setup: &Setup, machine: &str| {
        setup.text(machine, "time", "/etc/chrony/sources.d/bramble.sources")
    };
    let needs = |setup: &Setup, machine: &str| {
        let machines = setup.blueprint().machines;
        let steps = machines[machine].steps.iter();
        let mut needs = steps.filter(|s| s.name == "time").map(|s| s.needs.clone());
        needs.next().expect("the step")
    };
    let first = ("gate".to_owned(), "time".to_owned());
    let setup = behind("router", "", LAN).on_all(&board(false));
    assert_eq!(
        sources(&setup, "one").as_deref(),
        Some("server 10.7.0.1 iburst\n")
    );
    assert_eq!(sources(&setup, "gate"), None);
    assert!(needs(&setup, "one").contains(&first));
    // The file has the first word; the router is no source of its own.
    let spec = format!("{LAN}\n  time: {{ servers: [10.7.0.1, ntp.example] }}");
    let setup = behind("router", "", &spec).on_all(&board(false));
    let both = "server 10.7.0.1 iburst\nserver ntp.example iburst\n";
    assert_eq!(sources(&setup, "one").as_deref(), Some(both));
    assert_eq!(
        sources(&setup, "gate").as_deref(),
        Some("server ntp.example iburst\n")
    );
    assert!(!needs(&setup, "one").contains(&first));
}

#[test]
fn what_is_open_is_what_the_file_says() {
    let lines = |setup: &Setup| -> Vec<String> {
        let text = rules(setup);
        let open = text.lines().map(str::trim).filter(|l| {
            (l.starts_with("tcp dport") || l.starts_with("udp dport")) && l.ends_with("accept")
        });
        open.map(str::to_owned).collect()
    };
    let [_, plain, nothing, much] = setups().try_into().ok().expect("four");
    assert_eq!(lines(&plain), ["tcp dport { 22 } accept"]);
    assert_eq!(lines(&nothing), [] as [&str; 0]);
    assert_eq!(
        lines(&much),
        [
            "tcp dport { 22, 25-41 } accept",
            "udp dport { 1194 } accept"
        ]
    );
}

#[test]
fn dnsmasq_serves_the_outside_only_to_those_who_are_trusted() {
    let asked = |setup: &Setup| dnsmasq(setup).contains("\ninterface=eth0\n");
    let [_, plain, nothing, much] = setups().try_into().ok().expect("four");
    assert!(!asked(&plain) && asked(&nothing) && asked(&much));
    for setup in [plain, nothing, much] {
        let text = dnsmasq(&setup);
        assert!(text.contains("\nno-dhcp-interface=eth0\n"), "{text}");
    }
}
