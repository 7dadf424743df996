//! Linux: routes by iproute2, names by systemd-resolved where it runs.

use super::platform::{
    Argv, LinkDns, LocalRoute, Names, Platform, Resolver, Run, Way, argv, route,
};
use super::resolved;
use crate::error::CliError;
use ipnet::Ipv4Net;
use serde_json::Value;
use std::net::Ipv4Addr;

/// Linux with these programs.
pub struct Linux<'a> {
    /// Who runs them.
    pub run: &'a dyn Run,
}

impl Linux<'_> {
    /// What `ip -j` prints: a list.
    fn ip(&self, words: &[&str]) -> Result<Vec<Value>, CliError> {
        let all = argv(&[&["ip", "-j", "-4"], words].concat());
        let text = self.run.run(&all)?;
        // Nothing to show is no text in older releases.
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(&text)
            .map_err(|error| CliError::failed(format!("{}: {error}", all.join(" "))))
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str()
}

impl Platform for Linux<'_> {
    fn way(&self, to: Ipv4Addr) -> Result<Way, CliError> {
        let found = self.ip(&["route", "get", &to.to_string()])?;
        let unclear =
            || CliError::failed(format!("`ip route get {to}` says nothing that makes sense"));
        let route = found.first().ok_or_else(unclear)?;
        let device = text(route, "dev").ok_or_else(unclear)?;
        let source: Ipv4Addr = text(route, "prefsrc")
            .and_then(|a| a.parse().ok())
            .ok_or_else(unclear)?;
        let all = self.ip(&["addr", "show", "dev", device])?;
        let addresses = all
            .iter()
            .filter_map(|i| i["addr_info"].as_array())
            .flatten();
        let length = addresses
            .filter(|a| text(a, "local") == Some(source.to_string().as_str()))
            .find_map(|a| a["prefixlen"].as_u64())
            .and_then(|l| u8::try_from(l).ok());
        Ok(Way {
            device: device.to_owned(),
            own: Ipv4Net::new(source, length.unwrap_or(32)).map_err(|_| unclear())?,
            gateway: text(route, "gateway").and_then(|g| g.parse().ok()),
            local: text(route, "type") == Some("local"),
        })
    }

    fn routes(&self) -> Result<Vec<LocalRoute>, CliError> {
        let all = self.ip(&["route", "show", "table", "all"])?;
        Ok(all.iter().filter_map(read_route).collect())
    }

    fn add(&self, to: Ipv4Net, via: Ipv4Addr) -> Argv {
        route(&["ip", "route", "add"], to, &["via"], via)
    }

    fn delete(&self, to: Ipv4Net, via: Ipv4Addr) -> Argv {
        route(&["ip", "route", "del"], to, &["via"], via)
    }

    /// All of it is gone with the next start, as routes are.
    fn resolver(&self, names: &Names, old: &[LinkDns]) -> Resolver {
        resolved::resolver(self.run, names, old)
    }

    fn reload(&self) -> Option<Argv> {
        resolved::reload()
    }

    fn set_link(&self, link: &LinkDns) -> Vec<Argv> {
        resolved::set(link)
    }

    fn unset_link(&self, link: &LinkDns) -> Vec<Argv> {
        resolved::unset(link)
    }

    fn holds_link(&self, link: &LinkDns) -> bool {
        resolved::holds(self.run, link)
    }

    fn touches_link(&self, link: &LinkDns) -> bool {
        resolved::touched(self.run, link)
    }

    fn programs(&self) -> &'static [&'static str] {
        &["ip"]
    }
}

/// Addresses of this computer and default routes are none that could overlap.
fn read_route(route: &Value) -> Option<LocalRoute> {
    let kind = text(route, "type").unwrap_or("unicast");
    if text(route, "table") == Some("local") || matches!(kind, "local" | "broadcast" | "multicast")
    {
        return None;
    }
    let to = text(route, "dst")?;
    // One address is written without a length; `default` is none.
    let to = to
        .parse::<Ipv4Net>()
        .or_else(|_| to.parse::<Ipv4Addr>().map(Ipv4Net::from))
        .ok()?;
    Some(LocalRoute {
        to,
        via: text(route, "gateway").and_then(|g| g.parse().ok()),
        device: text(route, "dev").unwrap_or(kind).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::platform::tests::{Said, net};
    use super::*;
    use std::collections::BTreeMap;

    const ADDR: &str = r#"[{"ifname":"wlan0","addr_info":[{"family":"inet","local":"192.168.1.7","prefixlen":24,"scope":"global"}]}]"#;

    #[test]
    fn ways_are_read() {
        let said = Said(BTreeMap::from([
            (
                "ip -j -4 route get 192.168.1.100",
                r#"[{"dst":"192.168.1.100","dev":"wlan0","prefsrc":"192.168.1.7","flags":[],"uid":0,"cache":[]}]"#,
            ),
            (
                "ip -j -4 route get 10.1.1.1",
                r#"[{"dst":"10.1.1.1","gateway":"192.168.1.1","dev":"wlan0","prefsrc":"192.168.1.7","flags":[]}]"#,
            ),
            (
                "ip -j -4 route get 192.168.1.7",
                r#"[{"type":"local","dst":"192.168.1.7","dev":"lo","prefsrc":"192.168.1.7","flags":[]}]"#,
            ),
            ("ip -j -4 addr show dev wlan0", ADDR),
            ("ip -j -4 addr show dev lo", "[{}]"),
        ]));
        let linux = Linux { run: &said };
        let way = |to: &str| linux.way(to.parse().expect("an address")).expect("a way");
        let near = way("192.168.1.100");
        assert_eq!(
            (near.device.as_str(), near.own, near.gateway),
            ("wlan0", net("192.168.1.7/24"), None)
        );
        assert_eq!(way("10.1.1.1").gateway, "192.168.1.1".parse().ok());
        assert!(way("192.168.1.7").local);
    }

    #[test]
    fn routes_are_read() {
        let said = Said(BTreeMap::from([(
            "ip -j -4 route show table all",
            r#"[{"dst":"default","gateway":"192.168.1.1","dev":"wlan0"},
                {"dst":"10.8.0.0/24","dev":"wg0","scope":"link"},
                {"dst":"10.77.0.0/24","gateway":"192.168.1.100","dev":"wlan0"},
                {"dst":"10.99.0.1","dev":"tun0"},
                {"type":"unreachable","dst":"10.5.0.0/16"},
                {"type":"local","dst":"10.8.0.2","dev":"wg0","table":"local"},
                {"type":"broadcast","dst":"192.168.1.255","dev":"wlan0","table":"local"}]"#,
        )]));
        let routes = Linux { run: &said }.routes().expect("routes");
        let seen: Vec<String> = routes
            .iter()
            .map(|r| format!("{} {:?} {}", r.to, r.via, r.device))
            .collect();
        assert_eq!(
            seen,
            [
                "10.8.0.0/24 None wg0",
                "10.77.0.0/24 Some(192.168.1.100) wlan0",
                "10.99.0.1/32 None tun0",
                "10.5.0.0/16 None unreachable",
            ]
        );
    }
}
