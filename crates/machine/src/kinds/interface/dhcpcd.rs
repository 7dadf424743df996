//! dhcpcd, where it runs for all interfaces: lines in its configuration.

use super::ifupdown::Foreign;
use super::{Interface, Settings};
use crate::kinds::block::Block;
use crate::{Observation, Script};
use ipnet::IpNet;
use std::fmt::Write as _;

pub(super) const CONF: &str = "/etc/dhcpcd.conf";

pub(super) const TAKE_UP: &str = "dhcpcd -n \"$I\"";

/// It does not look whether an address of IPv6 that it gave is still there.
const MISSING: &str = r#"for a in $A; do
	case $a in *:*) ip address replace "$a" dev "$I" nodad ;; esac
done"#;

pub(super) fn settings(interface: &Interface) -> Settings {
    // What it does without a word is DHCP.
    let text = text(interface);
    Settings {
        block: text.map(|text| Block::new(CONF, interface.role.clone(), text)),
        take_up: Script::of(TAKE_UP),
        mend: Script::of(format!("{TAKE_UP}\n{MISSING}")),
        ..Settings::default()
    }
}

/// At the end of the file: what follows such a line belongs to the interface.
fn text(interface: &Interface) -> Option<String> {
    if interface.addresses().is_empty() {
        return None;
    }
    let mut out = format!("interface {}\n", interface.name);
    for address in interface.addresses() {
        let key = match address {
            IpNet::V4(_) => "ip_address",
            IpNet::V6(_) => "ip6_address",
        };
        let _ = writeln!(out, "static {key}={address}");
    }
    if let Some(gateway) = interface.gateway() {
        let _ = writeln!(out, "static routers={gateway}");
    }
    let servers: Vec<String> = interface.dns().iter().map(ToString::to_string).collect();
    if !servers.is_empty() {
        let _ = writeln!(out, "static domain_name_servers={}", servers.join(" "));
    }
    if !interface.leads_outside() {
        // The address is there without a cable, too, and no route leads to it.
        out.push_str("nogateway\nnolink\n");
    }
    if !interface.leads_outside() && !interface.advertised {
        out.push_str("noipv6rs\n");
    }
    Some(out)
}

/// Lines about the interface that are not ours.
pub(super) fn foreign(interface: &Interface, seen: &Observation) -> Option<Foreign> {
    if Interface::manager(seen) != crate::Networking::Dhcpcd {
        return None;
    }
    let (begin, end) = (
        format!("# bramble:{} begin", interface.role),
        format!("# bramble:{} end", interface.role),
    );
    let mut ours = false;
    for (index, line) in seen.content(CONF)?.lines().enumerate() {
        ours = (ours || line == begin) && line != end;
        let mut words = line.split_whitespace();
        if !ours
            && words.next() == Some("interface")
            && words.next() == Some(interface.name.as_str())
        {
            return Some(Foreign {
                place: format!("{CONF}:{}", index + 1),
                text: line.trim().to_owned(),
                dhcp: false,
            });
        }
    }
    None
}
