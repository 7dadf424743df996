//! The interfaces as the kernel has them.

use super::Interface;
use crate::Observation;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// All interfaces of a machine; empty where nobody could say.
#[derive(Debug, Default)]
pub(super) struct Links {
    all: BTreeMap<String, Link>,
    /// Where the default routes lead: interface and next router.
    pub(super) ways: Vec<(String, String)>,
    /// Wireless ones that save power.
    pub(super) power_save: BTreeSet<String>,
    /// Whether the kernel listens to router advertisements: 2 = also while it forwards.
    pub(super) listening: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(super) struct Link {
    /// Switched on, whether there is a cable or not.
    pub(super) up: bool,
    /// With the length of their networks' prefixes.
    pub(super) addresses: Vec<String>,
}

impl Link {
    /// Addresses of IPv4, and those of IPv6 that are not of the link alone.
    pub(super) fn lasting(&self) -> impl Iterator<Item = &str> {
        let all = self.addresses.iter().map(String::as_str);
        all.filter(|a| !a.starts_with("fe80:"))
    }

    /// Whether it has an address.
    pub(super) fn has(&self, address: &IpNet) -> bool {
        self.addresses.contains(&address.to_string())
    }
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Link> {
        self.all.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Another interface that has this address.
    pub(super) fn holder(&self, address: &IpNet, apart: &str) -> Option<&str> {
        let start = format!("{}/", address.addr());
        let mut all = self.all.iter().filter(|(name, _)| *name != apart);
        let found = all.find(|(_, link)| link.addresses.iter().any(|a| a.starts_with(&start)));
        found.map(|(name, _)| name.as_str())
    }
}

/// The program that asks the kernel.
pub(super) fn program(interface: &Interface) -> String {
    let mut out = String::from("ip address");
    if interface.leads_outside() {
        out.push_str("\nip -4 route show default");
    }
    if interface.wifi.is_some() {
        out.push_str(
            "\nfor d in /sys/class/net/*/wireless; do\n\
             d=${d%/wireless}; d=${d##*/}\n\
             case $(iw dev \"$d\" get power_save) in *'Power save: on'*) echo \"power-save $d\" ;; esac\n\
             done",
        );
    }
    if interface.advertised {
        out.push_str("\ngrep -Hs . /proc/sys/net/ipv6/conf/*/accept_ra");
    }
    out.push_str("\ntrue");
    out
}

pub(super) fn parse(interface: &Interface, seen: &Observation) -> Links {
    let mut links = Links::default();
    let text = seen
        .printed(&program(interface))
        .map_or("", |p| p.text.as_str());
    let mut last: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("power-save ") {
            links.power_save.insert(name.to_owned());
        } else if let Some(way) = line.strip_prefix("default via ") {
            let words: Vec<&str> = way.split_whitespace().collect();
            if let [gateway, "dev", name, ..] = words[..] {
                links.ways.push((name.to_owned(), gateway.to_owned()));
            }
        } else if let Some((name, value)) = listening(line) {
            links.listening.insert(name.to_owned(), value.to_owned());
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            // `2: lan0@if7: <BROADCAST,UP> mtu 1500 ...`
            let mut fields = line.split(": ");
            let name = fields.nth(1).unwrap_or_default();
            let name = name.split('@').next().unwrap_or_default().to_owned();
            let flags = fields.next().unwrap_or_default();
            let flags = flags.trim_start_matches('<').split('>').next();
            let up = flags.unwrap_or_default().split(',').any(|f| f == "UP");
            let link = Link {
                up,
                addresses: Vec::new(),
            };
            links.all.insert(name.clone(), link);
            last = Some(name);
        } else if let Some(link) = last.as_ref().and_then(|name| links.all.get_mut(name)) {
            let mut words = line.split_whitespace();
            if let (Some("inet" | "inet6"), Some(address)) = (words.next(), words.next()) {
                link.addresses.push(address.to_owned());
            }
        }
    }
    links
}

/// `/proc/sys/net/ipv6/conf/wan0/accept_ra:1`
fn listening(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("/proc/sys/net/ipv6/conf/")?;
    rest.split_once("/accept_ra:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Answer, Printed, Query};

    #[test]
    fn interfaces_are_read_as_iproute2_prints_them() {
        let text = "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: lan0@if7: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN group default qlen 1000
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0
    inet 10.7.0.1/24 brd 10.7.0.255 scope global lan0
       valid_lft forever preferred_lft forever
    inet6 fd00:77::1/64 scope global tentative
       valid_lft forever preferred_lft forever
3: wlan0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default qlen 1000
    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
default via 10.7.0.254 dev lan0 proto dhcp src 10.7.0.1 metric 100
power-save wlan0
/proc/sys/net/ipv6/conf/lan0/accept_ra:2
/proc/sys/net/ipv6/conf/wlan0/accept_ra:1
";
        let mut seen = Observation::default();
        let printed = Printed {
            text: text.into(),
            exit: 0,
        };
        let interface = Interface::fixed("lan", "lan0", []);
        let query = Query::Command(program(&interface));
        seen.answers.insert(query, Answer::Printed(printed));
        let links = parse(&interface, &seen);
        let net = |t: &str| t.parse::<IpNet>().expect("a network");
        let lan = links.get("lan0").expect("lan0");
        assert!(lan.up && lan.has(&net("10.7.0.1/24")) && lan.has(&net("fd00:77::1/64")));
        assert!(!lan.has(&net("10.7.0.1/16")));
        assert!(links.get("wlan0").is_some_and(|l| !l.up));
        assert_eq!(links.names().collect::<Vec<_>>(), ["lan0", "lo", "wlan0"]);
        assert_eq!(links.holder(&net("10.7.0.1/8"), "wlan0"), Some("lan0"));
        assert_eq!(links.holder(&net("10.7.0.1/8"), "lan0"), None);
        assert!(links.power_save.contains("wlan0"));
        assert_eq!(links.ways, [("lan0".into(), "10.7.0.254".into())]);
        assert_eq!(links.listening["wlan0"], "1");
        assert_eq!(links.listening["lan0"], "2");
    }
}
