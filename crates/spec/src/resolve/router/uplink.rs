//! Rules for the way outside: interface, address, wireless network.

use super::Sides;
use crate::cluster::{Uplink, UplinkAddress, Wifi};
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::machines::Known;
use crate::resolve::network::edge;
use crate::resolve::{Resolver, route};
use crate::shape::Seg;
use crate::tree::shorten;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

impl Resolver<'_> {
    pub(super) fn uplink(
        &mut self,
        section: &written::Router,
        machine: &Known,
        sides: &Sides,
    ) -> Uplink {
        let (settings, name_path) = match &section.uplink {
            None => (written::UplinkSettings::default(), below!["uplink"]),
            Some(written::Uplink::Name(name)) => {
                let settings = written::UplinkSettings {
                    interface: Some(name.clone()),
                    ..Default::default()
                };
                (settings, below!["uplink"])
            }
            Some(written::Uplink::Settings(settings)) => {
                (settings.clone(), below!["uplink", "interface"])
            }
        };
        if let Some(name) = &settings.interface {
            self.interface(name, &name_path);
            let lan = section.lan.as_ref().and_then(|l| l.interface.as_ref());
            self.two_cards(name, &name_path, lan);
        }
        let address = self.uplink_address(&settings, machine, sides);
        let wifi = settings.wifi.as_ref();
        let wifi = wifi.and_then(|w| self.wifi(w));
        Uplink {
            interface: settings.interface,
            address,
            wifi,
        }
    }

    pub(super) fn interface(&mut self, name: &str, path: &[Seg]) {
        let good = (1..=15).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name != "lo";
        // An address is made of the same characters; it belongs to another key.
        let address = name.parse::<IpAddr>().is_ok();
        if !good || address {
            self.report(
                "bad-interface",
                path,
                format!("`{}` can't be the name of a network card", shorten(name)),
                "write a name that `ip link` shows on the router, such as eth0",
            );
        }
    }

    fn two_cards(&mut self, uplink: &str, uplink_path: &[Seg], lan: Option<&String>) {
        if lan.map(String::as_str) != Some(uplink) {
            return;
        }
        let problem = Problem::new(
            "uplink-is-lan",
            self.place(&below!["lan", "interface"]),
            format!(
                "`{}` can't be the uplink and the side of the LAN at once",
                shorten(uplink)
            ),
        )
        .hint("a router needs two network cards: name the other one here")
        .related(self.place(uplink_path), "the uplink");
        self.push(problem);
    }

    fn uplink_address(
        &mut self,
        settings: &written::UplinkSettings,
        machine: &Known,
        sides: &Sides,
    ) -> UplinkAddress {
        let address = match settings.address.as_deref() {
            Some("dhcp") => UplinkAddress::Dhcp,
            Some(text) => {
                // What goes with a static address is checked even if that one is wrong.
                let address = self.static_address(text, machine, sides.lan());
                let gateway = self.gateway(settings, address);
                let dns = self.name_servers(&settings.dns);
                return match address {
                    None => UplinkAddress::Kept,
                    Some(address) => UplinkAddress::Static {
                        address,
                        gateway,
                        dns,
                    },
                };
            }
            // A wireless network that the machine is not in has given it no address yet.
            None if settings.wifi.is_some() => UplinkAddress::Dhcp,
            None => UplinkAddress::Kept,
        };
        if !self.lost(&below!["uplink", "address"]) {
            for (key, given) in [
                ("gateway", settings.gateway.is_some()),
                ("dns", !settings.dns.is_empty()),
            ] {
                if given {
                    self.without_address(key);
                }
            }
        }
        address
    }

    fn without_address(&mut self, key: &str) {
        let problem = Problem::new(
            "uplink-option",
            self.key_place(&below!["uplink", key]),
            format!("`{key}` of the uplink means nothing without a static address"),
        )
        .hint("remove it, or give `address`, such as 192.168.1.100/24");
        self.push(problem);
    }

    fn static_address(
        &mut self,
        text: &str,
        machine: &Known,
        lan: Option<Ipv4Net>,
    ) -> Option<Ipv4Net> {
        let path = below!["uplink", "address"];
        let Ok(address) = text.parse::<Ipv4Net>() else {
            let hint = match text.parse::<Ipv4Addr>() {
                Ok(bare) => format!(
                    "add the length of its network's prefix, such as {bare}/24, or write `dhcp`"
                ),
                Err(_) => "write `dhcp`, or an address with the length of its network's prefix, such as 192.168.1.100/24".to_owned(),
            };
            self.report(
                "bad-uplink-address",
                &path,
                format!("`{}` is no address of the uplink", shorten(text)),
                hint,
            );
            return None;
        };
        let bare = address.addr();
        self.ip(&bare.to_string(), &path, "the uplink", "use another one")?;
        let net = address.trunc();
        if let Some(lan) = lan.filter(|lan| net.contains(lan) || lan.contains(&net)) {
            let problem = Problem::new(
                "uplink-in-lan",
                self.place(&path),
                format!("the uplink's network {net} and the LAN {lan} overlap"),
            )
            .hint("the router's two sides need networks of their own")
            .related(self.place(&route!["spec", "network", "lan"]), "the LAN");
            self.push(problem);
            return None;
        }
        if let Some(what) = edge(IpNet::V4(net), IpAddr::V4(bare)) {
            self.report(
                "uplink-edge",
                &path,
                format!("{bare} is the {what} address of {net}"),
                "no machine can have it: use an address in between",
            );
            return None;
        }
        self.same_as_machine(address, machine, &path);
        Some(address)
    }

    /// SSH would look for the router where it is no more.
    fn same_as_machine(&mut self, uplink: Ipv4Net, machine: &Known, path: &[Seg]) {
        let management = self.written(&machine.path("management"));
        let Some(IpAddr::V4(outside)) = machine.outside.filter(|_| !management) else {
            return;
        };
        if outside == uplink.addr() || !uplink.contains(&outside) {
            return;
        }
        let problem = Problem::new(
            "uplink-moves",
            self.place(path),
            format!(
                "the uplink gets {}, but SSH looks for the router at {outside}",
                uplink.addr()
            ),
        )
        .hint("write the same address at both places")
        .related(
            self.place(&machine.path("address")),
            "the router's address outside",
        );
        self.push(problem);
    }

    fn gateway(
        &mut self,
        settings: &written::UplinkSettings,
        own: Option<Ipv4Net>,
    ) -> Option<Ipv4Addr> {
        let path = below!["uplink", "gateway"];
        let Some(text) = &settings.gateway else {
            if !self.lost(&path) {
                self.report(
                    "uplink-without-gateway",
                    &below!["uplink", "address"],
                    "the uplink has a static address, but no `gateway`: nothing beyond its network could be reached",
                    "add `gateway:`, the address of the next router; `gateway: none` if there is none",
                );
            }
            return None;
        };
        if text == "none" {
            return None;
        }
        let address = self.router_ip(text, &path, "the next router")?;
        let own = own?;
        match address {
            IpAddr::V4(gateway) if own.trunc().contains(&gateway) && gateway != own.addr() => {
                Some(gateway)
            }
            gateway => {
                self.report(
                    "bad-gateway",
                    &path,
                    format!("{gateway} can't be the next router of {own}"),
                    format!("it must be another address of {}", own.trunc()),
                );
                None
            }
        }
    }

    fn name_servers(&mut self, texts: &[String]) -> Vec<IpAddr> {
        let mut out = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            out.extend(self.router_ip(text, &below!["uplink", "dns", i], "a name server"));
        }
        out
    }

    fn wifi(&mut self, wifi: &written::Wifi) -> Option<Wifi> {
        if let Some(ssid) = &wifi.ssid
            && (!(1..=32).contains(&ssid.len()) || ssid.chars().any(char::is_control))
        {
            self.report(
                "bad-ssid",
                &below!["uplink", "wifi", "ssid"],
                format!(
                    "`{}` can't be the name of a wireless network",
                    shorten(ssid)
                ),
                "it has 1 to 32 bytes",
            );
        }
        if let Some(file) = &wifi.password_file {
            self.path_value(file, &below!["uplink", "wifi", "passwordFile"]);
        }
        if let Some(country) = &wifi.country {
            self.country(country);
        }
        Some(Wifi {
            ssid: wifi.ssid.clone()?,
            password_file: wifi.password_file.clone()?,
            country: wifi.country.clone()?,
        })
    }

    fn country(&mut self, text: &str) {
        let upper = text.to_ascii_uppercase();
        let letters = text.len() == 2 && text.chars().all(|c| c.is_ascii_alphabetic());
        let hint = match upper.as_str() {
            // The rules for wireless networks are listed by ISO codes alone.
            "UK" => "write GB".to_owned(),
            _ if letters && upper == text => return,
            _ if letters => format!("write {upper}"),
            _ => "write its two capital letters, such as DE".to_owned(),
        };
        self.report(
            "bad-country",
            &below!["uplink", "wifi", "country"],
            format!("`{}` is not the code of a country", shorten(text)),
            hint,
        );
    }
}
