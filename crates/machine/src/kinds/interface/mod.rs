//! The settings of a network interface, in the way of whoever configures the machine's interfaces.
//!
//! Nobody is replaced: systemd-networkd, NetworkManager, ifupdown and dhcpcd each get a file (or lines)
//! of their own kind. Their files are asked for all at once, so that a first look needs to know neither
//! who it is nor what the interface is called.

mod dhcpcd;
mod guard;
mod ifupdown;
mod live;
mod networkd;
mod networkmanager;
mod undo;
mod wifi;

use super::block::Block;
use super::file::File;
use crate::facts::Networking;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use ipnet::IpNet;
use live::Links;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub use undo::{Part, Undo};
pub use wifi::{Wifi, passphrase_fault};

/// An interface that has its addresses, now and after a reboot.
#[derive(Debug, Clone)]
pub struct Interface {
    /// What it is to the machine, such as `lan`; names its files.
    pub role: String,
    /// The interface's name.
    pub name: String,
    /// How it gets its address.
    pub method: Method,
    /// The wireless network that it joins.
    pub wifi: Option<Wifi>,
    /// Listens to router advertisements, although the machine itself hands packets on.
    pub advertised: bool,
    /// Resources after whose change the interface is taken up anew.
    pub watch: Vec<ResourceId>,
}

/// How an interface gets its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// As the machine has it.
    Kept,
    /// By DHCP.
    Dhcp,
    /// Fixed.
    Static {
        /// Addresses with the length of their networks' prefixes.
        addresses: Vec<IpNet>,
        /// The next router; without one the interface never carries the default route.
        gateway: Option<Ipv4Addr>,
        /// Name servers.
        dns: Vec<IpAddr>,
    },
}

/// What a manager of interfaces is given.
#[derive(Default)]
struct Settings {
    files: Vec<File>,
    block: Option<Block>,
    /// How the manager takes it up, with the new files in place.
    take_up: Script,
    /// How it is brought back to what it should be, where no file has changed.
    mend: Script,
    /// What comes before the files are changed.
    before: Script,
}

impl Interface {
    /// An interface with fixed addresses that leads nowhere else.
    pub fn fixed(
        role: impl Into<String>,
        name: impl Into<String>,
        addresses: impl IntoIterator<Item = IpNet>,
    ) -> Self {
        Self {
            role: role.into(),
            name: name.into(),
            method: Method::Static {
                addresses: addresses.into_iter().collect(),
                gateway: None,
                dns: Vec::new(),
            },
            wifi: None,
            advertised: false,
            watch: Vec::new(),
        }
    }

    /// The id of the interface of a role.
    pub fn id_of(role: &str) -> ResourceId {
        format!("interface:{role}")
    }

    fn addresses(&self) -> &[IpNet] {
        match &self.method {
            Method::Static { addresses, .. } => addresses,
            Method::Kept | Method::Dhcp => &[],
        }
    }

    fn gateway(&self) -> Option<Ipv4Addr> {
        match &self.method {
            Method::Static { gateway, .. } => *gateway,
            Method::Kept | Method::Dhcp => None,
        }
    }

    fn dns(&self) -> &[IpAddr] {
        match &self.method {
            Method::Static { dns, .. } => dns,
            Method::Kept | Method::Dhcp => &[],
        }
    }

    /// Whether the interface carries the default route.
    fn leads_outside(&self) -> bool {
        self.method == Method::Dhcp || self.gateway().is_some()
    }

    /// Who is given the settings: where nobody configures interfaces, networkd does from now on.
    fn manager(seen: &Observation) -> Networking {
        match seen.facts.networking {
            Networking::None => Networking::Networkd,
            other => other,
        }
    }

    fn settings(&self, manager: Networking, seen: &Observation) -> Settings {
        let kept = self.method == Method::Kept;
        let mut out = match manager {
            _ if kept => Settings::default(),
            Networking::NetworkManager => networkmanager::settings(self),
            Networking::Ifupdown => ifupdown::settings(self, seen),
            Networking::Dhcpcd => dhcpcd::settings(self),
            Networking::Networkd | Networking::None => networkd::settings(self),
        };
        if let Some(wifi) = self.wifi.as_ref().filter(|_| !kept) {
            for script in [&mut out.take_up, &mut out.mend] {
                let mut all = wifi.allow_radio();
                all.extend(script);
                *script = all;
            }
        }
        if self.by_kernel(seen) {
            let (file, set) = self.kernel_listens();
            out.files.push(file);
            out.take_up.extend(&set);
            out.mend.extend(&set);
        }
        out.files.extend(self.name_servers(manager, seen));
        out
    }

    /// Whether it is the kernel that listens to advertisements: most managers do it themselves.
    fn by_kernel(&self, seen: &Observation) -> bool {
        let kernel = matches!(
            seen.facts.networking,
            Networking::Ifupdown | Networking::None
        );
        self.advertised && self.method == Method::Kept && kernel
    }

