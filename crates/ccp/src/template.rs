//! Templates: what the platform's own web page sends when a cluster is made, captured once or written by hand, with
//! the parts left open that differ from cluster to cluster.

use crate::error::FileError;
use crate::file::{File, Plugin, Version};
use crate::mark;
use serde_json::{Map, Value, json};

/// What is asked of the platform: a template with name, description and range filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The cluster's name.
    pub name: String,
    /// Its description there, with the mark.
    pub description: String,
    /// The whole body of the request.
    pub body: Value,
    /// How many machines it will have.
    pub machines: usize,
}

impl Order {
    /// Fills a template in.
    ///
    /// # Errors
    /// Everything that the template lacks, at once.
    pub fn of(file: &File, template: &Value) -> Result<Self, FileError> {
        let faults = faults(template, file.version, file.network.plugin);
        if !faults.is_empty() {
            return Err(FileError::Values(faults));
        }
        let description = description(file);
        let mut body = template.clone();
        body["name"] = json!(file.name);
        body["description"] = json!(description);
        let plugin = file.network.plugin;
        let mut details = Map::new();
        details.insert(plugin.range_key().into(), json!(file.network.range));
        let key = plugin_key(file.version);
        match file.version {
            // Text within text: version 2 wants the details as a string that holds JSON.
            Version::V2 => body[key]["details"] = json!(Value::Object(details).to_string()),
            Version::V3 => {
                let kept = body[key]["details"].as_object().cloned();
                let mut all = kept.unwrap_or_default();
                all.extend(details);
                body[key]["details"] = Value::Object(all);
            }
        }
        Ok(Self {
            name: file.name.clone(),
            description,
            machines: machines(template, file.version),
            body,
        })
    }
}

/// The description that a file's cluster has on the platform.
pub(crate) fn description(file: &File) -> String {
    mark::description(file.network.range, file.description.as_deref())
}

/// How many machines a template asks for.
pub fn machines(template: &Value, version: Version) -> usize {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let all = match version {
        Version::V2 => number(&template["masters"]) + number(&template["workers"]),
        Version::V3 => {
            let groups = template["node_groups"].as_array().into_iter().flatten();
            let workers: u64 = groups.map(|group| number(&group["size"])).sum();
            number(&template["master_group"]["size"]) + workers
        }
    };
    usize::try_from(all).unwrap_or(usize::MAX)
}

fn plugin_key(version: Version) -> &'static str {
    match version {
        Version::V2 => "network_plugin",
        Version::V3 => "network_plugin_profile",
    }
}

/// What a field must hold.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    /// A whole number above 0.
    Number,
    /// A list that isn't empty.
    List,
}

use Holds::{List, Number, Text};

/// Fields that every template of version 2 has, by their path.
const V2: [(&str, Holds); 26] = [
    ("provider_client_config_uuid", Text),
    ("kubernetes_version", Text),
    ("ssh_key", Text),
    ("ssh_user", Text),
    ("datacenter", Text),
    ("cluster", Text),
    ("resource_pool", Text),
    ("datastore", Text),
    ("networks", List),
    ("masters", Number),
    ("workers", Number),
    ("type", Number),
    ("deployer_type", Text),
    ("deployer.provider_type", Text),
    ("deployer.provider.vsphere_datacenter", Text),
    ("deployer.provider.vsphere_datastore", Text),
    ("deployer.provider.vsphere_client_config_uuid", Text),
    ("deployer.provider.vsphere_working_dir", Text),
    ("master_node_pool.vcpus", Number),
    ("master_node_pool.memory", Number),
    ("master_node_pool.template", Text),
    ("worker_node_pool.vcpus", Number),
    ("worker_node_pool.memory", Number),
    ("worker_node_pool.template", Text),
    ("storage_class", Text),
    ("network_plugin.name", Text),
];
const V2_CALICO: [(&str, Holds); 3] = [
    ("ingress_vip_pool_id", Text),
    ("load_balancer_ip_num", Number),
    ("node_ip_pool_uuid", Text),
];
const V2_ACI: [(&str, Holds); 1] = [("aci_profile_uuid", Text)];

/// Fields that every template of version 3 has.
const V3: [(&str, Holds); 12] = [
    ("type", Text),
    ("provider", Text),
    ("kubernetes_version", Text),
    ("vsphere_infra.datacenter", Text),
    ("vsphere_infra.datastore", Text),
    ("vsphere_infra.cluster", Text),
    ("vsphere_infra.networks", List),
    ("master_group.size", Number),
    ("master_group.template", Text),
    ("master_group.ssh_key", Text),
    ("node_groups", List),
    ("network_plugin_profile.name", Text),
];
const V3_CALICO: [(&str, Holds); 1] = [("subnet_id", Text)];
const V3_ACI: [(&str, Holds); 1] = [("aci_profile", Text)];

/// What each group of workers has in version 3.
const GROUP: [(&str, Holds); 3] = [("name", Text), ("size", Number), ("template", Text)];

/// Everything that is wrong with a template.
fn faults(template: &Value, version: Version, plugin: Plugin) -> Vec<String> {
    if !template.is_object() {
        return vec![
            "the template is no object: it is the body of the request that makes a cluster".into(),
        ];
    }
    let (all, more): (&[_], &[_]) = match (version, plugin) {
        (Version::V2, Plugin::Calico) => (&V2, &V2_CALICO),
        (Version::V2, Plugin::ContivAci) => (&V2, &V2_ACI),
        (Version::V3, Plugin::Calico) => (&V3, &V3_CALICO),
        (Version::V3, Plugin::ContivAci) => (&V3, &V3_ACI),
    };
    let fields = all.iter().chain(more);
    let mut faults: Vec<String> = fields
        .filter_map(|(path, holds)| fault(template, "", path, *holds))
        .collect();
    if version == Version::V3 {
        let groups = template["node_groups"].as_array().into_iter().flatten();
        for (index, group) in groups.enumerate() {
            let place = format!("node_groups[{index}].");
            faults.extend(
                GROUP
                    .iter()
                    .filter_map(|(path, holds)| fault(group, &place, path, *holds)),
            );
        }
        if template["type"]
            .as_str()
            .is_some_and(|kind| kind != "vsphere")
        {
            faults.push(
                "the template's type must be vsphere: clusters of clouds aren't supported".into(),
            );
        }
    }
    let key = plugin_key(version);
    let named = template[key]["name"].as_str();
    if let Some(named) = named.filter(|named| *named != plugin.name()) {
        let wanted = plugin.name();
        faults.push(format!(
            "the template is for the network plug-in {named}, network.plugin says {wanted}"
        ));
    }
    faults
}

fn fault(value: &Value, place: &str, path: &str, holds: Holds) -> Option<String> {
    let found = path.split('.').try_fold(value, |value, key| value.get(key));
    let what = match holds {
        Text => "a text",
        Number => "a number above 0",
        List => "a list that isn't empty",
    };
    let Some(found) = found.filter(|found| !found.is_null()) else {
        return Some(format!("the template lacks {place}{path}, {what}"));
    };
    let right = match holds {
        Text => found.as_str().is_some_and(|text| !text.is_empty()),
        Number => found.as_u64().is_some_and(|number| number > 0),
        List => found.as_array().is_some_and(|list| !list.is_empty()),
    };
    (!right).then(|| format!("the template's {place}{path} must be {what}"))
}
