//! What a lab should be: networks and machines, checked before anything is made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Networks and machines of one lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The lab's name: a DNS label, unique on this computer. A cluster's may be as long.
    pub name: String,
    /// Its networks.
    pub networks: Vec<Net>,
    /// Its machines.
    pub machines: Vec<LabMachine>,
}

/// An Ethernet segment: a bridge on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Net {
    /// Its name, unique in the lab.
    pub name: String,
    /// The range of its addresses; labs may not overlap each other or this computer's networks.
    pub range: Ipv4Net,
    /// This computer's own address on the bridge, by which the operator reaches the machines and,
    /// with [`Net::nat`], the machines' way outside.
    pub gateway: Option<Ipv4Addr>,
    /// Whether machines reach the outside through this computer (masqueraded). Needs a gateway.
    pub nat: bool,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabMachine {
    /// Its name and host name: a DNS label of at most 39 characters, unique in the lab.
    pub name: String,
    /// Its network interfaces, in order.
    pub links: Vec<Link>,
    /// Whether it is switched on with the lab.
    #[serde(default)]
    pub boot: Boot,
}

/// Whether a machine is switched on when it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boot {
    /// On, and awaited.
    #[default]
    On,
    /// Its disk is made; `start` switches it on later.
    Off,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The network's name.
    pub net: String,
    /// The interface's name inside; `host0`, `host1` and so on by position where absent.
    #[serde(default)]
    pub interface: Option<String>,
    /// The hardware address, such as `02:00:00:00:00:01`; made from the names where absent.
    #[serde(default)]
    pub mac: Option<String>,
    /// How it gets its address.
    pub address: AddressMode,
}

/// How an interface gets its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressMode {
    /// Written on the machine's disk.
    Static {
        /// The address with its network's prefix length.
        address: Ipv4Net,
        /// The default route.
        gateway: Option<Ipv4Addr>,
        /// Name servers for `/etc/resolv.conf`; where empty and the network has [`Net::nat`], those
        /// of this computer.
        dns: Vec<Ipv4Addr>,
    },
    /// Asked for on the network; nobody knows what it will be.
    Dhcp,
    /// Asked for on the network, where a DHCP server is to give this one. It counts as the machine's
    /// address wherever that is named, and nobody waits for it.
    Reserved(Ipv4Addr),
    /// Left alone: the interface is there, down and without configuration.
    None,
}

impl Link {
    /// The interface's name inside the machine, given its position.
    pub fn interface_name(&self, position: usize) -> String {
        self.interface
            .clone()
            .unwrap_or_else(|| format!("host{position}"))
    }
}

impl Topology {
    /// Checks everything that can be checked without this computer.
    ///
    /// # Errors
    /// [`Error::Topology`] with all findings at once.
    pub fn validate(&self) -> Result<()> {
        let mut findings = Vec::new();
        label("lab name", &self.name, 63, &mut findings);
        let mut nets: BTreeMap<&str, &Net> = BTreeMap::new();
        for net in &self.networks {
            label("network name", &net.name, 39, &mut findings);
            if nets.insert(&net.name, net).is_some() {
                findings.push(format!("network {} is there twice", net.name));
            }
            net.check(&mut findings);
        }
        for (at, one) in self.networks.iter().enumerate() {
            for other in &self.networks[at + 1..] {
                if overlap(one.range, other.range) {
                    findings.push(format!(
                        "networks {} ({}) and {} ({}) overlap",
                        one.name, one.range, other.name, other.range
                    ));
                }
            }
        }
        let mut seen = Seen::default();
        for net in &self.networks {
            if let Some(gateway) = net.gateway {
                seen.addresses
                    .insert(gateway, format!("the gateway of {}", net.name));
            }
        }
        for machine in &self.machines {
            machine.check(&nets, &mut seen, &mut findings);
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(Error::Topology(findings.join("; ")))
        }
    }
}

/// What must be unique over all machines of a lab.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    addresses: BTreeMap<Ipv4Addr, String>,
    macs: BTreeMap<String, String>,
}

impl Net {
    fn check(&self, findings: &mut Vec<String>) {
        let name = &self.name;
        if self.range != self.range.trunc() {
            findings.push(format!(
                "network {name}: {} is an address in {}, not a range",
                self.range,
                self.range.trunc()
            ));
        }
        if !(8..=30).contains(&self.range.prefix_len()) {
            findings.push(format!(
                "network {name}: range {} must have a prefix length of 8 to 30",
                self.range
            ));
        }
        match self.gateway {
            Some(gateway) if !is_host(self.range, gateway) => findings.push(format!(
                "network {name}: gateway {gateway} is no host address of {}",
                self.range
            )),
            None if self.nat => findings.push(format!(
                "network {name}: nat needs a gateway address for this computer"
            )),
            _ => {}
        }
    }
}

