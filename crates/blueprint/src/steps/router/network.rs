//! The router's own interfaces: its side of the LAN, the uplink, wireless; and that it hands packets on.

use crate::context::{On, r};
use crate::obstacle::Obstacle;
use bramble_machine::kinds::interface::{Method, Wifi, passphrase_fault};
use bramble_machine::kinds::{Directory, File, Interface, Service, Sysctl};
use bramble_machine::{Networking, Resource, Step};
use bramble_spec::cluster::{Router, UplinkAddress, Wifi as Wireless};
use ipnet::IpNet;
use std::sync::Arc;

pub(crate) fn step(on: &On) -> Option<Step> {
    let router = on.router()?;
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    if matches!(on.facts.networking, Networking::Networkd | Networking::None) {
        out.push(r(Service::on("systemd-networkd.service")));
    }
    // The way outside first: while it is made ready, nothing else has changed.
    match on.uplink_interface() {
        Ok(name) => uplink(on, router, &name, &mut out),
        Err(obstacle) => out.push(r(obstacle)),
    }
    match on.lan_interface() {
        Ok(name) => out.push(r(lan(router, &name))),
        Err(obstacle) => out.push(r(obstacle)),
    }
    // Last: a kernel that forwards forgets the default routes that it was told of by advertisements,
    // unless it was told before to go on listening.
    let forwarding = forwarding(on, router);
    if !forwarding.is_empty() {
        out.push(r(Sysctl::new("router", forwarding)));
    }
    Some(on.step("router/network", out))
}

fn lan(router: &Router, name: &str) -> Interface {
    let v6 = router.address6.map(IpNet::V6);
    let addresses = [IpNet::V4(router.address)].into_iter().chain(v6);
    Interface::fixed("lan", name, addresses)
}

fn uplink(on: &On, router: &Router, name: &str, out: &mut Vec<Arc<dyn Resource>>) {
    let wifi = router.uplink.wifi.as_ref().map(|w| wireless(on, w, out));
    if let Some(wifi) = &wifi {
        join(on, wifi, name, out);
    }
    let method = match &router.uplink.address {
        UplinkAddress::Kept => Method::Kept,
        UplinkAddress::Dhcp => Method::Dhcp,
        UplinkAddress::Static {
            address,
            gateway,
            dns,
        } => Method::Static {
            addresses: vec![IpNet::V4(*address)],
            gateway: *gateway,
            dns: dns.clone(),
        },
    };
    let advertised = router.address6.is_some();
    let ifup = on.facts.networking == Networking::Ifupdown;
    if advertised && (ifup || method == Method::Kept) {
        out.push(r(Interface {
            role: "uplink-advertised".into(),
            name: name.to_owned(),
            method: Method::Kept,
            wifi: None,
            advertised,
            watch: Vec::new(),
        }));
    }
    if method == Method::Kept {
        return;
    }
    // Elsewhere the service that reads the file is restarted.
    let watch = wifi.iter().filter(|_| ifup);
    let watch = watch.map(|w| format!("file:{}", w.conf_path(name)));
    out.push(r(Interface {
        role: "uplink".into(),
        name: name.to_owned(),
        method,
        watch: watch.collect(),
        wifi,
        advertised,
    }));
}

/// The wireless network, with its password; what is wrong with that is in the way.
fn wireless(on: &On, wifi: &Wireless, out: &mut Vec<Arc<dyn Resource>>) -> Wifi {
    let password = on.secret(&wifi.password_file);
    // Empty as long as nobody has read it.
    let fault = Some(password.expose())
        .filter(|p| !p.is_empty())
        .and_then(passphrase_fault);
    if let Some(fault) = fault {
        out.push(r(Obstacle {
            name: "wifi-password".into(),
            what: format!(
                "{} holds no password of a wireless network: {fault}",
                wifi.password_file
            ),
            hint: "write the password alone into the file".into(),
        }));
    }
    Wifi {
        ssid: wifi.ssid.clone(),
        password,
        country: wifi.country.clone(),
    }
}

/// What else the wireless network needs, besides the interface's own settings.
fn join(on: &On, wifi: &Wifi, name: &str, out: &mut Vec<Arc<dyn Resource>>) {
    match on.facts.networking {
        Networking::NetworkManager => {
            // Its profiles know no country.
            let text = format!(
                "# Made by Bramble.\noptions cfg80211 ieee80211_regdom={}\n",
                wifi.country
            );
            out.push(r(File::text("/etc/modprobe.d/bramble-wifi.conf", text)));
        }
        Networking::Ifupdown => out.push(r(wifi.conf(name))),
        Networking::Networkd | Networking::Dhcpcd | Networking::None => {
            let (conf, awake) = (wifi.conf(name), Wifi::awake(name));
            let ids = [conf.id(), awake.id()];
            out.push(r(Directory::new(folder(&awake.path))));
            out.push(r(conf));
            out.push(r(awake));
            let mut service = Service::on(format!("wpa_supplicant@{name}.service")).watching(ids);
            service.disruptive = true;
            out.push(r(service));
        }
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| folder)
}

/// Kernel parameters of a machine that hands packets on; a node has one of them already.
fn forwarding(on: &On, router: &Router) -> Vec<(&'static str, &'static str)> {
    let mut out = Vec::new();
    if !on.machine.is_node() {
        out.push(("net.ipv4.ip_forward", "1"));
    }
    if router.address6.is_some() {
        out.push(("net.ipv6.conf.all.forwarding", "1"));
    }
    out
}
