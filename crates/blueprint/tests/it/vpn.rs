//! The VPN: what the router's services and its users' clients are given, and that no plan shows a key.

use crate::setup::{Setup, example, load, skip};
use bramble_blueprint::vpn::{Numbers, OpenVpnKeys, WireGuardKeys, openvpn, wireguard};
use bramble_blueprint::{UserKeys, VpnKeys};
use bramble_keys::{Pair, WireGuard};
use bramble_machine::{Facts, Observation};
use bramble_secret::Secret;
use bramble_spec::cluster::Vpn;
use std::process::Command;

const STEP: &str = "router/vpn";
const WIREGUARD: &str = "/usr/local/sbin/bramble-wireguard";
const OPENVPN: &str = "/usr/local/sbin/bramble-openvpn";
const CONFIG: &str = "/etc/bramble/openvpn.conf";

/// Keys that tell whose they are.
pub fn keys(vpn: &Vpn) -> VpnKeys {
    let own = |of: &str| WireGuard {
        private: secret(&format!("wireguard of {of}")),
        public: format!("public of {of}"),
    };
    let pair = |of: &str| Pair {
        certificate: format!("certificate of {of}\n"),
        key: secret(&format!("openvpn of {of}")),
    };
    let user = |user: &String| {
        let keys = UserKeys {
            wireguard: own(user),
            preshared: secret(&format!("preshared of {user}")),
            client: pair(user),
        };
        (user.clone(), keys)
    };
    VpnKeys {
        wireguard: own("router"),
        server: pair("router"),
        tls_crypt: secret("tls-crypt of all"),
        users: vpn.users.iter().map(user).collect(),
    }
}

fn secret(of: &str) -> Secret {
    Secret::new(format!("hunter2 {of}"))
}

/// A router with this VPN and a control plane behind it.
fn with(vpn: &str) -> Setup {
    Setup::new(load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  network: {{ lan: 10.77.0.0/24 }}\n  router:\n    vpn: {vpn}\n  machines:\n    - {{ name: gate, roles: [router], address: 192.168.1.100 }}\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n"
    )))
}

#[test]
fn wireguards_program() {
    let setup = Setup::new(example("full.yaml"));
    insta::assert_snapshot!(setup.text("gate", STEP, WIREGUARD).expect("a program"));
}

#[test]
fn openvpns_program() {
    let setup = Setup::new(example("full.yaml"));
    insta::assert_snapshot!(setup.text("gate", STEP, OPENVPN).expect("a program"));
}

#[test]
fn openvpns_configuration() {
    let setup = Setup::new(example("full.yaml"));
    insta::assert_snapshot!(setup.text("gate", STEP, CONFIG).expect("a file"));
}

#[test]
fn profiles() {
    let cluster = example("full.yaml");
    let numbers = Numbers::parse("ben 2\nanna 17\n");
    let keys = WireGuardKeys {
        server: "PUBLIC".into(),
        private: secret("private"),
        preshared: secret("preshared"),
    };
    let first = wireguard(&cluster, "anna", &numbers, &keys).expect("a profile");
    assert_eq!(first.address.to_string(), "10.8.0.17");
    let keys = OpenVpnKeys {
        server: "SERVER\n".into(),
        certificate: "CERTIFICATE\n".into(),
        key: secret("key"),
        tls_crypt: secret("tls-crypt"),
    };
    let second = openvpn(&cluster, "ben", &numbers, &keys).expect("a profile");
    assert_eq!(second.address.to_string(), "10.9.0.2");
    assert!(openvpn(&cluster, "carl", &numbers, &keys).is_none());
    insta::assert_snapshot!(format!(
        "{}---\n{}",
        first.text.expose(),
        second.text.expose()
    ));
}

