//! An interface's change that nobody confirms, where the role has moved to another card or the machine to
//! another manager: what was there a moment ago counts again.

use crate::cycle::{TIMER, apply, armed, plan, take_back, undo_all};
use crate::interfaces::{NETWORKCTL, NMCLI, addresses, boot, fixed, lan, net, outside, route};
use crate::machine::Machine;
use bramble_machine::kinds::Interface;

const SECOND_CARD: &str = "; ip link add lan1 type veth peer name veth2";
/// The one that comes next counts before networkd and ifupdown, which may run on.
const TO_NETWORKMANAGER: &str = "ln -s 1 /run/systemd/units/invocation:NetworkManager.service";
const TO_IFUPDOWN: &str =
    "rm /run/systemd/units/*; ln -s 1 /run/systemd/units/invocation:networking.service";
const FILES: &str =
    "find /etc/systemd /etc/NetworkManager /etc/network -type f -exec sha256sum {} +";

/// The interfaces by ifupdown, with a file that takes in others.
const INTERFACES: &str =
    "printf 'auto lo\\niface lo inet loopback\\nsource interfaces.d/*\\n' > /etc/network/interfaces
touch -d 2001-01-01 /etc/network/interfaces";

fn machine(prepare: &str) -> Option<Machine> {
    Machine::new(&format!("{TIMER}{prepare}"))
}

fn is_up(m: &Machine, name: &str) -> bool {
    m.hand(&format!("ip link show {name}")).contains(",UP")
}

/// Two addresses, and the next plan sees nothing to do.
fn lan_is_as_it_was(m: &Machine) {
    assert_eq!(addresses(m, "lan0"), "10.7.0.1/24 fd00:7::1/64");
    assert!(is_up(m, "lan0"));
    let change = plan(m, &lan()).expect("a plan");
    assert!(change.is_none(), "{}", change.expect("a change").summary);
}

fn moved() -> Interface {
    Interface::fixed("lan", "lan1", [net("10.7.0.3/24")])
}

#[test]
fn another_card() {
    for (prepare, unit) in [(NETWORKCTL, "systemd-networkd"), (INTERFACES, "networking")] {
        let Some(m) = machine(prepare) else { return };
        m.hand(&(boot(unit) + SECOND_CARD));
        apply(&m, &lan());
        armed(&m, &moved());
        assert_eq!(addresses(&m, "lan0"), "", "by {unit}");
        assert_eq!(addresses(&m, "lan1"), "10.7.0.3/24", "by {unit}");
        take_back(&m);
        lan_is_as_it_was(&m);
        assert_eq!(addresses(&m, "lan1"), "", "by {unit}");
        assert!(!is_up(&m, "lan1"), "by {unit}");
        // The same once more: that the record knows both is no hindrance.
        apply(&m, &moved());
        m.hand("ip address del 10.7.0.3/24 dev lan1");
        apply(&m, &moved());
        assert!(plan(&m, &moved()).expect("a plan").is_none(), "by {unit}");
        armed(&m, &lan());
        assert_eq!(addresses(&m, "lan1"), "", "by {unit}");
        take_back(&m);
        assert_eq!(addresses(&m, "lan1"), "10.7.0.3/24", "by {unit}");
        assert_eq!(addresses(&m, "lan0"), "", "by {unit}");
        undo_all(&m);
        assert_eq!(m.differences(), [] as [String; 0]);
    }
}

#[test]
fn another_manager() {
    for (prepare, unit, to) in [
        (NETWORKCTL, "systemd-networkd", TO_NETWORKMANAGER),
        (INTERFACES, "networking", TO_NETWORKMANAGER),
        (INTERFACES, "NetworkManager", TO_IFUPDOWN),
    ] {
        let Some(m) = machine(&format!("{prepare}\n{NMCLI}")) else {
            return;
        };
        m.hand(&boot(unit));
        apply(&m, &lan());
        let before = m.hand(FILES);
        m.hand(to);
        let other = Interface::fixed("lan", "lan0", [net("10.7.0.3/24")]);
        armed(&m, &other);
        assert_eq!(addresses(&m, "lan0"), "10.7.0.3/24", "after {unit}");
        take_back(&m);
        assert_eq!(m.hand(FILES), before, "by {unit}");
        m.hand(&format!(
            "rm /run/systemd/units/*; ln -s 1 /run/systemd/units/invocation:{unit}.service"
        ));
        lan_is_as_it_was(&m);
        if unit == "networking" {
            assert_eq!(m.hand("ifquery --state lan0"), "lan0=lan0\n");
        } else {
            assert_eq!(m.hand("ifquery --state lan0 || :"), "", "by {unit}");
        }
        undo_all(&m);
        assert_eq!(m.differences(), [] as [String; 0]);
    }
}

/// The way outside, whose name servers are in a file that was there before.
#[test]
fn the_outside_and_its_name_servers() {
    let prepare = format!(
        "{NETWORKCTL}\n{NMCLI}\nprintf '[Match]\\nName=wan0\\n[Network]\\nAddress=192.0.2.2/24\\nGateway=192.0.2.1\\n' > /etc/systemd/network/10-wan0.network
        echo nameserver 192.0.2.1 > /etc/resolv.conf; touch -d 2001-01-01 /etc/resolv.conf"
    );
    let Some(m) = machine(&prepare) else { return };
    m.hand(&(boot("systemd-networkd") + SECOND_CARD + "; networkctl"));
    apply(&m, &outside(fixed()));
    let other = Interface {
        name: "lan1".into(),
        ..outside(bramble_machine::kinds::interface::Method::Static {
            addresses: vec![net("198.51.100.9/24")],
            gateway: Some("198.51.100.1".parse().expect("an address")),
            dns: vec!["192.0.2.53".parse().expect("an address")],
        })
    };
    armed(&m, &other);
    assert_eq!(addresses(&m, "lan1"), "198.51.100.9/24");
    // It is in both, and stays.
    assert_eq!(m.hand("cat /etc/resolv.conf"), "nameserver 192.0.2.53\n");
    take_back(&m);
    assert_eq!(addresses(&m, "wan0"), "192.0.2.9/24");
    assert_eq!(addresses(&m, "lan1"), "");
    assert_eq!(route(&m), "default via 192.0.2.1 dev wan0");
    assert_eq!(m.hand("cat /etc/resolv.conf"), "nameserver 192.0.2.53\n");
    undo_all(&m);
    assert_eq!(addresses(&m, "wan0"), "192.0.2.2/24");
    assert_eq!(m.differences(), [] as [String; 0]);
}
