//! What to set on the home router.

use crate::common::{Place, err, json, out};

const FILE: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: ceil }
spec:
  network: { lan: 10.77.0.0/23 }
  router:
    uplink: wlan0
    firewall:
      open: [ssh, udp/5000-5010]
      trusted: [192.168.1.0/24]
      forwards: [{ port: tcp/6443, to: one }, { port: tcp/8022, to: 10.77.0.30, toPort: 22 }]
    vpn: { users: [anna], wireguard: {}, openvpn: { port: 443, protocol: tcp } }
    ingress: { http: 30080 }
  machines:
    - { name: gate, roles: [router], address: 192.168.1.100, ssh: { port: 2222 } }
    - { name: one, roles: [control-plane], address: 10.77.0.11 }
";

#[test]
fn the_guide_has_the_real_addresses_and_ports() {
    let place = Place::with(FILE);
    let text = out(&place.bramble("router guide --offline").assert().success());
    for line in [
        "1. DHCP reservation: gate always gets 192.168.1.100",
        "(wlan0)",
        "   10.77.0.0        mask 255.255.254.0    gateway 192.168.1.100  the machines",
        "   10.244.0.0       mask 255.255.0.0      gateway 192.168.1.100  their pods",
        "   udp 51820        to 192.168.1.100, the same port  WireGuard",
        "   tcp 443          to 192.168.1.100, the same port  OpenVPN",
        "   tcp 80           to 192.168.1.100, the same port  HTTP to the cluster",
        "     tcp 6443         to 192.168.1.100, the same port  leads to one, port 6443",
        "     tcp 8022         to 192.168.1.100, the same port  leads to 10.77.0.30, port 22",
        "     tcp 2222         to 192.168.1.100, the same port  open on gate",
        "     udp 5000-5010    to 192.168.1.100, the same port  open on gate",
        "   ask 10.77.0.1 for names that end with ceil.internal",
        // Nobody elsewhere finds a private address.
        "note: VPN profiles name 192.168.1.100, which nobody finds from elsewhere",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("HTTPS"), "{text}");
    let value = json(
        &place
            .bramble("router guide --offline --output json")
            .assert()
            .success(),
    );
    assert_eq!(value["address"], "192.168.1.100");
    assert_eq!(value["routes"][0]["to"], "10.77.0.0/23");
    assert_eq!(value["reservation"]["byDhcp"], true);
    let needed: Vec<u64> = value["portForwards"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["needed"] == true)
        .filter_map(|f| f["port"].as_u64())
        .collect();
    assert_eq!(needed, [51820, 443, 80]);
}

#[test]
fn the_guide_follows_the_file() {
    let guide = |change: &[(&str, &str)]| {
        let text = change.iter().fold(FILE.to_owned(), |t, (a, b)| {
            assert!(t.contains(a), "{a}");
            t.replace(a, b)
        });
        let place = Place::with(&text);
        out(&place.bramble("router guide --offline").assert().success())
    };
    let fixed = guide(&[
        (
            "uplink: wlan0",
            "uplink: { interface: wlan0, address: 192.168.1.99/24, gateway: 192.168.1.1 }",
        ),
        ("address: 192.168.1.100", "address: 192.168.1.99"),
    ]);
    assert!(
        fixed.contains("On your home router (http://192.168.1.1/)"),
        "{fixed}"
    );
    assert!(
        fixed.contains("1. Keep 192.168.1.99 free: gate has it without asking"),
        "{fixed}"
    );
    let ddns = guide(&[(
        "    ingress:",
        "    ddns: { name: home.example.org, zone: example.org, tokenFile: t }\n    ingress:",
    )]);
    assert!(!ddns.contains("note:"), "{ddns}");
    let strangers = guide(&[("      trusted: [192.168.1.0/24]\n", "")]);
    assert!(
        strangers.contains("name the network in `router.firewall.trusted`"),
        "{strangers}"
    );
    let named = guide(&[
        ("address: 192.168.1.100,", "management: gate.local,"),
        ("users: [anna],", "users: [anna], host: vpn.example.org,"),
    ]);
    assert!(
        named.contains("gate always gets gate.local") || named.contains("gateway gate.local"),
        "{named}"
    );
    assert!(
        named.contains("VPN profiles name vpn.example.org: it must lead to the public address"),
        "{named}"
    );
    let own = guide(&[("  machines:", "  podNetwork: { plugin: none }\n  machines:")]);
    assert!(!own.contains("their pods"), "{own}");
}

/// A router that doesn't answer costs the hardware address, not the guide.
#[test]
fn the_guide_needs_no_connection() {
    let port = crate::common::closed_port();
    let text = FILE.replace(
        "ssh: { port: 2222 }",
        &format!("management: 127.0.0.1, ssh: {{ port: {port} }}"),
    );
    let place = Place::with(&text);
    let assert = place
        .bramble("router guide --connect-timeout 2")
        .assert()
        .success();
    assert!(
        err(&assert).contains("gate was not asked"),
        "{}",
        err(&assert)
    );
    assert!(
        out(&assert).contains("bramble ssh gate -- ip link"),
        "{}",
        out(&assert)
    );
}

#[test]
fn without_a_router_there_is_nothing_to_guide() {
    let place = Place::with(crate::common::GOOD);
    for command in ["router guide", "workstation status", "workstation connect"] {
        let assert = place.bramble(command).assert().code(2);
        assert!(
            err(&assert).contains("no machine of bramble.yaml has the role router"),
            "{}",
            err(&assert)
        );
    }
}