/// The shell has nothing against the programs, which run on the router without Bramble.
#[test]
fn programs_are_sound() {
    let setup = Setup::new(example("full.yaml"));
    if Command::new("shellcheck").arg("-V").output().is_err() {
        return skip("shellcheck is absent");
    }
    let dir = tempfile::tempdir().expect("a folder");
    for (name, path) in [("wireguard", WIREGUARD), ("openvpn", OPENVPN)] {
        let text = setup.text("gate", STEP, path).expect("a program");
        let file = dir.path().join(name);
        std::fs::write(&file, &text).expect("written");
        // SC2034: the part that both have names what one of them does not use.
        let out = Command::new("shellcheck")
            .args(["-s", "sh", "-e", "SC2034"])
            .arg(&file)
            .output()
            .expect("shellcheck");
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{said}\n{text}");
    }
}

/// Nothing that a plan, an event or the machine's journal shows holds a key; the program that is sent
/// does.
#[test]
fn keys_are_shown_nowhere() {
    let setup = Setup::new(example("full.yaml"));
    let mut sent = 0;
    for resource in setup.step("gate", STEP) {
        let change = resource.plan(&Observation::default());
        let change = change.expect("a plan").expect("a change");
        let undo = format!("{:?}{}", change.undo, change.undo.script().as_str());
        let shown = format!("{resource:?}{change:?}{undo}");
        assert!(!shown.contains("hunter2"), "{}: {shown}", resource.id());
        sent += change.apply.as_str().matches("hunter2").count();
    }
    // Router: WireGuard, OpenVPN, tls-crypt. Two users: WireGuard twice, OpenVPN.
    assert_eq!(sent, 3 + 2 * 3);
}

/// Only what the file has is on the machine.
#[test]
fn each_protocol_is_there_alone() {
    let ids = |vpn: &str| with(vpn).ids("gate", STEP).join(" ");
    let first = ids("{ users: [anna] }");
    assert!(
        first.contains("wireguard") && !first.contains("openvpn"),
        "{first}"
    );
    let second = ids("{ users: [], openvpn: {} }");
    assert!(
        !second.contains("wireguard") && second.contains("openvpn"),
        "{second}"
    );

    let tcp = with("{ users: [], openvpn: { protocol: tcp, port: 443 } }");
    let config = tcp.text("gate", STEP, CONFIG).expect("a file");
    assert!(
        config.contains("port 443") && !config.contains("explicit-exit-notify"),
        "{config}"
    );
    let program = tcp.text("gate", STEP, OPENVPN).expect("a program");
    assert!(program.contains("protocol6=tcp6-server\n"), "{program}");
}

/// Where the kernel has no WireGuard, a program does its work.
#[test]
fn a_kernel_without_wireguard_is_helped() {
    let unit = "/etc/systemd/system/bramble-wireguard.service";
    let usual = with("{ users: [anna] }");
    let text = usual.text("gate", STEP, unit).expect("a unit");
    assert!(
        text.contains("bramble-wireguard up") && !text.contains("wireguard-go"),
        "{text}"
    );
    let packages = |setup: &Setup| setup.program("gate", "router/packages", "packages:router");
    assert!(!packages(&usual).contains("wireguard-go"));
    let without = with("{ users: [anna] }").on_all(&Facts {
        wireguard: false,
        ..Facts::default()
    });
    let text = without.text("gate", STEP, unit).expect("a unit");
    assert!(
        text.contains("wireguard-go --foreground wg-bramble"),
        "{text}"
    );
    assert!(packages(&without).contains(" wireguard-go"));
}

/// What the router wrote down holds.
#[test]
fn addresses_are_those_of_the_router() {
    let mut setup = with("{ users: [ben, anna] }");
    let text = |setup: &Setup| setup.text("gate", STEP, Numbers::PATH).expect("a file");
    assert_eq!(text(&setup), "ben 2\nanna 3\n");
    let public = &mut setup.facts.get_mut("gate").expect("the router").public;
    public.insert(Numbers::FACT.into(), "anna 2\ncarl 3\n".into());
    assert_eq!(text(&setup), "anna 2\nben 3\n");
}

/// Without keys nothing is planned, rather than empty ones made.
#[test]
fn no_keys_no_plan() {
    let mut setup = with("{ users: [anna] }");
    setup.fresh.vpn = None;
    let found = setup.obstacles("gate");
    assert!(
        found.iter().any(|o| o.contains("no VPN keys were made")),
        "{found:?}"
    );
}