    /// The kernel stops to listen to advertisements once it forwards, unless it is told otherwise.
    fn kernel_listens(&self) -> (File, Script) {
        let path = format!("/etc/sysctl.d/90-bramble-{}.conf", self.role);
        let text = format!(
            "net.ipv6.conf.{}.accept_ra = 2\n",
            self.name.replace('.', "/")
        );
        let set = format!("echo 2 > /proc/sys/net/ipv6/conf/{}/accept_ra", self.name);
        (File::text(path, text), Script::of(set))
    }

    /// `resolv.conf`, where nobody else writes it.
    fn name_servers(&self, manager: Networking, seen: &Observation) -> Option<File> {
        let alone = match manager {
            Networking::NetworkManager | Networking::Dhcpcd => false,
            Networking::Ifupdown => seen.stat(RESOLVCONF).is_none(),
            Networking::Networkd | Networking::None => true,
        };
        // A link leads to what a resolver of its own writes.
        let linked = seen.stat(RESOLV).is_some_and(|s| s.kind == 'l');
        let text: String = self
            .dns()
            .iter()
            .map(|a| format!("nameserver {a}\n"))
            .collect();
        (alone && !linked && !text.is_empty()).then(|| File::text(RESOLV, text))
    }

    /// What is wrong with the interface as it is.
    fn drift(&self, seen: &Observation, links: &Links) -> Vec<String> {
        let mut out = Vec::new();
        let name = &self.name;
        let Some(link) = links.get(name) else {
            return out;
        };
        if self.method != Method::Kept && !link.up {
            out.push(format!("{name} is down"));
        }
        for address in self.addresses().iter().filter(|a| !link.has(a)) {
            out.push(format!("{name} gets {address}"));
        }
        if let Some(gateway) = self
            .gateway()
            .filter(|_| seen.facts.default_interface.is_none())
        {
            out.push(format!("default route by {gateway}"));
        }
        if self.wifi.is_some() && links.power_save.contains(name) {
            out.push(format!("{name} saves power"));
        }
        let value = links.listening.get(name);
        if self.by_kernel(seen) && value.is_some_and(|v| v != "2") {
            out.push(format!("{name} ignores router advertisements"));
        }
        out
    }

