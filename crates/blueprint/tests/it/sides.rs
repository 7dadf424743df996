//! The router's interfaces, disks, neighbors: which resources come of which machine.

use crate::setup::{Setup, container, load};
use bramble_machine::{Facts, Networking, Observation};
use bramble_secret::Secret;

fn router(section: &str, machine: &str) -> Setup {
    Setup::new(load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  network: {{ lan: 10.7.0.0/24, lldp: true }}\n  router: {{ {section} }}\n  machines:\n    - {{ name: gate, roles: [router], address: 192.168.1.2, {machine} }}\n    - {{ name: one, roles: [control-plane], address: 10.7.0.11 }}\n"
    )))
}

fn by(networking: Networking) -> Facts {
    Facts {
        networking,
        ..Facts::default()
    }
}

/// With a radio outside and one card inside.
fn radio(networking: Networking) -> Facts {
    Facts {
        ethernet: vec!["eth0".into()],
        ..by(networking)
    }
}

const WIFI: &str = "uplink: { wifi: { ssid: home, passwordFile: p, country: DE } }";

#[test]
fn each_manager_gets_what_it_needs_for_a_wireless_uplink() {
    let ids = |networking| {
        router(WIFI, "")
            .on_all(&radio(networking))
            .ids("gate", "router/network")
    };
    let end = ["interface:uplink", "interface:lan"];
    let with = |first: &[&'static str]| [first, &end[..]].concat();
    let supplicant = [
        "directory:/etc/systemd/system/wpa_supplicant@wlan0.service.d",
        "file:/etc/wpa_supplicant/wpa_supplicant-wlan0.conf",
        "file:/etc/systemd/system/wpa_supplicant@wlan0.service.d/bramble.conf",
        "service:wpa_supplicant@wlan0.service",
    ];
    let networkd = [&["service:systemd-networkd.service"][..], &supplicant].concat();
    assert_eq!(ids(Networking::Networkd), with(&networkd));
    assert_eq!(ids(Networking::None), with(&networkd));
    assert_eq!(ids(Networking::Dhcpcd), with(&supplicant));
    assert_eq!(ids(Networking::Ifupdown), with(&supplicant[1..2]));
    let country = ["file:/etc/modprobe.d/bramble-wifi.conf"];
    assert_eq!(ids(Networking::NetworkManager), with(&country));
}

/// The first look is made without knowing who configures the interfaces; it asks for all that matters.
#[test]
fn the_first_look_asks_for_what_any_manager_has() {
    let asked = |networking| -> Vec<_> {
        let setup = router(WIFI, "").on_all(&radio(networking));
        let nothing = Observation::default();
        let all = setup.step("gate", "router/network");
        let find = all.iter().filter(|r| r.id().starts_with("interface:"));
        find.flat_map(|r| r.wants(&nothing)).collect()
    };
    // Before anybody has looked: the cards are a guess.
    let mut unseen = router(WIFI, "");
    unseen.facts.clear();
    let ids = unseen.ids("gate", "router/network");
    assert!(ids.contains(&"interface:lan".to_owned()), "{ids:?}");
    let first = asked(Networking::Networkd);
    for other in [
        Networking::NetworkManager,
        Networking::Ifupdown,
        Networking::Dhcpcd,
        Networking::None,
    ] {
        let more: Vec<_> = asked(other)
            .into_iter()
            .filter(|q| !first.contains(q))
            .collect();
        assert!(more.is_empty(), "{other:?}: {more:?}");
    }
}

#[test]
fn an_uplink_that_is_kept_is_left_alone() {
    let setup = router("", "").on_all(&by(Networking::NetworkManager));
    assert_eq!(setup.ids("gate", "router/network"), ["interface:lan"]);
    assert!(setup.ids("one", "router/network").is_empty());
}

/// Before the firewall is up, nothing goes from one side to the other.
#[test]
fn packets_are_handed_on_once_the_firewall_is_up() {
    let setup = router("", "");
    let ids = setup.ids("gate", "router/firewall");
    let place = |id: &str| ids.iter().position(|i| i.starts_with(id));
    let (rules, forwarding) = (place("nft-table:"), place("sysctl:router"));
    assert!(rules.is_some() && rules < forwarding, "{ids:?}");
}

/// A machine that is router and node has each kernel parameter in one place alone.
#[test]
fn no_parameter_is_set_in_two_places() {
    let both = Setup::new(load(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  network: { lan: 10.7.0.0/24, lan6: 'fd00:7::/64' }\n  machines:\n    - { name: gate, roles: [router, control-plane], address: 10.7.0.1 }\n",
    ));
    let text: String = ["base/system", "router/firewall"]
        .iter()
        .flat_map(|step| both.step("gate", step))
        .filter(|r| r.id().starts_with("sysctl:"))
        .map(|r| format!("{r:?}"))
        .collect();
    assert_eq!(text.matches("\"net.ipv4.ip_forward\"").count(), 1, "{text}");
    assert_eq!(
        text.matches("\"net.ipv6.conf.all.forwarding\"").count(),
        1,
        "{text}"
    );
}

#[test]
fn a_password_that_can_not_be_one_is_said_before_anything_changes() {
    let mut setup = router(WIFI, "").on_all(&radio(Networking::Networkd));
    for (password, fault) in [("short", "5 characters"), ("pässwörter", "not printable")] {
        setup.secrets.insert("p".into(), Secret::new(password));
        let found = setup.step("gate", "router/network");
        let errors = found
            .iter()
            .filter_map(|r| r.plan(&Observation::default()).err());
        let said: String = errors.map(|e| e.to_string()).collect();
        assert!(said.contains(fault) && !said.contains(password), "{said}");
    }
    setup.secrets.insert("p".into(), Secret::new("long enough"));
    let ids = setup.ids("gate", "router/network");
    assert!(!ids.iter().any(|id| id.starts_with("obstacle:")), "{ids:?}");
}

#[test]
fn sides_that_can_not_be_told_are_obstacles() {
    let mut facts = Facts::default();
    facts.ethernet.push("eth2".into());
    let ids = router("", "").on_all(&facts).ids("gate", "router/network");
    assert!(ids.contains(&"obstacle:lan".to_owned()), "{ids:?}");
}

#[test]
fn disks_are_formatted_before_they_are_mounted() {
    let disks = "disks: [ { id: usb-A_1-0:0, at: /srv/a }, { id: usb-B_2-0:0, at: /srv/b, filesystem: xfs } ]";
    let setup = router("", disks);
    assert_eq!(
        setup.ids("gate", "base/disks"),
        [
            "packages:disks",
            "filesystem:/dev/disk/by-id/usb-A_1-0:0",
            "mount:/srv/a",
            "filesystem:/dev/disk/by-id/usb-B_2-0:0",
            "mount:/srv/b",
        ]
    );
    assert!(setup.ids("one", "base/disks").is_empty());
}

#[test]
fn machines_that_are_no_containers_tell_their_neighbors_who_they_are() {
    let setup = router("", "");
    assert_eq!(
        setup.ids("one", "base/neighbors"),
        [
            "packages:neighbors",
            "file:/etc/lldpd.d/bramble.conf",
            "service:lldpd.service",
        ]
    );
    let conf = format!("{:?}", setup.step("one", "base/neighbors")[1]);
    assert!(conf.contains("configure system hostname one\\n"), "{conf}");
    let contained = router("", "").on_all(&container());
    assert!(contained.ids("one", "base/neighbors").is_empty());
}
