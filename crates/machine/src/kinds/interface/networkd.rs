//! systemd-networkd: a `.network` file.

use super::{Interface, Method, Settings};
use crate::Script;
use crate::kinds::file::File;
use std::fmt::Write as _;

/// The first file that names an interface counts, in the order of their names: before those of
/// installers and cloud images, which begin with 10 or more.
fn path(interface: &Interface) -> String {
    format!("/etc/systemd/network/05-bramble-{}.network", interface.role)
}

pub(super) fn settings(interface: &Interface) -> Settings {
    let mut take_up = Script::of("networkctl reload");
    take_up.line(OURS);
    let mut mend = Script::of(MEND);
    mend.line(OURS);
    Settings {
        files: vec![File::text(path(interface), text(interface))],
        take_up: with_path(interface, take_up),
        mend: with_path(interface, mend),
        ..Settings::default()
    }
}

fn with_path(interface: &Interface, script: Script) -> Script {
    let mut out = Script::of(format!("F={}", path(interface)));
    out.extend(&script);
    out
}

pub(super) const MEND: &str = "networkctl reload\nnetworkctl reconfigure \"$I\"";

/// Another file's name may come before ours in the order. It takes up what it has read when it comes to
/// it, after `networkctl` has ended.
const OURS: &str = r#"tries=0 used=''
while [ "$used" != "$F" ] && [ "$tries" -le 50 ]; do
	[ "$tries" = 0 ] || sleep 0.2
	tries=$((tries + 1)) used=''
	while IFS='=' read -r key value; do
		[ "$key" != NETWORK_FILE ] || used=$value
	done <"/run/systemd/netif/links/$(cat "/sys/class/net/$I/ifindex")" || :
done
case $used in
"$F" | '') ;;
*) echo "systemd-networkd takes $used for $I, whose name comes before $F: rename or remove it"; exit 1 ;;
esac"#;

fn text(interface: &Interface) -> String {
    let mut out = format!(
        "# Made by Bramble.\n[Match]\nName={}\n\n[Link]\n",
        interface.name
    );
    let outside = interface.leads_outside();
    // Nothing waits for a cable into an empty switch.
    out.push_str(if outside {
        "RequiredForOnline=yes\n"
    } else {
        "RequiredForOnline=no-carrier\n"
    });
    out.push_str("\n[Network]\n");
    for address in interface.addresses() {
        let _ = writeln!(out, "Address={address}");
    }
    if let Some(gateway) = interface.gateway() {
        let _ = writeln!(out, "Gateway={gateway}");
    }
    for server in interface.dns() {
        let _ = writeln!(out, "DNS={server}");
    }
    out.push_str(if interface.method == Method::Dhcp {
        "DHCP=ipv4\n"
    } else {
        "DHCP=no\n"
    });
    let listens = if outside || interface.advertised {
        "yes"
    } else {
        "no"
    };
    let _ = writeln!(out, "IPv6AcceptRA={listens}");
    if !outside {
        out.push_str("ConfigureWithoutCarrier=yes\nIgnoreCarrierLoss=yes\n");
    }
    out
}
