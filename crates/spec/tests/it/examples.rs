//! The example files are valid, and mean what they say.

use bramble_spec::cluster::{Addon, Endpoint, Jump, PodNetwork, Role};
use bramble_spec::{Cluster, load, schema};

pub fn text(name: &str) -> String {
    let path = format!("{}/../../examples/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn example(name: &str) -> Cluster {
    load(&format!("{name}.yaml"), &text(name)).unwrap_or_else(|p| panic!("{p}"))
}

#[test]
fn minimal_has_defaults_for_the_rest() {
    let cluster = example("minimal");
    assert_eq!(cluster.name, "home");
    assert_eq!(cluster.network.domain, "home.internal");
    assert_eq!(cluster.network.lan.unwrap().to_string(), "192.168.1.0/24");
    assert_eq!(cluster.kubernetes.version, bramble_spec::DEFAULT_VERSION);
    assert_eq!(cluster.kubernetes.endpoint, Endpoint::None);
    assert!(!cluster.kubernetes.schedule_on_control_plane);
    let two = cluster.machine("two").unwrap();
    assert_eq!(two.roles, [Role::Worker]);
    assert_eq!(two.ssh.user, "root");
    assert_eq!(two.ssh.port, 22);
    assert_eq!(two.pod_range.unwrap().to_string(), "10.244.12.0/24");
    assert_eq!(
        cluster.pod_network,
        PodNetwork::Routed {
            mtu: None,
            masquerade: true
        }
    );
}

#[test]
fn lab_is_the_lab() {
    let cluster = example("lab");
    assert_eq!(cluster.kubernetes.version.to_string(), "v1.20.2");
    let machines: Vec<_> = cluster
        .machines
        .iter()
        .map(|m| format!("{} {} {}", m.name, m.address, m.pod_range.unwrap()))
        .collect();
    assert_eq!(
        machines,
        [
            "one 10.77.0.11 10.244.11.0/24",
            "two 10.77.0.12 10.244.12.0/24",
            "three 10.77.0.13 10.244.13.0/24"
        ]
    );
    assert_eq!(cluster.with_role(Role::ControlPlane).count(), 1);
    assert_eq!(cluster.addons, [Addon::Demo { node_port: 30080 }]);
}

#[test]
fn full_uses_every_key_of_the_schema() {
    let cluster = example("full");
    assert_eq!(
        cluster.machine("four").unwrap().address.to_string(),
        "10.77.0.101"
    );
    assert_eq!(
        cluster
            .machine("five")
            .unwrap()
            .pod_range
            .unwrap()
            .to_string(),
        "10.244.200.0/24"
    );
    assert_eq!(cluster.machine("gate").unwrap().ssh.jump, None);
    assert_eq!(
        cluster.machine("one").unwrap().ssh.jump,
        Some(Jump::Machine("gate".into()))
    );
    assert_eq!(
        cluster.machine("five").unwrap().ssh.jump,
        Some(Jump::Host {
            user: "anna".into(),
            host: "bastion.example".into(),
            port: 2222
        })
    );
    let text = text("full");
    let schema = schema();
    let mut keys = Vec::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        assert!(
            text.contains(&format!("{key}:")),
            "full.yaml doesn't show `{key}`"
        );
    }
}

fn collect_keys(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            map.values().for_each(|v| collect_keys(v, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|v| collect_keys(v, keys)),
        _ => {}
    }
}
