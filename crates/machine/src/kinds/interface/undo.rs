//! How an interface is undone.

use super::live::Links;
use super::{Interface, Settings, dhcpcd, ifupdown, networkd, networkmanager};
use crate::facts::Networking;
use crate::kinds::{add_missing, block, file};
use crate::shell::word;
use crate::{Observation, Script};
use serde::{Deserialize, Serialize};

/// Everything that the interface of a role was ever given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// What the interface is to the machine.
    pub role: String,
    /// One for each manager and interface.
    pub parts: Vec<Part>,
}

/// What one manager was given for one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Who.
    pub manager: Networking,
    /// The interface's name.
    pub name: String,
    /// Files that were written.
    pub files: Vec<file::Undo>,
    /// Lines in files of others.
    pub blocks: Vec<block::Undo>,
    /// Addresses that were not there before.
    pub addresses: Vec<String>,
    /// It was switched on before.
    pub up: bool,
    /// The addresses that it had, should nobody give it any; only where it leads outside.
    #[serde(default)]
    pub old: Vec<String>,
    /// The next router that it had.
    #[serde(default)]
    pub gateway: Option<String>,
    /// Whether the kernel listened to router advertisements before, where it was told to.
    #[serde(default)]
    pub listening: Option<String>,
}

impl Part {
    pub(super) fn new(
        interface: &Interface,
        manager: Networking,
        settings: &Settings,
        first: Option<&Undo>,
        seen: &Observation,
        links: &Links,
    ) -> Self {
        let known = |path: &str| {
            let parts = first.iter().flat_map(|u| &u.parts);
            parts.flat_map(|p| &p.files).find(|f| f.path == path)
        };
        let link = links.get(&interface.name);
        let addresses = interface.addresses().iter();
        Self {
            manager,
            name: interface.name.clone(),
            files: settings
                .files
                .iter()
                .map(|f| f.undo(known(&f.path), seen))
                .collect(),
            blocks: settings.block.iter().map(|b| b.undo()).collect(),
            addresses: addresses
                .filter(|a| !link.is_some_and(|l| l.has(a)))
                .map(ToString::to_string)
                .collect(),
            up: link.is_some_and(|l| l.up),
            old: link
                .filter(|_| interface.leads_outside())
                .map(|l| l.lasting().map(str::to_owned).collect())
                .unwrap_or_default(),
            gateway: links
                .ways
                .iter()
                .find(|(name, _)| *name == interface.name)
                .map(|(_, gateway)| gateway.clone()),
            listening: links
                .listening
                .get(&interface.name)
                .filter(|_| interface.by_kernel(seen))
                .cloned(),
        }
    }

    /// Whether two parts are about the same thing.
    pub(super) fn same(&self, other: &Part) -> bool {
        self.manager == other.manager && self.name == other.name
    }

    /// Whether a file was not there before.
    pub(super) fn absent(&self, path: &str) -> bool {
        self.files.iter().any(|f| f.path == path && f.absent)
    }

