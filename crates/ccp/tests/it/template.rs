use crate::world::{BOTH, file, template, template_v2_aci, template_v3};
use bramble_ccp::{FileError, Order, Version, machines};
use serde_json::{Value, json};

fn faults(version: Version, plugin: &str, template: &Value) -> Vec<String> {
    let file = file(version, "https://ccp.example.org", plugin, "172.20.0.0/16");
    match Order::of(&file, template) {
        Ok(_) => Vec::new(),
        Err(FileError::Values(faults)) => faults,
        Err(other) => panic!("{other}"),
    }
}

/// Paths that a template may lack: what is filled in, what has a default on the platform.
const OPTIONAL: [&str; 17] = [
    "name",
    "description",
    "is_harbor_enabled",
    "is_istio_enabled",
    "aws_iam_enabled",
    "registries_root_ca",
    "network_plugin.status",
    "network_plugin.details",
    "deployer.proxy_cmd",
    "ip_allocation_method",
    "load_balancer_num",
    "vsphere_infra.resource_pool",
    "master_group.name",
    "master_group.vcpus",
    "master_group.memory_mb",
    "master_group.ssh_user",
    "network_plugin_profile.details",
];

fn paths(value: &Value, before: &str, out: &mut Vec<String>) {
    for (key, below) in value.as_object().into_iter().flatten() {
        let path = format!("{before}{key}");
        if !path.ends_with(".details") {
            paths(below, &format!("{path}."), out);
        }
        out.push(path);
    }
}

fn without(template: &Value, path: &str) -> Value {
    let mut out = template.clone();
    let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
    let place = above
        .split('.')
        .filter(|k| !k.is_empty())
        .fold(&mut out, |value, key| &mut value[key]);
    place.as_object_mut().unwrap().remove(key);
    out
}

#[test]
fn a_template_that_lacks_something_is_rejected_by_its_name() {
    for version in BOTH {
        let whole = template(version);
        assert_eq!(faults(version, "calico", &whole), Vec::<String>::new());
        let mut all = Vec::new();
        paths(&whole, "", &mut all);
        for path in all {
            let faults = faults(version, "calico", &without(&whole, &path));
            let named = faults.iter().any(|fault| fault.contains(&path));
            assert_eq!(
                named,
                !OPTIONAL.contains(&path.as_str()),
                "{path}: {faults:?}"
            );
        }
    }
}

#[test]
fn everything_that_is_missing_is_said_at_once() {
    let all = faults(Version::V2, "calico", &json!({}));
    assert!(all.len() > 20, "{all:?}");
    assert_eq!(faults(Version::V2, "calico", &json!([])).len(), 1);
}

#[test]
fn a_template_must_be_for_the_plug_in_that_is_wanted() {
    let template = template_v2_aci();
    assert_eq!(
        faults(Version::V2, "contiv-aci", &template),
        Vec::<String>::new()
    );
    let all = faults(Version::V2, "calico", &template);
    assert!(
        all.iter().any(|fault| fault.contains("contiv-aci")),
        "{all:?}"
    );
}

#[test]
fn groups_of_workers_are_looked_at_one_by_one() {
    let mut template = template_v3();
    template["node_groups"] = json!([template["node_groups"][0], { "name": "more", "size": 0 }]);
    let all = faults(Version::V3, "calico", &template);
    assert_eq!(
        all,
        [
            "the template's node_groups[1].size must be a number above 0",
            "the template lacks node_groups[1].template, a text"
        ]
    );
}

#[test]
fn clusters_of_clouds_are_refused() {
    let mut template = template_v3();
    template["type"] = json!("eks");
    assert!(faults(Version::V3, "calico", &template)[0].contains("vsphere"));
}

#[test]
fn machines_are_counted() {
    for version in BOTH {
        assert_eq!(machines(&template(version), version), 3);
        assert_eq!(machines(&json!({}), version), 0);
    }
}