    fn unfit(&self, what: impl Into<String>, hint: impl Into<String>) -> PlanError {
        PlanError::Unfit {
            id: self.id(),
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// Whether somebody else's settings already say the same; an error if they say something else.
    fn foreign(&self, seen: &Observation, links: &Links) -> Result<bool, PlanError> {
        let Some(other) = ifupdown::foreign(self, seen).or_else(|| dhcpcd::foreign(self, seen))
        else {
            return Ok(false);
        };
        if self.method == Method::Kept {
            return Ok(false);
        }
        let recorded = super::recorded(seen, &self.id()).is_some();
        let same = match &self.method {
            Method::Kept | Method::Dhcp => other.dhcp,
            Method::Static { addresses, .. } => {
                let link = links.get(&self.name);
                !other.dhcp && addresses.iter().all(|a| link.is_some_and(|l| l.has(a)))
            }
        };
        if same && !recorded {
            return Ok(true);
        }
        Err(self.unfit(
            format!("{} configures {} already: {}", other.place, self.name, other.text),
            format!(
                "what somebody wrote by hand is not overwritten: take the lines about {0} out of {1}, or write there what the file says and leave the interface alone otherwise",
                self.name,
                other.place.split(':').next().unwrap_or_default()
            ),
        ))
    }

    /// Whether the machine can have the interface as it should be.
    fn fits(&self, links: &Links) -> Result<(), PlanError> {
        if links.is_empty() {
            // Nothing is known: `ip` may come with this very run.
            return Ok(());
        }
        if links.get(&self.name).is_none() {
            let names: Vec<&str> = links.names().filter(|n| *n != "lo").collect();
            return Err(self.unfit(
                format!("there is no interface {}", self.name),
                format!(
                    "correct its name in the file; the machine has {}",
                    names.join(", ")
                ),
            ));
        }
        for address in self.addresses() {
            if let Some(other) = links.holder(address, &self.name) {
                return Err(self.unfit(
                    format!("{} is the address of {other}, not of {}", address.addr(), self.name),
                    "are the two sides of the machine the right way round in the file? An address can be on one interface only".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Variables and functions that the managers' shell works with.
    fn prelude(&self) -> Script {
        let addresses: Vec<String> = self.addresses().iter().map(IpNet::to_string).collect();
        let gateway = self.gateway().map(|g| g.to_string()).unwrap_or_default();
        let mut script = Script::of(format!(
            "I={} A={} G={}",
            word(&self.name),
            word(addresses.join(" ")),
            word(gateway)
        ));
        script.line(format!("DHCP={}", u8::from(self.method == Method::Dhcp)));
        script.extend(&Script::of(include_str!("interface.sh")));
        script
    }
}

const RESOLV: &str = "/etc/resolv.conf";
/// Where `resolvconf` is installed, it writes the other one.
const RESOLVCONF: &str = "/sbin/resolvconf";

impl Resource for Interface {
    fn id(&self) -> ResourceId {
        Self::id_of(&self.role)
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = vec![
            Query::Command(live::program(self)),
            Query::Command(ifupdown::FOREIGN.into()),
            Query::Content(dhcpcd::CONF.into()),
            Query::Stat(RESOLV.into()),
            Query::Stat(RESOLVCONF.into()),
        ];
        for manager in [
            Networking::Networkd,
            Networking::NetworkManager,
            Networking::Ifupdown,
        ] {
            let files = self.settings(manager, seen).files;
            let paths = files.into_iter().map(|f| f.path);
            wants.extend(paths.flat_map(|p| [Query::Stat(p.clone()), Query::Sha256(p)]));
        }
        if self.advertised {
            let path = self.kernel_listens().0.path;
            wants.extend([Query::Stat(path.clone()), Query::Sha256(path)]);
        }
        // The old text is shown only where it differs.
        let now = self.settings(Self::manager(seen), seen).files;
        wants.extend(now.iter().flat_map(|f| f.wants(seen)));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let links = live::parse(self, seen);
        if self.foreign(seen, &links)? {
            return Ok(None);
        }
        self.fits(&links)?;
        let manager = Self::manager(seen);
        let settings = self.settings(manager, seen);
        let written = settings.differences(seen);
        let mut said = self.drift(seen, &links);
        let anew = !written.is_empty();
        said.extend(written);
        let nothing = settings.files.is_empty() && settings.block.is_none();
        let pending = seen.journal.pending(&self.id());
        if said.is_empty() && (!pending || nothing) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        Ok(Some(self.change(seen, &links, &said.join(", "), anew)))
    }

    fn watches(&self) -> &[ResourceId] {
        &self.watch
    }

    fn follow(&self, seen: &Observation, because: &str) -> Option<Change> {
        let links = live::parse(self, seen);
        let said = format!("taken up again because {because} changed");
        Some(self.change(seen, &links, &said, true))
    }
}

impl Interface {
    /// The change; `anew`: what is written is taken up, else what is there is mended.
    fn change(&self, seen: &Observation, links: &Links, said: &str, anew: bool) -> Change {
        let id = self.id();
        let manager = Self::manager(seen);
        let settings = self.settings(manager, seen);
        let first = match super::recorded(seen, &id) {
            Some(super::Undo::Interface(undo)) => Some(undo),
            _ => None,
        };
        let part = Part::new(self, manager, &settings, first, seen, links);
        let mut apply = Script::new();
        // What another manager, or another interface of this role, still has from us.
        let others = first.iter().flat_map(|u| &u.parts);
        let others: Vec<&Part> = others.filter(|p| !p.same(&part)).collect();
        for other in &others {
            apply.extend(&other.script());
        }
        apply.extend(&self.prelude());
        if anew {
            apply.extend(&settings.before);
        }
        apply.extend(&settings.write(seen, &part, &others));
        apply.extend(if anew {
            &settings.take_up
        } else {
            &settings.mend
        });
        if self.method != Method::Kept {
            apply.line("await_addresses");
        }
        let guard = guard::Guard::new(&self.role, &part, first, links);
        let (paths, before, then) = (guard.paths(), guard.before(), guard.then());
        let verb = match first {
            Some(_) => Verb::Update,
            None => Verb::Create,
        };
        let undo = super::Undo::Interface(Undo {
            role: self.role.clone(),
            parts: vec![part],
        });
        let mut change = Change::new(verb, said, apply, undo);
        change.diff = settings.diff(seen);
        change.limit = Duration::from_secs(180);
        change
            .guarded(true, seen, &id, &paths, then)
            .letting_go(before)
    }
}

impl Settings {
    /// What is written differently on the machine.
    fn differences(&self, seen: &Observation) -> Vec<String> {
        let mut out = Vec::new();
        for file in &self.files {
            let differences = file.differences(seen);
            if !differences.is_empty() {
                out.push(format!("{}: {}", file.path, differences.join(", ")));
            }
        }
        if let Some(block) = &self.block
            && let Some(difference) = block.difference(seen.content(&block.path))
        {
            out.push(format!("{}: {difference}", block.path));
        }
        out
    }

    /// `others`: what was undone a moment before; a file of theirs is gone, whatever was seen.
    fn write(&self, seen: &Observation, part: &Part, others: &[&Part]) -> Script {
        let mut script = Script::new();
        for file in &self.files {
            let gone = others
                .iter()
                .any(|p| p.paths().any(|path| path == file.path));
            if gone || !file.differences(seen).is_empty() {
                script.extend(&file.write(part.absent(&file.path)));
            }
        }
        if let Some(block) = &self.block {
            script.extend(&block.put());
        }
        script
    }

    /// For a plan.
    fn diff(&self, seen: &Observation) -> Option<String> {
        let files = self.files.iter().filter_map(|f| f.diff(seen));
        let block = self.block.iter();
        let blocks = block.filter_map(|b| b.diff(seen.content(&b.path)));
        let all: Vec<String> = files.chain(blocks).collect();
        (!all.is_empty()).then(|| all.concat())
    }
}
