//! Interfaces, in the way of each manager. The managers are played by small programs here, but for
//! ifupdown, which is real; tests with machines that boot have the real ones.

use crate::cycle::{Case, apply, due, plan, refused, undo_all};
use crate::machine::Machine;
use bramble_machine::kinds::Interface;
use bramble_machine::kinds::interface::{Method, Wifi};
use bramble_machine::{Observation, Resource};
use bramble_secret::Secret;
use ipnet::IpNet;

/// Two cards, each with a machine at its other end; the outside has the default route.
const CARDS: &str = "ip link add lan0 type veth peer name veth0; ip link set veth0 up
ip link add wan0 type veth peer name veth1; ip link set veth1 up; ip link set wan0 up
ip address add 192.0.2.2/24 dev wan0; ip route add default via 192.0.2.1
mkdir -p /run/systemd/units /run/network; echo x > /run/systemd/container\n";

pub fn boot(unit: &str) -> String {
    format!("{CARDS}ln -s 1 /run/systemd/units/invocation:{unit}.service")
}

pub fn net(text: &str) -> IpNet {
    text.parse().expect("an address")
}

pub fn lan() -> Interface {
    Interface::fixed("lan", "lan0", [net("10.7.0.1/24"), net("fd00:7::1/64")])
}

pub fn outside(method: Method) -> Interface {
    Interface {
        role: "uplink".into(),
        name: "wan0".into(),
        method,
        wifi: None,
        advertised: true,
        watch: Vec::new(),
    }
}

pub fn fixed() -> Method {
    Method::Static {
        addresses: vec![net("192.0.2.9/24")],
        gateway: Some("192.0.2.1".parse().expect("an address")),
        dns: vec!["192.0.2.53".parse().expect("an address")],
    }
}

/// Addresses of an interface, without those that the kernel makes.
pub fn addresses(m: &Machine, name: &str) -> String {
    let text = m.hand(&format!(
        "ip -o address show dev {name} | grep -v fe80 | awk '{{ print $4 }}'"
    ));
    text.lines().collect::<Vec<_>>().join(" ")
}

pub fn route(m: &Machine) -> String {
    m.hand("ip route show default | sed 's/ onlink//; s/ *$//'")
        .trim_end()
        .to_owned()
}

fn lan_is_there(m: &Machine) {
    assert_eq!(addresses(m, "lan0"), "10.7.0.1/24 fd00:7::1/64");
    assert!(m.hand("ip link show lan0").contains(",UP"));
    // The side of the LAN never takes the way outside.
    assert_eq!(route(m), "default via 192.0.2.1 dev wan0");
}

fn lan_is_gone(m: &Machine) {
    assert_eq!(addresses(m, "lan0"), "");
    assert!(!m.hand("ip link show lan0").contains(",UP"));
    assert_eq!(route(m), "default via 192.0.2.1 dev wan0");
}

