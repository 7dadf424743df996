//! macOS: routes by route(8), names by resolver(5).

use super::platform::{
    Argv, LinkDns, LocalRoute, Names, Platform, Resolver, Run, Way, argv, route,
};
use crate::error::CliError;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Its resolver reads a file for each domain.
const FOLDER: &str = "/etc/resolver";

/// macOS with these programs.
pub struct MacOs<'a> {
    /// Who runs them.
    pub run: &'a dyn Run,
}

impl Platform for MacOs<'_> {
    fn way(&self, to: Ipv4Addr) -> Result<Way, CliError> {
        let said = self
            .run
            .run(&argv(&["route", "-n", "get", &to.to_string()]))?;
        let get = |key: &str| {
            let mut lines = said.lines().filter_map(|l| l.trim().split_once(": "));
            lines.find(|(k, _)| *k == key).map(|(_, v)| v.trim())
        };
        let unclear =
            || CliError::failed(format!("`route get {to}` says nothing that makes sense"));
        let device = get("interface").ok_or_else(unclear)?;
        let own = own(&self.run.run(&argv(&["ifconfig", device]))?).ok_or_else(unclear)?;
        Ok(Way {
            device: device.to_owned(),
            own,
            gateway: get("gateway").and_then(|g| g.parse().ok()),
            local: device.starts_with("lo") || own.addr() == to,
        })
    }

    fn routes(&self) -> Result<Vec<LocalRoute>, CliError> {
        let text = self.run.run(&argv(&["netstat", "-rn", "-f", "inet"]))?;
        Ok(text.lines().filter_map(read_route).collect())
    }

    fn add(&self, to: Ipv4Net, via: Ipv4Addr) -> Argv {
        route(&["route", "-n", "add", "-net"], to, &[], via)
    }

    fn delete(&self, to: Ipv4Net, via: Ipv4Addr) -> Argv {
        route(&["route", "-n", "delete", "-net"], to, &[], via)
    }

    fn resolver(&self, names: &Names, _old: &[LinkDns]) -> Resolver {
        let content = format!(
            "# Made by `bramble workstation connect`.\nnameserver {}\n",
            names.server
        );
        let file = |domain: &String| -> (PathBuf, String) {
            (Path::new(FOLDER).join(domain), content.clone())
        };
        Resolver::Settings {
            who: "resolver(5)",
            files: names.domains.iter().map(file).collect(),
            links: Vec::new(),
            then: None,
        }
    }

    fn reload(&self) -> Option<Argv> {
        None
    }

    fn programs(&self) -> &'static [&'static str] {
        &["route", "ifconfig", "netstat"]
    }
}

/// The first address that `ifconfig` shows: `inet 192.168.1.7 netmask 0xffffff00 broadcast ...`.
fn own(text: &str) -> Option<Ipv4Net> {
    let line = text.lines().find_map(|l| l.trim().strip_prefix("inet "))?;
    let mut words = line.split_whitespace();
    let address: Ipv4Addr = words.next()?.parse().ok()?;
    let mask = words.skip_while(|w| *w != "netmask").nth(1)?;
    let mask = u32::from_str_radix(mask.trim_start_matches("0x"), 16).ok()?;
    Ipv4Net::with_netmask(address, mask.into()).ok()
}

/// A line of `netstat -rn`: destination, gateway, flags, interface.
fn read_route(line: &str) -> Option<LocalRoute> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [to, via, flags, device, ..] = words.as_slice() else {
        return None;
    };
    // H: a neighbor that was seen, W: made of another route, B: broadcast. Their networks have a line.
    if flags.contains(['H', 'W', 'b']) || !flags.starts_with('U') {
        return None;
    }
    Some(LocalRoute {
        to: network(to)?,
        via: via.parse().ok(),
        device: (*device).to_owned(),
    })
}

