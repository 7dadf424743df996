//! A cluster of the platform, whichever version told of it.

use ipnet::IpNet;
use serde::Serialize;

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// By which the platform knows it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its maker wrote.
    pub description: String,
    /// The platform's own word for how it is; empty if it has none yet.
    pub state: String,
    /// Its machines, as far as the platform has told of them.
    pub machines: Vec<Machine>,
    /// The name of its network plug-in.
    pub plugin: String,
    /// Its range of addresses: that of its pods, or with ACI that of its nodes.
    pub range: Option<String>,
    /// Where its API is: a shared address, else that of the first control plane. Without a port.
    pub host: Option<String>,
}

/// A machine of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// The platform's own word for how it is.
    pub state: String,
    /// The last lines that the platform says about what went wrong with it.
    pub log: Vec<String>,
}

/// What a state's name means. Public sources document `READY` alone, so the others are told apart by their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is being made, changed or deleted.
    Underway,
    /// It is ready.
    Ready,
    /// It failed.
    Failed,
}

impl Phase {
    /// Of a state's name.
    pub fn of(state: &str) -> Self {
        let state = state.to_ascii_uppercase();
        if state == "READY" {
            return Phase::Ready;
        }
        match state.contains("FAIL") || state.contains("ERROR") {
            true => Phase::Failed,
            false => Phase::Underway,
        }
    }
}

impl Cluster {
    /// How it is.
    pub fn phase(&self) -> Phase {
        Phase::of(&self.state)
    }

    /// What its machines say about a failure.
    pub(crate) fn log(&self) -> Vec<String> {
        let lines = |machine: &Machine| {
            let name = machine.name.clone();
            let lines = machine.log.clone().into_iter();
            lines.map(move |line| format!("{name}: {line}"))
        };
        self.machines.iter().flat_map(lines).collect()
    }
}

/// A range of addresses that a cluster uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The cluster.
    pub cluster: String,
    /// Its network plug-in.
    pub plugin: String,
    /// The range, as the platform writes it.
    pub range: String,
}

/// The ranges that clusters use, in the order of their clusters; clusters without one are left out.
pub fn ranges(clusters: &[Cluster]) -> Vec<Range> {
    let range = |cluster: &Cluster| {
        Some(Range {
            cluster: cluster.name.clone(),
            plugin: cluster.plugin.clone(),
            range: cluster.range.clone()?,
        })
    };
    clusters.iter().filter_map(range).collect()
}

/// The first other cluster with the same plug-in whose range has addresses in common with this one.
pub(crate) fn overlap<'a>(
    clusters: &'a [Cluster],
    name: &str,
    plugin: &str,
    range: IpNet,
) -> Option<&'a Cluster> {
    let used = |cluster: &&Cluster| {
        let theirs = cluster
            .range
            .as_deref()
            .and_then(|r| r.parse::<IpNet>().ok());
        theirs.is_some_and(|r| r.contains(&range) || range.contains(&r))
    };
    let mut others = clusters
        .iter()
        .filter(|c| c.name != name && c.plugin == plugin);
    others.find(used)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn cluster(name: &str, plugin: &str, range: Option<&str>) -> Cluster {
        Cluster {
            id: name.into(),
            name: name.into(),
            description: String::new(),
            state: "READY".into(),
            machines: Vec::new(),
            plugin: plugin.into(),
            range: range.map(str::to_owned),
            host: None,
        }
    }

    #[test]
    fn states_are_told_apart_by_their_words() {
        for (state, phase) in [
            ("READY", Phase::Ready),
            ("ready", Phase::Ready),
            ("NOT READY", Phase::Underway),
            ("CREATING", Phase::Underway),
            ("", Phase::Underway),
            ("ERROR", Phase::Failed),
            ("create-failed", Phase::Failed),
        ] {
            assert_eq!(Phase::of(state), phase, "{state}");
        }
    }

    #[test]
    fn a_range_is_in_use_if_any_address_of_it_is() {
        let all = [
            cluster("one", "contiv-aci", Some("10.1.0.0/24")),
            cluster("two", "calico", Some("10.2.0.0/24")),
            cluster("three", "contiv-aci", Some("not said")),
            cluster("four", "contiv-aci", None),
        ];
        let at = |name: &str, range: &str| {
            overlap(&all, name, "contiv-aci", range.parse().unwrap()).map(|c| c.name.clone())
        };
        assert_eq!(at("new", "10.1.0.0/25").as_deref(), Some("one"));
        assert_eq!(at("new", "10.0.0.0/8").as_deref(), Some("one"));
        assert_eq!(at("one", "10.1.0.0/24"), None, "its own");
        assert_eq!(at("new", "10.2.0.0/24"), None, "another plug-in");
        assert_eq!(ranges(&all).len(), 3);
    }
}