/// What systemd-networkd does: for each interface the first file that names it counts.
pub const NETWORKCTL: &str = r#"cat > /usr/bin/networkctl <<'END'
#!/bin/sh
[ -L /run/systemd/units/invocation:systemd-networkd.service ] || exit 1
mkdir -p /run/systemd/netif/links
for d in /sys/class/net/*; do
	n=${d##*/} i=$(cat $d/ifindex) f=
	for c in /etc/systemd/network/*.network; do
		[ -z "$f" ] && grep -qx "Name=$n" "$c" 2>/dev/null && f=$c
	done
	old=$(sed -n s/^NETWORK_FILE=//p /run/systemd/netif/links/$i 2>/dev/null)
	echo "NETWORK_FILE=$f" > /run/systemd/netif/links/$i
	[ -n "$f$old" ] || continue
	[ -z "$old" ] || ip address flush dev $n scope global
	[ -n "$f" ] || continue
	ip link set $n up
	for a in $(sed -n s/^Address=//p $f); do ip address replace $a dev $n; done
	for g in $(sed -n s/^Gateway=//p $f); do ip route replace default via $g dev $n; done
done
END
chmod 0755 /usr/bin/networkctl; mkdir -p /etc/systemd/network"#;

#[test]
fn by_networkd() {
    let lan = lan();
    Case::new(NETWORKCTL, &lan)
        .boot(&boot("systemd-networkd"))
        .drift(&[
            (
                "ip address del 10.7.0.1/24 dev lan0",
                "lan0 gets 10.7.0.1/24",
            ),
            ("ip link set lan0 down", "lan0 is down"),
            (
                "rm /etc/systemd/network/05-bramble-lan.network",
                "05-bramble-lan.network: new file",
            ),
        ])
        .gone(&lan_is_gone)
        .run(lan_is_there);
}

#[test]
fn the_outside_by_networkd_goes_back_to_what_it_was() {
    let prepare = format!(
        "{NETWORKCTL}\nprintf '[Match]\\nName=wan0\\n[Network]\\nAddress=192.0.2.2/24\\nGateway=192.0.2.1\\n' > /etc/systemd/network/10-wan0.network
        echo nameserver 192.0.2.1 > /etc/resolv.conf; touch -d 2001-01-01 /etc/resolv.conf"
    );
    let boot = boot("systemd-networkd") + "; networkctl";
    Case::new(&prepare, &outside(fixed()))
        .boot(&boot)
        .drift(&[
            ("ip route del default", "default route by 192.0.2.1"),
            (
                "echo > /etc/resolv.conf",
                "/etc/resolv.conf: content differs",
            ),
        ])
        .gone(&|m| {
            assert_eq!(addresses(m, "wan0"), "192.0.2.2/24");
            assert_eq!(route(m), "default via 192.0.2.1 dev wan0");
        })
        .run(|m| {
            assert_eq!(addresses(m, "wan0"), "192.0.2.9/24");
            assert_eq!(route(m), "default via 192.0.2.1 dev wan0");
            assert_eq!(m.hand("cat /etc/resolv.conf"), "nameserver 192.0.2.53\n");
        });
}

#[test]
fn a_file_of_networkd_that_comes_first_is_named() {
    let Some(m) = Machine::new(&format!(
        "{NETWORKCTL}\nprintf '[Match]\\nName=lan0\\n' > /etc/systemd/network/00-first.network"
    )) else {
        return;
    };
    m.hand(&boot("systemd-networkd"));
    let said = crate::cycle::fails(&m, &lan());
    assert!(
        said.contains("00-first.network") && said.contains("rename or remove it"),
        "{said}"
    );
}

#[test]
fn by_ifupdown() {
    let lan = lan();
    // Debian's own file, and one that takes in no others.
    for source in ["source /etc/network/interfaces.d/*\\n", ""] {
        let prepare = format!(
            "printf 'auto lo\\niface lo inet loopback\\n{source}' > /etc/network/interfaces; touch -d 2001-01-01 /etc/network/interfaces"
        );
        Case::new(&prepare, &lan)
            .boot(&boot("networking"))
            .drift(&[
                (
                    "ip address del 10.7.0.1/24 dev lan0",
                    "lan0 gets 10.7.0.1/24",
                ),
                (
                    "ifdown lan0 2>/dev/null; ip link set lan0 down",
                    "lan0 is down",
                ),
                (
                    "sed -i s/10.7.0.1/10.7.0.2/ /etc/network/interfaces.d/bramble-lan",
                    "content differs",
                ),
            ])
            .gone(&lan_is_gone)
            .run(|m| {
                lan_is_there(m);
                assert_eq!(m.hand("ifquery --state lan0"), "lan0=lan0\n");
                // The next boot.
                m.hand("ifdown lan0 2>/dev/null; ifup -a 2>/dev/null");
                lan_is_there(m);
            });
    }
}

#[test]
fn the_outside_by_ifupdown() {
    Case::new(
        "printf 'auto lo\\niface lo inet loopback\\nsource interfaces.d/*\\n' > /etc/network/interfaces
        rm -f /etc/resolv.conf",
        &outside(fixed()),
    )
    .boot(&boot("networking"))
    .drift(&[
        ("ip route del default", "default route by 192.0.2.1"),
    ])
    .gone(&|m| {
        // Nobody else knows how it got its address.
        assert_eq!(addresses(m, "wan0"), "192.0.2.2/24");
        assert_eq!(route(m), "default via 192.0.2.1 dev wan0");
    })
    .run(|m| {
        assert!(addresses(m, "wan0").contains("192.0.2.9/24"));
        assert_eq!(route(m), "default via 192.0.2.1 dev wan0");
        assert_eq!(m.hand("cat /etc/resolv.conf"), "nameserver 192.0.2.53\n");
    });
}

#[test]
fn what_somebody_wrote_by_hand_is_not_overwritten() {
    let Some(m) = Machine::new(
        "printf 'auto lo\\niface lo inet loopback\\n' > /etc/network/interfaces
        printf 'auto lan0\\niface lan0 inet static\\n  address 10.7.0.1/24\\niface wan0 inet dhcp\\n' > /etc/network/interfaces.d/mine",
    ) else {
        return;
    };
    m.hand(&boot("networking"));
    let own = Interface::fixed("lan", "lan0", [net("10.7.0.1/24")]);
    let said = refused(&m, &own);
    assert!(
        said.contains(
            "/etc/network/interfaces.d/mine:2 configures lan0 already: iface lan0 inet static"
        ),
        "{said}"
    );
    assert!(
        said.contains("take the lines about lan0 out of /etc/network/interfaces.d/mine"),
        "{said}"
    );
    // What it says is what should be.
    m.hand("ip address add 10.7.0.1/24 dev lan0; ip link set lan0 up");
    assert!(plan(&m, &own).expect("a plan").is_none());
    assert!(plan(&m, &outside(Method::Dhcp)).expect("a plan").is_none());
    let said = refused(&m, &outside(fixed()));
    assert!(
        said.contains("mine:4 configures wan0 already: iface wan0 inet dhcp"),
        "{said}"
    );
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn interfaces_that_are_not_there_or_on_the_wrong_side() {
    let Some(m) = Machine::new(NETWORKCTL) else {
        return;
    };
    m.hand(&boot("systemd-networkd"));
    let said = refused(&m, &Interface::fixed("lan", "eth7", [net("10.7.0.1/24")]));
    assert!(
        said.contains("there is no interface eth7") && said.contains("lan0"),
        "{said}"
    );
    let said = refused(&m, &Interface::fixed("lan", "lan0", [net("192.0.2.2/24")]));
    assert!(
        said.contains("192.0.2.2 is the address of wan0, not of lan0"),
        "{said}"
    );
}

/// What NetworkManager does with profiles.
pub const NMCLI: &str = r#"cat > /usr/bin/nmcli <<'END'
#!/bin/sh
p=/etc/NetworkManager/system-connections/bramble-lan.nmconnection
case $* in
*'connection load'*) [ "$(stat -c %a $p)" = 600 ] ;;
*'connection up uuid'*)
	grep -qx "uuid=$6" $p || exit 10
	n=$(sed -n s/^interface-name=//p $p)
	ip address flush dev $n scope global; ip link set $n up
	for a in $(sed -n 's/^address[0-9]*=//p' $p); do ip address add $a dev $n; done ;;
*'connection reload'*) [ -e $p ] || ip address flush dev lan0 scope global ;;
esac
END
chmod 0755 /usr/bin/nmcli
mkdir -p /etc/NetworkManager/system-connections /etc/NetworkManager/conf.d"#;

#[test]
fn by_networkmanager() {
    let lan = lan();
    Case::new(NMCLI, &lan)
        .boot(&boot("NetworkManager"))
        .drift(&[
            (
                "ip address del fd00:7::1/64 dev lan0",
                "lan0 gets fd00:7::1/64",
            ),
            (
                "chmod 0644 /etc/NetworkManager/system-connections/bramble-lan.nmconnection",
                "mode 0644 → 0600",
            ),
        ])
        .gone(&lan_is_gone)
        .run(lan_is_there);
}

#[test]
fn by_dhcpcd() {
    let prepare = r#"cat > /usr/sbin/dhcpcd <<'END'
#!/bin/sh
ip address flush dev lan0 scope global
for a in $(sed -n '/^interface lan0/,$s/^static ip6\{0,1\}_address=//p' /etc/dhcpcd.conf); do
	ip address add $a dev lan0; ip link set lan0 up
done
END
chmod 0755 /usr/sbin/dhcpcd; printf 'hostname\npersistent' > /etc/dhcpcd.conf; touch -d 2001-01-01 /etc/dhcpcd.conf"#;
    let lan = lan();
    Case::new(prepare, &lan)
        .boot(&boot("dhcpcd"))
        .drift(&[
            (
                "ip address flush dev lan0 scope global",
                "lan0 gets 10.7.0.1/24, lan0 gets fd00:7::1/64",
            ),
            (
                "sed -i /static/d /etc/dhcpcd.conf",
                "/etc/dhcpcd.conf: the block differs",
            ),
        ])
        .gone(&lan_is_gone)
        .run(lan_is_there);
    let Some(m) = Machine::new(prepare) else {
        return;
    };
    m.hand(&(boot("dhcpcd") + "; printf '\\ninterface lan0\\nstatic ip_address=10.7.0.9/24\\n' >> /etc/dhcpcd.conf"));
    let said = refused(&m, &lan);
    assert!(
        said.contains("/etc/dhcpcd.conf:3 configures lan0 already: interface lan0"),
        "{said}"
    );
}

/// The interface of a role may become another one, and its manager, too.
#[test]
fn the_old_interface_is_left_behind_as_it_was() {
    let Some(m) = Machine::new(&format!("{NETWORKCTL}\n{NMCLI}")) else {
        return;
    };
    m.hand(&(boot("systemd-networkd") + "; ip link add lan1 type veth peer name veth2"));
    apply(&m, &lan());
    let moved = Interface::fixed("lan", "lan1", [net("10.7.0.1/24"), net("fd00:7::1/64")]);
    // The address is still on the old one: said as long as the file can be wrong.
    assert!(refused(&m, &moved).contains("10.7.0.1 is the address of lan0"));
    let moved = Interface::fixed("lan", "lan1", [net("10.7.0.3/24")]);
    apply(&m, &moved);
    assert_eq!(
        (addresses(&m, "lan0"), addresses(&m, "lan1")),
        (String::new(), "10.7.0.3/24".into())
    );
    m.hand("rm /run/systemd/units/*; ln -s 1 /run/systemd/units/invocation:NetworkManager.service");
    apply(&m, &moved);
    assert_eq!(m.hand("ls /etc/systemd/network"), "");
    assert_eq!(addresses(&m, "lan1"), "10.7.0.3/24");
    undo_all(&m);
    assert_eq!(
        (addresses(&m, "lan0"), addresses(&m, "lan1")),
        (String::new(), String::new())
    );
    assert_eq!(m.differences(), [] as [String; 0]);
}

/// As it is now, but the kernel has to go on listening to router advertisements.
#[test]
fn an_interface_that_is_kept() {
    let kept = outside(Method::Kept);
    // Somebody's own stanza: it's theirs, and goes on to count when ours is undone.
    let own = "printf 'auto lo\\niface lo inet loopback\\niface wan0 inet static\\n  address 192.0.2.2/24\\n' > /etc/network/interfaces";
    Case::new(own, &kept)
        .boot(&(boot("networking") + "; echo wan0=wan0 > /run/network/ifstate; echo wan0 > /run/network/ifstate.wan0"))
        .drift(&[
            ("rm /etc/sysctl.d/90-bramble-uplink.conf", "new file"),
            ("echo 1 > /proc/sys/net/ipv6/conf/wan0/accept_ra", "ignores router advertisements"),
        ])
        .gone(&|m| {
            assert_eq!(m.hand("cat /proc/sys/net/ipv6/conf/wan0/accept_ra"), "1\n");
            assert_eq!(addresses(m, "wan0"), "192.0.2.2/24");
        })
        .run(|m| {
            assert_eq!(
                m.hand("cat /etc/sysctl.d/90-bramble-uplink.conf /proc/sys/net/ipv6/conf/wan0/accept_ra"),
                "net.ipv6.conf.wan0.accept_ra = 2\n2\n"
            );
            assert_eq!(addresses(m, "wan0"), "192.0.2.2/24");
        });
    let Some(m) = Machine::new(NETWORKCTL) else {
        return;
    };
    m.hand(&boot("systemd-networkd"));
    assert!(plan(&m, &kept).expect("a plan").is_none());
}

#[test]
fn every_change_is_guarded() {
    let Some(m) = Machine::new(NETWORKCTL) else {
        return;
    };
    m.hand(&boot("systemd-networkd"));
    let change = due(&m, &lan());
    assert!(change.guard.is_some_and(|g| !g.recorded));
    apply(&m, &lan());
    m.hand("ip address del 10.7.0.1/24 dev lan0");
    let guard = due(&m, &lan()).guard.expect("a guard");
    assert!(guard.recorded && guard.paths == ["/etc/systemd/network/05-bramble-lan.network"]);
}

#[test]
fn a_password_is_shown_nowhere() {
    let wifi = Interface {
        wifi: Some(Wifi {
            ssid: "home".into(),
            password: Secret::new("correct horse"),
            country: "DE".into(),
        }),
        ..outside(Method::Dhcp)
    };
    let mut seen = Observation::default();
    seen.facts.networking = bramble_machine::Networking::NetworkManager;
    let change = wifi.plan(&seen).expect("a plan").expect("a change");
    let undo = serde_json::to_string(&change.undo).expect("text");
    for text in [
        &change.summary,
        &change.diff.clone().unwrap_or_default(),
        &undo,
        &format!("{change:?}"),
    ] {
        assert!(!text.contains("correct horse"), "{text}");
    }
    assert!(change.apply.as_str().contains("psk=correct horse"));
}

/// The real wpa_supplicant reads the file; without a radio it takes an Ethernet card.
#[test]
fn wpa_supplicant_takes_names_and_passwords_of_any_kind() {
    let Some(m) = Machine::new("") else { return };
    m.hand(CARDS);
    for (ssid, password) in [
        ("home", "correct horse"),
        ("a \"b\" #c \\d", "8 \"q\" #x\\ y'$z"),
        ("Grün\u{1f33f}", "~!@#$%^&*()_+`{}|:<>?"),
    ] {
        let wifi = Wifi {
            ssid: ssid.into(),
            password: Secret::new(password),
            country: "DE".into(),
        };
        let conf = wifi.conf("lan0");
        apply(&m, &conf);
        assert_eq!(m.hand(&format!("stat -c %a {}", conf.path)), "600\n");
        let said = m.hand(&format!(
            "{{ echo update_config=1; cat {}; }} > /tmp/conf
            wpa_supplicant -D wired -i lan0 -c /tmp/conf -B >/dev/null
            wpa_cli -i lan0 list_networks | tail -n 1 | cut -f 2
            for v in key_mgmt ieee80211w; do wpa_cli -i lan0 get_network 0 $v; echo; done
            wpa_cli -i lan0 get country; echo
            wpa_cli -i lan0 save_config >/dev/null; wpa_cli -i lan0 terminate
            grep psk= /tmp/conf",
            conf.path
        ));
        let lines: Vec<&str> = said.lines().collect();
        let shown: String = ssid
            .bytes()
            .map(|b| match b {
                b'"' | b'\\' => format!("\\{}", char::from(b)),
                b' '..=b'~' => char::from(b).to_string(),
                b => format!("\\x{b:02x}"),
            })
            .collect();
        // As it would write the password itself.
        let psk = format!("\tpsk=\"{password}\"");
        let all = [&shown, "WPA-PSK WPA-PSK-SHA256 SAE", "1", "DE", "OK", &psk];
        assert_eq!(lines, all);
    }
}
