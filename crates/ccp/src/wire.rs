//! The platform's answers, as both versions write them, and what they mean.
//!
//! Everything but names and ids may be missing: a platform tells of a cluster long before it is complete.

use crate::cluster::{Cluster, Machine};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Lines of a machine's log that are kept.
const LOG: usize = 3;
/// Characters of such a line.
const LINE: usize = 200;

/// A cluster of version 2.
#[derive(Debug, Deserialize)]
pub(crate) struct V2 {
    uuid: String,
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    description: String,
    #[serde(default, deserialize_with = "lenient")]
    state: String,
    #[serde(default, deserialize_with = "lenient")]
    master_vip: String,
    nodes: Option<Vec<NodeV2>>,
    network_plugin: Option<Plugin>,
}

#[derive(Debug, Deserialize)]
struct NodeV2 {
    #[serde(default, deserialize_with = "lenient")]
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    public_ip: String,
    is_master: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    state: String,
    #[serde(default, deserialize_with = "lenient")]
    error_log: String,
}

/// A cluster of version 3.
#[derive(Debug, Deserialize)]
pub(crate) struct V3 {
    id: String,
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    description: String,
    #[serde(default, deserialize_with = "lenient")]
    status: String,
    #[serde(default, deserialize_with = "lenient")]
    master_vip: String,
    master_group: Option<Group>,
    node_groups: Option<Vec<Group>>,
    network_plugin_profile: Option<Plugin>,
}

#[derive(Debug, Deserialize)]
struct Group {
    nodes: Option<Vec<NodeV3>>,
}

#[derive(Debug, Deserialize)]
struct NodeV3 {
    #[serde(default, deserialize_with = "lenient")]
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    status: String,
    #[serde(default, deserialize_with = "lenient")]
    public_ip: String,
}

#[derive(Debug, Deserialize)]
struct Plugin {
    #[serde(default, deserialize_with = "lenient")]
    name: String,
    #[serde(default)]
    details: Value,
}

/// The file by which `kubectl` reaches a cluster: only what is needed of it.
#[derive(Debug, Deserialize)]
struct Kubeconfig {
    clusters: Vec<NamedCluster>,
}

#[derive(Debug, Deserialize)]
struct NamedCluster {
    cluster: Server,
}

#[derive(Debug, Deserialize)]
struct Server {
    server: String,
}

/// The address in a kubeconfig, `https://host:port`.
pub(crate) fn server(kubeconfig: &str) -> Option<String> {
    let options = serde_saphyr::options! { with_snippet: false };
    let parsed: Kubeconfig = serde_saphyr::from_str_with_options(kubeconfig, options).ok()?;
    let server = parsed.clusters.into_iter().next()?.cluster.server;
    server.starts_with("https://").then_some(server)
}

impl From<V2> for Cluster {
    fn from(it: V2) -> Self {
        let nodes = it.nodes.unwrap_or_default();
        let control = nodes
            .iter()
            .find(|n| n.is_master == Some(true) && !n.public_ip.is_empty());
        let host = filled(it.master_vip).or_else(|| control.map(|node| node.public_ip.clone()));
        let (plugin, range) = plugin(it.network_plugin);
        let machine = |node: NodeV2| Machine {
            log: last_lines(&node.error_log),
            name: node.name,
            state: node.state,
        };
        Cluster {
            id: it.uuid,
            name: it.name,
            description: it.description,
            state: it.state,
            machines: nodes.into_iter().map(machine).collect(),
            plugin,
            range,
            host,
        }
    }
}

impl From<V3> for Cluster {
    fn from(it: V3) -> Self {
        let nodes = |group: Option<Group>| group.and_then(|g| g.nodes).unwrap_or_default();
        let control = nodes(it.master_group);
        let first = control
            .iter()
            .map(|n| &n.public_ip)
            .find(|ip| !ip.is_empty());
        let host = filled(it.master_vip).or_else(|| first.cloned());
        let (plugin, range) = plugin(it.network_plugin_profile);
        let groups = it.node_groups.unwrap_or_default().into_iter();
        let workers = groups.flat_map(|group| group.nodes.unwrap_or_default());
        let machine = |node: NodeV3| Machine {
            name: node.name,
            state: node.status,
            log: Vec::new(),
        };
        Cluster {
            id: it.id,
            name: it.name,
            description: it.description,
            state: it.status,
            machines: control.into_iter().chain(workers).map(machine).collect(),
            plugin,
            range,
            host,
        }
    }
}

/// The plug-in's name and range. Version 2 keeps its details as a text that holds JSON, version 3 as an object.
fn plugin(plugin: Option<Plugin>) -> (String, Option<String>) {
    let Some(Plugin { name, details }) = plugin else {
        return (String::new(), None);
    };
    let details = match details {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::Null),
        other => other,
    };
    let keys = ["pod_cidr", "node_vlan_cidr"];
    let range = keys.iter().find_map(|key| details[*key].as_str());
    (name, range.map(str::to_owned))
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn last_lines(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LOG);
    lines[from..]
        .iter()
        .map(|line| printable(line, LINE))
        .collect()
}

/// A text of somebody else, short and without control characters.
pub(crate) fn printable(text: &str, longest: usize) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(shown).take(longest).collect()
}

/// A text that may be missing, null or no text at all.
fn lenient<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::String(text) => text,
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_kubeconfigs() {
        let text =
            "clusters:\n- name: a\n  cluster: { server: 'https://10.0.0.9:6443' }\nusers: []\n";
        assert_eq!(server(text).as_deref(), Some("https://10.0.0.9:6443"));
        assert_eq!(server("clusters: []"), None);
        assert_eq!(server("clusters: [{cluster: {server: 'http://x'}}]"), None);
        assert_eq!(server("\u{1}"), None);
    }

    #[test]
    fn a_log_is_cut_to_what_can_be_shown() {
        let log = format!("one\n\ntwo\nthree\x1b[31m\n{}\n", "x".repeat(999));
        let lines = last_lines(&log);
        assert_eq!(lines.len(), LOG);
        assert_eq!(lines[1], "three [31m");
        assert_eq!(lines[2].len(), LINE);
    }
}
