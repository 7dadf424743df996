//! Which of the router's network cards is which: the file's word, else what was observed.

use crate::context::On;
use crate::obstacle::Obstacle;

impl On<'_> {
    /// The router's interface to the outside: the file's word, else that of the default route.
    ///
    /// # Errors
    /// What is in the way of knowing it.
    pub fn uplink_interface(&self) -> Result<String, Obstacle> {
        let router = self.router();
        if let Some(name) = router.and_then(|r| r.uplink.interface.clone()) {
            return Ok(name);
        }
        if router.is_some_and(|r| r.uplink.wifi.is_some()) {
            return self.wireless_interface();
        }
        let lan = router.and_then(|r| r.interface.as_deref());
        match (self.facts.default_interface.as_deref(), lan) {
            (Some(way), Some(lan)) if way == lan => Err(Obstacle {
                name: "uplink".into(),
                what: format!(
                    "its default route goes by {lan}, which the file names as the side of the LAN"
                ),
                hint: format!(
                    "name the other card in `router.uplink` or in `router.lan.interface`; {}",
                    self.cards("")
                ),
            }),
            (Some(way), _) => Ok(way.to_owned()),
            (None, _) => Err(Obstacle {
                name: "uplink".into(),
                what: "which card leads outside can't be seen: it has no default route".into(),
                hint: format!("name it in `router.uplink`; {}", self.cards("")),
            }),
        }
    }

    /// The card that joins a wireless network. While it has not, the way outside may be a cable that
    /// leads to the LAN later.
    fn wireless_interface(&self) -> Result<String, Obstacle> {
        let way = self.facts.default_interface.as_ref();
        let cards = &self.facts.wireless;
        match (way.filter(|way| cards.contains(way)), cards.as_slice()) {
            (Some(way), _) => Ok(way.clone()),
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(Obstacle {
                name: "uplink".into(),
                what:
                    "which card joins the wireless network can't be seen: it has none, or several"
                        .into(),
                hint: format!("name it in `router.uplink.interface`; {}", self.cards("")),
            }),
        }
    }

    /// The router's interface to the machines: the file's word, else its only other network card.
    ///
    /// # Errors
    /// What is in the way of knowing it.
    pub fn lan_interface(&self) -> Result<String, Obstacle> {
        if let Some(name) = self.router().and_then(|r| r.interface.clone()) {
            return Ok(name);
        }
        let uplink = self.uplink_interface()?;
        let others = || self.facts.ethernet.iter().filter(|name| **name != uplink);
        // Nobody has looked yet: a guess will do, as the first look asks the same of every card.
        let guessed = !self.inputs.facts.contains_key(&self.machine.name);
        match (others().next(), others().nth(1)) {
            (Some(first), second) if guessed || second.is_none() => Ok(first.clone()),
            (None, _) => Err(Obstacle {
                name: "lan".into(),
                what: format!("it has no network card for the LAN besides {uplink}"),
                hint: format!(
                    "a router needs two: add one (a USB adapter will do), or name the interface in `router.lan.interface`; {}",
                    self.cards("")
                ),
            }),
            (Some(_), _) => Err(Obstacle {
                name: "lan".into(),
                what: "which card leads to the LAN can't be seen: there are several".into(),
                hint: format!("name it in `router.lan.interface`; {}", self.cards(&uplink)),
            }),
        }
    }

    /// The candidates, for a hint.
    fn cards(&self, without: &str) -> String {
        let all = self.facts.ethernet.iter().chain(&self.facts.wireless);
        let names: Vec<&str> = all
            .map(String::as_str)
            .filter(|name| *name != without)
            .collect();
        match names.as_slice() {
            [] => "no network card was found".into(),
            names => format!("its cards: {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Inputs;
    use bramble_machine::Facts;
    use std::collections::BTreeMap;

    /// Uplink and LAN of a router with these lines in its section, or what is in the way.
    fn sides(section: &str, change: impl FnOnce(&mut Facts)) -> [Result<String, String>; 2] {
        let text = format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  network: {{ lan: 10.7.0.0/24 }}\n  router: {{ {section} }}\n  machines:\n    - {{ name: gate, roles: [router], address: 192.168.1.2 }}\n    - {{ name: one, roles: [control-plane], address: 10.7.0.11 }}\n"
        );
        let cluster = bramble_spec::load("c.yaml", &text).expect("a good file");
        let mut facts = Facts::default();
        change(&mut facts);
        let on = On {
            inputs: Inputs {
                cluster: &cluster,
                facts: &BTreeMap::from([("gate".to_owned(), facts.clone())]),
                bundle: None,
                assets: &BTreeMap::new(),
                secrets: &BTreeMap::new(),
                fresh: &Default::default(),
            },
            machine: cluster.machine("gate").expect("the router"),
            facts: &facts,
        };
        let said = |o: Obstacle| format!("{}; {}", o.what, o.hint);
        [on.uplink_interface(), on.lan_interface()].map(|r| r.map_err(said))
    }

    fn ok(uplink: &str, lan: &str) -> [Result<String, String>; 2] {
        [Ok(uplink.into()), Ok(lan.into())]
    }

    #[test]
    fn the_default_route_tells_the_sides() {
        assert_eq!(sides("", |_| ()), ok("eth0", "eth1"));
        let pi = |f: &mut Facts| {
            f.ethernet = vec!["eth0".into()];
            f.wireless = vec!["wlan0".into()];
            f.default_interface = Some("wlan0".into());
        };
        assert_eq!(sides("", pi), ok("wlan0", "eth0"));
    }

    #[test]
    fn the_file_has_the_first_word() {
        assert_eq!(sides("uplink: eth1", |_| ()), ok("eth1", "eth0"));
        let both = "uplink: ppp0, lan: { interface: br7 }";
        assert_eq!(sides(both, |f| f.ethernet.clear()), ok("ppp0", "br7"));
        let three = |f: &mut Facts| f.ethernet.push("eth2".into());
        assert_eq!(sides("lan: { interface: eth2 }", three), ok("eth0", "eth2"));
    }

    #[test]
    fn a_wireless_network_is_joined_before_there_is_a_route() {
        let wifi = "uplink: { wifi: { ssid: home, passwordFile: p, country: DE } }";
        let fresh = |f: &mut Facts| {
            f.ethernet = vec!["eth0".into()];
            f.wireless = vec!["wlan0".into()];
            f.default_interface = None;
        };
        assert_eq!(sides(wifi, fresh), ok("wlan0", "eth0"));
        // Set up by the cable that will lead to the machines.
        let cable = |f: &mut Facts| {
            fresh(f);
            f.default_interface = Some("eth0".into());
        };
        assert_eq!(sides(wifi, cable), ok("wlan0", "eth0"));
        let none = |f: &mut Facts| f.wireless.clear();
        let [uplink, _] = sides(wifi, none);
        let said = uplink.expect_err("an obstacle");
        assert!(
            said.contains("which card joins the wireless network"),
            "{said}"
        );
    }

    #[test]
    fn what_can_not_be_decided_names_the_candidates() {
        let [uplink, lan] = sides("", |f| f.default_interface = None);
        let said = uplink.expect_err("an obstacle");
        assert!(
            said.contains("no default route") && said.contains("eth0, eth1"),
            "{said}"
        );
        assert!(lan.is_err());
        let [_, lan] = sides("", |f| f.ethernet.push("eth2".into()));
        let said = lan.expect_err("an obstacle");
        assert!(
            said.contains("several") && said.ends_with("its cards: eth1, eth2, wlan0"),
            "{said}"
        );
        let [_, lan] = sides("", |f| f.ethernet.truncate(1));
        assert!(
            lan.expect_err("an obstacle")
                .contains("no network card for the LAN besides eth0")
        );
        let [uplink, _] = sides("lan: { interface: eth0 }", |_| ());
        assert!(
            uplink
                .expect_err("an obstacle")
                .contains("which the file names as the side of the LAN")
        );
    }
}
