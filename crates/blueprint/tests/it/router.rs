//! What the router's services are given: packet rules, addresses, names.

use crate::setup::{Setup, debian, example, load, run, skip};
use std::process::Command;

/// A cluster with a router of the name `gate` with these lines in its section.
fn behind(roles: &str, section: &str, spec: &str) -> Setup {
    Setup::new(load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  {spec}\n  router: {{ {section} }}\n  machines:\n    - {{ name: gate, roles: [{roles}], address: 192.168.1.2 }}\n    - {{ name: one, roles: [control-plane], mac: '02:00:00:00:00:01', address: 10.7.0.11 }}\n    - {{ name: two, address: 10.7.0.12 }}\n"
    )))
}

/// Routers that differ.
fn setups() -> Vec<Setup> {
    let lan = "network: { lan: 10.7.0.0/24 }";
    vec![
        Setup::new(example("full.yaml")),
        behind("router", "", lan),
        behind(
            "router, worker",
            "dhcp: { pool: none }, firewall: { open: [], trusted: [192.0.2.0/24] }",
            lan,
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
    let setup = behind("router, worker", "", "network: { lan: 10.7.0.0/24 }");
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