impl LabMachine {
    fn check(&self, nets: &BTreeMap<&str, &Net>, seen: &mut Seen, findings: &mut Vec<String>) {
        let name = &self.name;
        label("machine name", name, 39, findings);
        if !seen.names.insert(name.clone()) {
            findings.push(format!("machine {name} is there twice"));
        }
        let mut interfaces = BTreeSet::new();
        for (position, link) in self.links.iter().enumerate() {
            let interface = link.interface_name(position);
            if !is_interface(&interface) {
                findings.push(format!(
                    "machine {name}: {interface:?} can't be an interface's name (1 to 15 letters, digits, '-', '_', '.')"
                ));
            }
            if !interfaces.insert(interface.clone()) {
                findings.push(format!(
                    "machine {name}: interface {interface} is there twice"
                ));
            }
            if let Some(mac) = &link.mac {
                match parse_mac(mac) {
                    None => findings.push(format!(
                        "machine {name}: {mac:?} is no hardware address of one interface"
                    )),
                    Some(mac) => {
                        if let Some(other) = seen.macs.insert(mac.clone(), name.clone()) {
                            findings.push(format!("machine {name}: {mac} belongs to {other}"));
                        }
                    }
                }
            }
            let Some(net) = nets.get(link.net.as_str()) else {
                findings.push(format!("machine {name}: there is no network {}", link.net));
                continue;
            };
            self.check_address(net, &link.address, seen, findings);
        }
    }

    fn check_address(
        &self,
        net: &Net,
        address: &AddressMode,
        seen: &mut Seen,
        findings: &mut Vec<String>,
    ) {
        let name = &self.name;
        let prefix = net.range.prefix_len();
        let (own, length, gateway) = match address {
            AddressMode::Static {
                address, gateway, ..
            } => (address.addr(), address.prefix_len(), *gateway),
            AddressMode::Reserved(address) => (*address, prefix, None),
            AddressMode::Dhcp | AddressMode::None => return,
        };
        if !is_host(net.range, own) || length != prefix {
            findings.push(format!(
                "machine {name}: {own}/{length} is no host address of {} ({})",
                net.name, net.range
            ));
        }
        if let Some(other) = seen.addresses.insert(own, name.clone()) {
            findings.push(format!("machine {name}: {own} belongs to {other}"));
        }
        if let Some(gateway) = gateway
            && !is_host(net.range, gateway)
        {
            findings.push(format!(
                "machine {name}: gateway {gateway} is no host address of {} ({})",
                net.name, net.range
            ));
        }
    }

    /// The addresses that are written on this machine's disk.
    pub fn static_addresses(&self) -> Vec<Ipv4Addr> {
        let own = |link: &Link| match &link.address {
            AddressMode::Static { address, .. } => Some(address.addr()),
            _ => None,
        };
        self.links.iter().filter_map(own).collect()
    }

    /// The addresses that this machine asks for and is to be given.
    pub fn reserved_addresses(&self) -> Vec<Ipv4Addr> {
        let own = |link: &Link| match link.address {
            AddressMode::Reserved(address) => Some(address),
            _ => None,
        };
        self.links.iter().filter_map(own).collect()
    }

    /// All addresses by which this machine is known: those on its disk, and those that it is to be
    /// given.
    pub fn known_addresses(&self) -> Vec<Ipv4Addr> {
        let mut all = self.static_addresses();
        all.extend(self.reserved_addresses());
        all
    }
}

/// Whether two ranges share an address.
pub(crate) fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

fn is_host(range: Ipv4Net, address: Ipv4Addr) -> bool {
    range.contains(&address) && address != range.network() && address != range.broadcast()
}

fn label(what: &str, text: &str, longest: usize, findings: &mut Vec<String>) {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = !text.is_empty()
        && text.len() <= longest
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if !good {
        findings.push(format!(
            "{what} {text:?} must be 1 to {longest} lower-case letters, digits or '-', not starting or ending with '-'"
        ));
    }
}

fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name != "lo"
        && name != "."
        && name != ".."
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// The address in lower case, if it is one of a single interface.
fn parse_mac(text: &str) -> Option<String> {
    let bytes: Vec<u8> = text
        .split(':')
        .map(|part| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok())?)
        .collect::<Option<_>>()?;
    let unicast = bytes.len() == 6 && bytes[0] & 1 == 0 && bytes.iter().any(|b| *b != 0);
    unicast.then(|| text.to_ascii_lowercase())
}

/// A short stable name part made from longer names.
pub(crate) fn digest(parts: &[&str], hex_digits: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(hex_digits);
    text
}

/// The bridge of a network on this computer.
pub(crate) fn bridge_name(lab: &str, net: &str) -> String {
    format!("brl-{}", digest(&[lab, net], 8))
}

/// This computer's end of a machine's interface.
pub(crate) fn veth_name(lab: &str, machine: &str, position: usize) -> String {
    format!("vb-{}", digest(&[lab, machine, &position.to_string()], 10))
}

