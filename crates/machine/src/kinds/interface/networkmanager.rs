//! NetworkManager: a connection profile, as a key file.

use super::wifi::Wifi;
use super::{Interface, Method, Settings};
use crate::Script;
use crate::kinds::file::{Content, File};
use crate::shell::word;
use bramble_secret::Secret;
use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::IpAddr;

fn path(role: &str) -> String {
    format!("/etc/NetworkManager/system-connections/bramble-{role}.nmconnection")
}

pub(super) fn settings(interface: &Interface) -> Settings {
    // It refuses profiles that others may read.
    let profile = File::new(path(&interface.role), content(interface), 0o600);
    let mut files = vec![profile];
    if !interface.leads_outside() {
        let conf = format!("/etc/NetworkManager/conf.d/bramble-{}.conf", interface.role);
        let text = format!(
            "# Made by Bramble: the address is there without a cable, too.\n[device-bramble-{}]\nmatch-device=interface-name:{}\nignore-carrier=1\n",
            interface.role, interface.name
        );
        files.push(File::text(conf, text));
    }
    let mut take_up = Script::new();
    if interface.wifi.is_some() {
        take_up.line("nmcli radio wifi on || :");
    }
    take_up.extend(&self::take_up(&interface.role));
    Settings {
        files,
        mend: take_up.clone(),
        take_up,
        ..Settings::default()
    }
}

/// Makes it read the profile of the interface `$I` and take it up.
pub(super) fn take_up(role: &str) -> Script {
    Script::of(format!(
        "nmcli general reload conf\nnmcli connection load {}\nnmcli device set \"$I\" managed yes\nnmcli --wait 60 connection up uuid {} ifname \"$I\"",
        word(path(role)),
        uuid(role)
    ))
}

fn content(interface: &Interface) -> Content {
    let text = profile(interface);
    match &interface.wifi {
        // With the password in it.
        Some(_) => Content::Secret(Secret::new(text)),
        None => Content::Text(text),
    }
}

/// One for each role, the same on every machine and in every run.
fn uuid(role: &str) -> String {
    crate::kinds::uuid(&["interface", role])
}

fn profile(interface: &Interface) -> String {
    let kind = if interface.wifi.is_some() {
        "wifi"
    } else {
        "ethernet"
    };
    let mut out = format!(
        "# Made by Bramble.\n[connection]\nid=bramble-{}\nuuid={}\ntype={kind}\ninterface-name={}\n",
        interface.role,
        uuid(&interface.role),
        interface.name
    );
    // Before every other profile that fits the interface, and again and again.
    out.push_str("autoconnect=true\nautoconnect-priority=999\nautoconnect-retries=0\n");
    if let Some(wifi) = &interface.wifi {
        wireless(&mut out, wifi);
    }
    family(&mut out, interface, "ipv4", |a| matches!(a, IpNet::V4(_)));
    family(&mut out, interface, "ipv6", |a| matches!(a, IpNet::V6(_)));
    out
}

fn wireless(out: &mut String, wifi: &Wifi) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-. ".contains(&b);
    let blank = wifi.ssid.starts_with(' ') || wifi.ssid.ends_with(' ');
    let ssid = if wifi.ssid.bytes().all(plain) && !blank {
        wifi.ssid.clone()
    } else {
        wifi.ssid.bytes().map(|b| format!("{b};")).collect()
    };
    // Key files: a backslash escapes, and a blank at the beginning would be dropped.
    let mut key = wifi.password.expose().replace('\\', "\\\\");
    if let Some(rest) = key.strip_prefix(' ') {
        key = format!("\\s{rest}");
    }
    // 2 switches power save off. `wpa-psk` stands for WPA2 and WPA3.
    let _ = write!(
        out,
        "\n[wifi]\nmode=infrastructure\nssid={ssid}\npowersave=2\n\n[wifi-security]\nkey-mgmt=wpa-psk\npsk={key}\n"
    );
}

fn family(out: &mut String, interface: &Interface, section: &str, own: impl Fn(&IpNet) -> bool) {
    let v4 = section == "ipv4";
    let _ = writeln!(out, "\n[{section}]");
    let addresses: Vec<&IpNet> = interface.addresses().iter().filter(|a| own(a)).collect();
    let method = match &interface.method {
        _ if !addresses.is_empty() => "manual",
        Method::Dhcp => "auto",
        _ if v4 => "disabled",
        _ if interface.leads_outside() => "auto",
        _ => "link-local",
    };
    let _ = writeln!(out, "method={method}");
    for (index, address) in addresses.iter().enumerate() {
        let _ = writeln!(out, "address{}={address}", index + 1);
    }
    if let Some(gateway) = interface.gateway().filter(|_| v4) {
        let _ = writeln!(out, "gateway={gateway}");
    }
    let servers = interface.dns().iter();
    let servers: Vec<String> = servers
        .filter(|a| matches!(a, IpAddr::V4(_)) == v4)
        .map(IpAddr::to_string)
        .collect();
    if !servers.is_empty() && method != "disabled" {
        let _ = writeln!(out, "dns={};", servers.join(";"));
    }
    if !interface.leads_outside() {
        out.push_str("never-default=true\n");
    }
}