    /// All files that are touched.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.iter().map(|b| b.path.as_str());
        self.files.iter().map(|f| f.path.as_str()).chain(blocks)
    }

    /// Whether its manager was given nothing: the interface was left as the machine has it, and only the
    /// kernel was told something about it.
    fn kept(&self) -> bool {
        !self.files.is_empty()
            && self
                .files
                .iter()
                .all(|f| f.path.starts_with("/etc/sysctl.d/"))
    }

    /// Everything as it was before.
    pub(super) fn script(&self) -> Script {
        let mut script = self.stop();
        for file in &self.files {
            script.extend(&file.script());
        }
        for block in &self.blocks {
            script.extend(&block.script());
        }
        script.extend(&self.let_go());
        if !self.old.is_empty() {
            script.extend(&self.give_back(&self.old, self.gateway.as_deref()));
        }
        if !self.up {
            script.line("ip link set dev \"$I\" down 2>/dev/null || :");
        }
        script
    }

    /// What has to come before its files are gone: it's the stanza that says what ifupdown takes down.
    pub(super) fn stop(&self) -> Script {
        let mut script = Script::of(format!("I={}", word(&self.name)));
        if self.manager == Networking::Ifupdown && !self.kept() {
            script.line(
                r#"if ifquery --state "$I" >/dev/null 2>&1; then ifdown --force "$I" || :; fi"#,
            );
        }
        script
    }

    /// The manager, whose files are no more, learns that; what it leaves on the interface `$I` goes.
    pub(super) fn let_go(&self) -> Script {
        let mut script = Script::new();
        match self.manager {
            _ if self.kept() => {}
            Networking::Networkd | Networking::None => {
                script.line("networkctl reload 2>/dev/null || :");
            }
            Networking::NetworkManager => {
                script.line("nmcli general reload conf 2>/dev/null || :\nnmcli connection reload 2>/dev/null || :");
            }
            Networking::Dhcpcd => {
                script.line("dhcpcd -n \"$I\" 2>/dev/null || :");
            }
            Networking::Ifupdown => {}
        }
        for address in &self.addresses {
            script.line(format!(
                "ip address del {} dev \"$I\" 2>/dev/null || :",
                word(address)
            ));
        }
        if let Some(value) = &self.listening {
            script.line(listen(value));
        }
        script
    }

    /// The manager takes its files up again, for the interface `$I`. `$A` are the addresses that it had,
    /// `$G` the next router.
    pub(super) fn take_up(&self, role: &str) -> Script {
        let mut script = Script::new();
        match self.manager {
            _ if self.kept() => {}
            Networking::Networkd | Networking::None => {
                script.line(networkd::MEND);
            }
            Networking::NetworkManager => {
                script.extend(&networkmanager::take_up(role));
            }
            Networking::Ifupdown => {
                script.line(ifupdown::TAKE_UP);
            }
            Networking::Dhcpcd => {
                script.line(dhcpcd::TAKE_UP);
            }
        }
        if self.listening.is_some() {
            script.line(listen("2"));
        }
        script
    }

    /// Addresses that somebody gave the interface `$I` by hand are in no file: without them nobody could
    /// reach the machine any more. Whoever manages the interface has the first word.
    pub(super) fn give_back(&self, old: &[String], gateway: Option<&str>) -> Script {
        // What ifupdown does is done when it says so; the others take their time.
        let tries = if self.manager == Networking::Ifupdown {
            0
        } else {
            50
        };
        let mut script = Script::of(format!(
            "W={tries} O={} G={}",
            word(old.join(" ")),
            word(gateway.unwrap_or_default())
        ));
        script.extend(&Script::of(include_str!("give_back.sh")));
        script
    }
}

/// Whether the kernel listens to router advertisements on the interface `$I`.
fn listen(value: &str) -> String {
    format!(
        "{{ echo {} >\"/proc/sys/net/ipv6/conf/$I/accept_ra\"; }} 2>/dev/null || :",
        word(value)
    )
}

impl Undo {
    pub(in crate::kinds) fn merge(mut self, later: &Self) -> Self {
        for new in &later.parts {
            match self.parts.iter_mut().find(|p| p.same(new)) {
                None => self.parts.push(new.clone()),
                Some(known) => {
                    add_missing(&mut known.files, &new.files, |a, b| a.path == b.path);
                    add_missing(&mut known.addresses, &new.addresses, |a, b| a == b);
                    // The newest lines are those that are there.
                    known
                        .blocks
                        .retain(|b| !new.blocks.iter().any(|n| n.path == b.path));
                    known.blocks.extend(new.blocks.iter().cloned());
                }
            }
        }
        self
    }

    pub(in crate::kinds) fn script(&self) -> Script {
        let mut script = Script::new();
        for part in self.parts.iter().rev() {
            script.extend(&part.script());
        }
        script
    }

    pub(in crate::kinds) fn summary(&self) -> String {
        let names: Vec<&str> = self.parts.iter().map(|p| p.name.as_str()).collect();
        format!("give {} its old settings", names.join(", "))
    }
}
