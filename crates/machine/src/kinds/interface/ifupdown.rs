//! Debian's `ifup`: a stanza in a file of its own.

use super::{Interface, Method, Settings};
use crate::facts::Networking;
use crate::kinds::block::Block;
use crate::kinds::file::File;
use crate::{Observation, Script};
use ipnet::IpNet;
use std::fmt::Write as _;

pub(super) const MAIN: &str = "/etc/network/interfaces";
const FOLDER: &str = "/etc/network/interfaces.d";

/// What is written about interfaces and other files; no line of it holds a password.
pub(super) const FOREIGN: &str = "grep -HnsE '^[[:space:]]*(iface|source|source-directory)[[:space:]]' /etc/network/interfaces /etc/network/interfaces.d/*";

/// Without a dot: files with one are left out by `source-directory`.
fn path(interface: &Interface) -> String {
    format!("{FOLDER}/bramble-{}", interface.role)
}

pub(super) fn settings(interface: &Interface, seen: &Observation) -> Settings {
    let path = path(interface);
    let block = (!sourced(seen, &path))
        .then(|| Block::new(MAIN, interface.role.clone(), format!("source {path}\n")).creating());
    Settings {
        files: vec![File::text(path.clone(), text(interface))],
        block,
        before: Script::of(format!("F={path}\n{BEFORE}")),
        take_up: Script::of(TAKE_UP),
        mend: Script::of(MEND),
    }
}

fn text(interface: &Interface) -> String {
    let name = &interface.name;
    // Devices that come late are brought up when they come.
    let mut out = format!("# Made by Bramble.\nauto {name}\nallow-hotplug {name}\n");
    let mut first = true;
    if interface.method == Method::Dhcp {
        let _ = writeln!(out, "iface {name} inet dhcp");
        wireless(&mut out, interface);
        first = false;
    }
    for address in interface.addresses() {
        let v6 = matches!(address, IpNet::V6(_));
        let family = if v6 { "inet6" } else { "inet" };
        let _ = writeln!(out, "iface {name} {family} static\n    address {address}");
        if v6 {
            // Nobody else has the router's own address, and without a cable the test never ends.
            let listens = if interface.advertised { 2 } else { 0 };
            let _ = writeln!(out, "    dad-attempts 0\n    accept_ra {listens}");
        } else if let Some(gateway) = interface.gateway().filter(|_| first) {
            let _ = writeln!(out, "    gateway {gateway}");
        }
        if first {
            let servers: Vec<String> = interface.dns().iter().map(ToString::to_string).collect();
            if !servers.is_empty() {
                // For `resolvconf`.
                let _ = writeln!(out, "    dns-nameservers {}", servers.join(" "));
            }
            wireless(&mut out, interface);
        }
        first = false;
    }
    out
}

fn wireless(out: &mut String, interface: &Interface) {
    if let Some(wifi) = &interface.wifi {
        let name = &interface.name;
        let _ = writeln!(
            out,
            "    wpa-conf {}\n    up iw dev {name} set power_save off || :",
            wifi.conf_path(name)
        );
    }
}

/// An interface that is up by the old stanza is taken down with it.
const BEFORE: &str =
    r#"if [ -e "$F" ] && ifquery --state "$I" >/dev/null 2>&1; then ifdown --force "$I" || :; fi"#;

/// `ifup` fails where an address or a default route is there already.
pub(super) const TAKE_UP: &str = r#"if ifquery --state "$I" >/dev/null 2>&1; then ifdown --force "$I" || :; fi
for a in $A; do ip address del "$a" dev "$I" 2>/dev/null || :; done
[ -z "$G" ] || ip route del default dev "$I" 2>/dev/null || :
ifup "$I""#;

/// `ifup` does nothing for an interface that it thinks is up.
const MEND: &str = r#"ifquery --state "$I" >/dev/null 2>&1 || ifup "$I"
ip link set dev "$I" up
for a in $A; do ip address replace "$a" dev "$I"; done
if [ -n "$G" ] && [ -z "$(ip -4 route show default)" ]; then ip route replace default via "$G" dev "$I"; fi"#;

/// Lines `path:number:text` of what was found.
fn lines(seen: &Observation) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
    let text = seen.printed(FOREIGN).map_or("", |p| p.text.as_str());
    text.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (path, number, text) = (parts.next()?, parts.next()?, parts.next()?);
        Some((path, number, text.split_whitespace().collect()))
    })
}

/// Whether the main file takes in ours.
fn sourced(seen: &Observation, own: &str) -> bool {
    lines(seen).any(|(path, _, words)| {
        path == MAIN
            && match words.as_slice() {
                ["source-directory", folder, ..] => absolute(folder) == FOLDER,
                ["source", pattern, ..] => {
                    let pattern = absolute(pattern);
                    let start = pattern.trim_end_matches('*');
                    pattern == own || (start != pattern && own.starts_with(start))
                }
                _ => false,
            }
    })
}

/// Paths count from the folder of the main file.
fn absolute(path: &str) -> String {
    let path = path.trim_end_matches('/');
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/etc/network/{path}")
    }
}

/// What somebody else wrote about an interface.
pub(super) struct Foreign {
    /// File and line.
    pub(super) place: String,
    /// The line.
    pub(super) text: String,
    /// It gets its address by DHCP.
    pub(super) dhcp: bool,
}

/// A stanza about the interface that is not ours. NetworkManager, too, leaves such interfaces alone.
pub(super) fn foreign(interface: &Interface, seen: &Observation) -> Option<Foreign> {
    let counts = matches!(
        seen.facts.networking,
        Networking::Ifupdown | Networking::NetworkManager
    );
    let own = path(interface);
    // Also what a cut-off run left beside it.
    let mut all = lines(seen).filter(|(path, _, _)| counts && !path.starts_with(&own));
    all.find_map(|(path, number, words)| match words.as_slice() {
        ["iface", name, "inet", method, ..] if *name == interface.name => Some(Foreign {
            place: format!("{path}:{number}"),
            text: words.join(" "),
            dhcp: *method == "dhcp",
        }),
        _ => None,
    })
}