/// Zeros at the end are left out: `10.77/24`, and without a length `192.168.1`, which has one for each octet.
fn network(text: &str) -> Option<Ipv4Net> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let mut octets = [0; 4];
    let parts: Vec<&str> = address.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    for (octet, part) in octets.iter_mut().zip(&parts) {
        *octet = part.parse().ok()?;
    }
    let usual = u8::try_from(parts.len() * 8).ok()?;
    Ipv4Net::new(octets.into(), length.unwrap_or(usual)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::platform::tests::{Said, net};
    use super::*;
    use std::collections::BTreeMap;

    const NEAR: &str = "   route to: 192.168.1.100\ndestination: 192.168.1.100\n  interface: en0\n      flags: <UP,HOST,DONE,LLINFO,WASCLONED,IFSCOPE,IFREF>\n recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n       0         0         0         0         0         0      1500      1181\n";
    const FAR: &str = "   route to: 10.1.1.1\ndestination: default\n       mask: default\n    gateway: 192.168.1.1\n  interface: en0\n      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>\n";
    const CARD: &str = "en0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\tether 11:22:33:44:55:66\n\tinet6 fe80::1 prefixlen 64 secured scopeid 0xe\n\tinet 192.168.1.7 netmask 0xffffff00 broadcast 192.168.1.255\n\tmedia: autoselect\n";
    const TABLE: &str = "Routing tables\n\nInternet:\nDestination        Gateway            Flags               Netif Expire\ndefault            192.168.1.1        UGScg                 en0\n10.8.0/24          10.8.0.2           UGSc                utun4\n10.77/24           192.168.1.100      UGSc                  en0\n10.244/16          192.168.1.100      UGSc                  en0\n127                127.0.0.1          UCS                   lo0\n127.0.0.1          127.0.0.1          UH                    lo0\n169.254            link#14            UCS                   en0      !\n192.168.1          link#14            UCS                   en0      !\n192.168.1.1/32     link#14            UCS                   en0      !\n192.168.1.1        aa:bb:cc:dd:ee:ff  UHLWIir               en0   1182\n";

    #[test]
    fn ways_are_read() {
        let said = Said(BTreeMap::from([
            ("route -n get 192.168.1.100", NEAR),
            ("route -n get 10.1.1.1", FAR),
            ("ifconfig en0", CARD),
        ]));
        let mac = MacOs { run: &said };
        let way = |to: &str| mac.way(to.parse().expect("an address")).expect("a way");
        let near = way("192.168.1.100");
        assert_eq!(
            (near.device.as_str(), near.own, near.gateway, near.local),
            ("en0", net("192.168.1.7/24"), None, false)
        );
        assert_eq!(way("10.1.1.1").gateway, "192.168.1.1".parse().ok());
    }

    #[test]
    fn routes_are_read() {
        let said = Said(BTreeMap::from([("netstat -rn -f inet", TABLE)]));
        let routes = MacOs { run: &said }.routes().expect("routes");
        let seen: Vec<String> = routes
            .iter()
            .map(|r| format!("{} {:?} {}", r.to, r.via, r.device))
            .collect();
        assert_eq!(
            seen,
            [
                "10.8.0.0/24 Some(10.8.0.2) utun4",
                "10.77.0.0/24 Some(192.168.1.100) en0",
                "10.244.0.0/16 Some(192.168.1.100) en0",
                "127.0.0.0/8 Some(127.0.0.1) lo0",
                "169.254.0.0/16 None en0",
                "192.168.1.0/24 None en0",
                "192.168.1.1/32 None en0",
            ]
        );
    }

    #[test]
    fn routes_and_names_are_set_in_its_words() {
        let said = Said(BTreeMap::new());
        let mac = MacOs { run: &said };
        let (to, via) = (
            net("10.77.0.0/24"),
            "192.168.1.100".parse().expect("an address"),
        );
        assert_eq!(
            mac.add(to, via).join(" "),
            "route -n add -net 10.77.0.0/24 192.168.1.100"
        );
        assert_eq!(
            mac.delete(to, via).join(" "),
            "route -n delete -net 10.77.0.0/24 192.168.1.100"
        );
        let names = Names {
            cluster: "ceil".into(),
            domains: vec!["ceil.internal".into(), "0.77.10.in-addr.arpa".into()],
            server: "10.77.0.1".parse().expect("an address"),
            device: "en0".into(),
        };
        let Resolver::Settings { files, then, .. } = mac.resolver(&names, &[]) else {
            panic!("files");
        };
        let paths: Vec<_> = files.iter().map(|(p, _)| p.display().to_string()).collect();
        assert_eq!(
            paths,
            [
                "/etc/resolver/ceil.internal",
                "/etc/resolver/0.77.10.in-addr.arpa"
            ]
        );
        assert!(
            files
                .iter()
                .all(|(_, c)| c.ends_with("\nnameserver 10.77.0.1\n"))
        );
        assert_eq!(then, None);
    }
}
