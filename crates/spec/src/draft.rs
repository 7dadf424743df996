//! A first cluster file from a few answers, as a person would have written it.

use crate::cluster::{Role, Version};
use crate::file::{API_VERSION, BuiltIn, KIND, Plugin};
use crate::tree;
use ipnet::{IpNet, Ipv4Net};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// Folder of the developer's own plug-in in a file with the plug-in `custom`.
pub const CUSTOM_DIR: &str = "cni";

/// The answers. What is `None` or empty is left to the defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Name of the cluster, a DNS label.
    pub name: String,
    /// Release of Kubernetes; always written, so that a newer Bramble doesn't mean an upgrade.
    pub version: Version,
    /// The machines, in the order of the file.
    pub machines: Vec<DraftMachine>,
    /// The network of the machines; needed with a router.
    pub lan: Option<IpNet>,
    /// Address that several control planes share; needed with more than one.
    pub vip: Option<IpAddr>,
    /// Login name.
    pub ssh_user: Option<String>,
    /// Private key files.
    pub keys: Vec<String>,
    /// How pods reach each other. `Custom` is written with the folder [`CUSTOM_DIR`].
    pub plugin: Plugin,
    /// Time zone.
    pub zone: Option<String>,
    /// Built-in add-ons.
    pub addons: Vec<BuiltIn>,
}

/// One machine of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftMachine {
    /// Host name, a DNS label.
    pub name: String,
    /// What it does; empty = worker.
    pub roles: Vec<Role>,
    /// Its address, a router's outside the network; `None` = one of the network that is free.
    pub address: Option<IpAddr>,
    /// Hardware address of its network card; needed without an address.
    pub mac: Option<String>,
}

impl DraftMachine {
    /// Whether it is the router of the others.
    pub fn is_router(&self) -> bool {
        self.roles.contains(&Role::Router)
    }

    /// Whether Kubernetes runs on it.
    pub fn is_node(&self) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|role| *role != Role::Router)
    }
}

/// A network to have behind a router that is at an address outside: not the one that it is in.
pub fn lan_behind(outside: IpAddr) -> Ipv4Net {
    let lan = |second| Ipv4Net::new_assert(Ipv4Addr::new(10, second, 0, 0), 24);
    let usual = lan(77);
    match IpNet::V4(usual).contains(&outside) {
        true => lan(78),
        false => usual,
    }
}

impl Draft {
    /// The file: the same for the same answers, ending in a newline. Answers are quoted where YAML
    /// needs it but not checked; [`crate::load`] does that.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "# What this cluster should be. Bramble makes it so, and keeps it so."
        )?;
        writeln!(out, "apiVersion: {API_VERSION}")?;
        writeln!(out, "kind: {KIND}")?;
        writeln!(out, "metadata:")?;
        writeln!(out, "  name: {}", scalar(&self.name))?;
        writeln!(out, "spec:")?;
        writeln!(out, "  kubernetes:")?;
        writeln!(out, "    version: {}", self.version)?;
        if let Some(vip) = self.vip {
            writeln!(
                out,
                "    # The API's address: whichever control plane is up holds it."
            )?;
            writeln!(out, "    endpoint:")?;
            writeln!(out, "      vip: {}", scalar(&vip.to_string()))?;
        }
        if let Some(lan) = self.lan {
            writeln!(out, "  network:")?;
            if self.machines.iter().any(DraftMachine::is_router) {
                writeln!(
                    out,
                    "    # Behind the router, which gives the machines their addresses."
                )?;
            }
            writeln!(out, "    lan: {}", scalar(&lan.to_string()))?;
        }
        if self.ssh_user.is_some() || !self.keys.is_empty() {
            writeln!(
                out,
                "  # How to log in, for all machines; a machine's own `ssh:` comes first."
            )?;
            writeln!(out, "  defaults:")?;
            writeln!(out, "    ssh:")?;
        }
        if let Some(user) = &self.ssh_user {
            writeln!(out, "      user: {}", scalar(user))?;
        }
        match self.keys.as_slice() {
            [] => {}
            [key] => writeln!(out, "      key: {}", scalar(key))?,
            keys => {
                writeln!(out, "      keys:")?;
                for key in keys {
                    writeln!(out, "        - {}", scalar(key))?;
                }
            }
        }
        writeln!(out, "  machines:")?;
        for machine in &self.machines {
            machine.write(self.lan, out)?;
        }
        self.write_rest(out)
    }

    fn write_rest(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "  podNetwork:")?;
        match self.plugin {
            Plugin::Routed => writeln!(
                out,
                "    # A bridge on each machine and routes between them."
            )?,
            Plugin::Custom => writeln!(
                out,
                "    # Your own plug-in: configuration in conf/, programs in bin/."
            )?,
            Plugin::None => writeln!(
                out,
                "    # Nodes stay NotReady until you install a plug-in."
            )?,
        }
        writeln!(out, "    plugin: {}", self.plugin.as_str())?;
        if self.plugin == Plugin::Custom {
            writeln!(out, "    dir: {CUSTOM_DIR}")?;
        }
        if let Some(zone) = &self.zone {
            writeln!(out, "  time:")?;
            writeln!(out, "    zone: {}", scalar(zone))?;
        }
        if !self.addons.is_empty() {
            let names: Vec<_> = self.addons.iter().map(|addon| addon.as_str()).collect();
            writeln!(out, "  addons: [{}]", names.join(", "))?;
        }
        Ok(())
    }
}

impl DraftMachine {
    fn write(&self, lan: Option<IpNet>, out: &mut String) -> std::fmt::Result {
        let roles: Vec<_> = self.roles.iter().map(|role| role.as_str()).collect();
        let roles = if roles.is_empty() {
            "worker".to_owned()
        } else {
            roles.join(", ")
        };
        writeln!(out, "    - name: {}", scalar(&self.name))?;
        writeln!(out, "      roles: [{roles}]")?;
        if let Some(address) = self.address {
            if self.is_router() && !lan.is_some_and(|lan| lan.contains(&address)) {
                writeln!(
                    out,
                    "      # Where this computer reaches it; it gets another one in its network."
                )?;
            }
            writeln!(out, "      address: {}", scalar(&address.to_string()))?;
        }
        if let Some(mac) = &self.mac {
            // Older YAML readers, such as editors, take digits with colons for a number.
            writeln!(out, "      mac: {}", quoted(mac))?;
        }
        Ok(())
    }
}

/// Text as YAML: plain where that means the same text, else in double quotes.
pub(crate) fn scalar(text: &str) -> String {
    let begins =
        text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '~' | '.' | '_'));
    let simple = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '~' | '.' | '_' | '-' | '+' | ':'))
        // A colon at the end would make a key; IPv6 addresses are better read with quotes anyway.
        && !text.ends_with(':')
        && !text.contains("::");
    // Words that older YAML readers, such as editors, take for true or false.
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "yes" | "no" | "on" | "off" | "y" | "n"
    );
    if begins && simple && !word && tree::is_plain_text(text) {
        return text.to_owned();
    }
    quoted(text)
}

/// Text as YAML in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    // JSON's strings are YAML's double-quoted ones, except that these may not stand for themselves.
    let json = serde_json::Value::from(text).to_string();
    json.chars()
        .map(|c| match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                format!("\\u{:04x}", c as u32)
            }
            c => c.to_string(),
        })
        .collect()
}
