//! What differs between the systems that a workstation runs: how routes are read and set, and how names
//! of one domain are asked of one server. Programs are run by [`Run`], so that each system's words can be
//! tested on any other.

use super::linux::Linux;
use super::macos::MacOs;
use crate::error::CliError;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

/// A program and its arguments.
pub type Argv = Vec<String>;

/// Runs programs of this computer.
pub trait Run {
    /// What it printed; an error if it failed.
    fn run(&self, argv: &[String]) -> Result<String, CliError>;
}

/// How this computer reaches an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Interface.
    pub device: String,
    /// This computer's address there, with the length of the network's prefix.
    pub own: Ipv4Net,
    /// The next router; `None`: the address is in the same network.
    pub gateway: Option<Ipv4Addr>,
    /// The address is this computer's own.
    pub local: bool,
}

/// A route of this computer, other than a default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRoute {
    /// Where it leads.
    pub to: Ipv4Net,
    /// The next router; `None`: the network is at the interface itself.
    pub via: Option<Ipv4Addr>,
    /// Interface.
    pub device: String,
}

/// Names of some domains that one server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Of which cluster.
    pub cluster: String,
    /// Domains, those of addresses (`in-addr.arpa`) among them.
    pub domains: Vec<String>,
    /// Who knows them.
    pub server: Ipv4Addr,
    /// The interface by which the router is reached.
    pub device: String,
}

/// What an interface is told about names, and what it was told before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDns {
    /// The interface.
    pub device: String,
    /// Who is asked for the domains; `None`: the servers that it has.
    pub server: Option<Ipv4Addr>,
    /// What it is asked for.
    pub domains: Vec<String>,
    /// The domains that it had.
    pub before: Vec<String>,
}

/// How this computer asks for names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolver {
    /// By files and settings of interfaces, and a program that makes the files count.
    Settings {
        /// Who reads them.
        who: &'static str,
        /// Path and content.
        files: Vec<(PathBuf, String)>,
        /// Interfaces.
        links: Vec<LinkDns>,
        /// Run after a change of files.
        then: Option<Argv>,
    },
    /// In a way that only its owner can set; and why that is so, where it needn't be.
    ByHand(Option<String>),
}

/// A system.
pub trait Platform {
    /// How an address is reached.
    fn way(&self, to: Ipv4Addr) -> Result<Way, CliError>;
    /// All routes but the default ones.
    fn routes(&self) -> Result<Vec<LocalRoute>, CliError>;
    /// Sets a route.
    fn add(&self, to: Ipv4Net, via: Ipv4Addr) -> Argv;
    /// Takes this very route away.
    fn delete(&self, to: Ipv4Net, via: Ipv4Addr) -> Argv;
    /// How names are asked for, given what an earlier `connect` has told interfaces.
    fn resolver(&self, names: &Names, old: &[LinkDns]) -> Resolver;
    /// What files of any connection are followed by.
    fn reload(&self) -> Option<Argv>;
    /// Tells an interface about names.
    fn set_link(&self, _link: &LinkDns) -> Vec<Argv> {
        Vec::new()
    }
    /// Puts back what an interface was told before.
    fn unset_link(&self, _link: &LinkDns) -> Vec<Argv> {
        Vec::new()
    }
    /// Whether an interface is as it was told to be.
    fn holds_link(&self, _link: &LinkDns) -> bool {
        false
    }
    /// Whether an interface has some of what it was told.
    fn touches_link(&self, _link: &LinkDns) -> bool {
        false
    }
    /// Programs that are needed.
    fn programs(&self) -> &'static [&'static str];
}

/// This computer's system.
pub fn here(run: &dyn Run) -> Result<Box<dyn Platform + '_>, CliError> {
    match std::env::consts::OS {
        "linux" => Ok(Box::new(Linux { run })),
        "macos" => Ok(Box::new(MacOs { run })),
        other => Err(CliError::failed(format!(
            "routes can't be set on {other}; Linux and macOS are known"
        ))
        .hint("bramble router guide shows the route that your home router can have instead")),
    }
}

/// Words of a command.
pub fn argv(words: &[&str]) -> Argv {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// A command about a route to a network by a router, in this order.
pub fn route(words: &[&str], to: Ipv4Net, between: &[&str], via: Ipv4Addr) -> Argv {
    let (to, via) = (to.to_string(), via.to_string());
    argv(&[words, &[&to], between, &[&via]].concat())
}

/// The programs of this computer, in English.
pub struct Programs;

impl Run for Programs {
    fn run(&self, argv: &[String]) -> Result<String, CliError> {
        let shown = argv.join(" ");
        let (program, arguments) = argv
            .split_first()
            .ok_or_else(|| CliError::failed("no program"))?;
        let out = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .output()
            .map_err(|error| {
                CliError::failed(format!("{program} does not start: {error}"))
                    .hint(format!("install what brings {program}"))
            })?;
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stderr);
            return Err(CliError::failed(format!("{shown}: {}", said.trim())));
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }
}

/// Domains of the addresses of a network (RFC 1035, 3.5), cut at whole octets: of one that is smaller than
/// an octet's, the whole octet; of one in between, each of its parts, or all of the next octet if these
/// were many.
pub fn reverse_domains(net: Ipv4Net) -> Vec<String> {
    let octets = match net.prefix_len() {
        0..=8 => 1,
        9..=16 => 2,
        17..=20 => 2,
        _ => 3,
    };
    let length = octets * 8;
    let parts: Vec<Ipv4Net> = match net.subnets(length) {
        Ok(parts) if net.prefix_len() <= length => parts.collect(),
        _ => vec![Ipv4Net::new_assert(net.network(), length).trunc()],
    };
    parts
        .into_iter()
        .map(|part| {
            let all = part.network().octets();
            let mut out = String::new();
            for octet in all[..usize::from(octets)].iter().rev() {
                out.push_str(&format!("{octet}."));
            }
            out + "in-addr.arpa"
        })
        .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Programs that answer as written down.
    pub struct Said(pub BTreeMap<&'static str, &'static str>);

    impl Run for Said {
        fn run(&self, argv: &[String]) -> Result<String, CliError> {
            let shown = argv.join(" ");
            let answer = self.0.get(shown.as_str());
            answer
                .map(|text| (*text).to_owned())
                .ok_or_else(|| CliError::failed(format!("not expected: {shown}")))
        }
    }

    pub fn net(text: &str) -> Ipv4Net {
        text.parse().expect("a network")
    }

    #[test]
    fn addresses_have_domains() {
        let of = |text| reverse_domains(net(text));
        assert_eq!(of("10.77.0.0/24"), ["0.77.10.in-addr.arpa"]);
        assert_eq!(of("10.77.0.128/25"), ["0.77.10.in-addr.arpa"]);
        assert_eq!(of("10.77.0.0/16"), ["77.10.in-addr.arpa"]);
        assert_eq!(of("10.0.0.0/8"), ["10.in-addr.arpa"]);
        assert_eq!(
            of("10.77.2.0/23"),
            ["2.77.10.in-addr.arpa", "3.77.10.in-addr.arpa"]
        );
        assert_eq!(of("10.77.128.0/18"), ["77.10.in-addr.arpa"]);
        assert_eq!(of("172.16.0.0/14").len(), 4);
    }
}