/// The hardware address of a link: given, or made from the names (locally administered).
pub(crate) fn mac_address(lab: &str, machine: &str, position: usize, link: &Link) -> String {
    if let Some(mac) = &link.mac {
        return mac.to_ascii_lowercase();
    }
    let d = digest(&["mac", lab, machine, &position.to_string()], 10);
    let pairs: Vec<&str> = (0..5).map(|i| &d[i * 2..i * 2 + 2]).collect();
    format!("02:{}", pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(name: &str, range: &str, gateway: Option<&str>) -> Net {
        Net {
            name: name.into(),
            range: range.parse().unwrap(),
            gateway: gateway.map(|g| g.parse().unwrap()),
            nat: gateway.is_some(),
        }
    }

    fn machine(name: &str, net: &str, address: &str) -> LabMachine {
        LabMachine {
            name: name.into(),
            links: vec![Link {
                net: net.into(),
                interface: None,
                mac: None,
                address: AddressMode::Static {
                    address: address.parse().unwrap(),
                    gateway: None,
                    dns: vec![],
                },
            }],
            boot: Boot::On,
        }
    }

    #[test]
    fn a_sound_topology_passes() {
        let t = Topology {
            name: "ceil".into(),
            networks: vec![net("lan", "10.1.0.0/24", Some("10.1.0.1"))],
            machines: vec![machine("one", "lan", "10.1.0.2/24")],
        };
        t.validate().unwrap();
    }

    /// A button's is its id with date and time behind it.
    #[test]
    fn a_lab_may_be_called_as_any_cluster() {
        let lab = |name: String| Topology {
            name,
            networks: vec![net("lan", "10.1.0.0/24", Some("10.1.0.1"))],
            machines: vec![machine("one", "lan", "10.1.0.2/24")],
        };
        lab("c".repeat(63)).validate().unwrap();
        lab("c".repeat(64)).validate().unwrap_err();
    }

    #[test]
    fn all_findings_are_said_at_once() {
        let mut bad = machine("Two", "lan", "10.1.0.1/24");
        bad.links[0].mac = Some("01:00:00:00:00:01".into());
        bad.links[0].interface = Some("much-too-long-a-name".into());
        let t = Topology {
            name: "-x".into(),
            networks: vec![
                net("lan", "10.1.0.0/24", Some("10.1.0.1")),
                net("wan", "10.1.0.128/25", Some("10.9.0.1")),
            ],
            machines: vec![
                machine("one", "dmz", "10.1.0.3/24"),
                bad,
                machine("three", "lan", "10.1.0.255/24"),
            ],
        };
        let text = t.validate().unwrap_err().to_string();
        for part in [
            "lab name \"-x\"",
            "networks lan (10.1.0.0/24) and wan (10.1.0.128/25) overlap",
            "gateway 10.9.0.1 is no host address",
            "machine one: there is no network dmz",
            "machine name \"Two\"",
            "\"01:00:00:00:00:01\" is no hardware address",
            "\"much-too-long-a-name\" can't be an interface's name",
            "10.1.0.1 belongs to the gateway of lan",
            "machine three: 10.1.0.255/24 is no host address",
        ] {
            assert!(text.contains(part), "{part} not in: {text}");
        }
    }

    #[test]
    fn a_reserved_address_is_checked_and_known() {
        let mut one = machine("one", "lan", "10.1.0.2/24");
        one.links[0].address = AddressMode::Reserved("10.1.0.11".parse().unwrap());
        assert_eq!(one.static_addresses(), Vec::<Ipv4Addr>::new());
        assert_eq!(one.known_addresses(), one.reserved_addresses());
        let mut two = one.clone();
        two.name = "two".into();
        let mut three = machine("three", "lan", "10.1.0.3/24");
        three.links[0].address = AddressMode::Reserved("10.2.0.3".parse().unwrap());
        let t = Topology {
            name: "ceil".into(),
            networks: vec![net("lan", "10.1.0.0/24", None)],
            machines: vec![one, two, three],
        };
        let text = t.validate().unwrap_err().to_string();
        assert!(
            text.contains("machine two: 10.1.0.11 belongs to one"),
            "{text}"
        );
        assert!(
            text.contains("10.2.0.3/24 is no host address of lan"),
            "{text}"
        );
    }

    #[test]
    fn records_of_earlier_releases_are_read() {
        let read = |text: &str| serde_json::from_str::<AddressMode>(text).unwrap();
        assert_eq!(read("\"dhcp\""), AddressMode::Dhcp);
        assert_eq!(read("\"none\""), AddressMode::None);
        let reserved = AddressMode::Reserved("10.1.0.11".parse().unwrap());
        let text = serde_json::to_string(&reserved).unwrap();
        assert_eq!(read(&text), reserved);
    }

    #[test]
    fn made_names_fit_the_kernel() {
        assert!(bridge_name("a-long-name-of-some-lab", "lan").len() <= 15);
        assert!(veth_name("a-long-name-of-some-lab", "machine", 12).len() <= 15);
        let link = machine("one", "lan", "10.1.0.2/24").links.remove(0);
        let mac = mac_address("ceil", "one", 0, &link);
        assert_eq!(parse_mac(&mac), Some(mac));
    }
}
