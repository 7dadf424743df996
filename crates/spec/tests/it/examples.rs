//! The example files are valid, and mean what they say.

use bramble_spec::cluster::{
    Addon, DdnsSource, Endpoint, Family, Jump, PodNetwork, Role, Transport, UplinkAddress,
};
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
    assert!(
        cluster.kubernetes.schedule_on_control_plane,
        "one worker has little room"
    );
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
        .map(|m| {
            let pods = m
                .pod_range
                .map_or("-".to_owned(), |range| range.to_string());
            format!("{} {} {pods}", m.name, m.address)
        })
        .collect();
    assert_eq!(
        machines,
        [
            "gate 10.77.0.1 -",
            "one 10.77.0.11 10.244.11.0/24",
            "two 10.77.0.12 10.244.12.0/24",
            "three 10.77.0.13 10.244.13.0/24"
        ]
    );
    assert_eq!(cluster.with_role(Role::ControlPlane).count(), 1);
    assert_eq!(cluster.addons, [Addon::Demo { node_port: 30080 }]);
}

#[test]
fn router_turns_bare_boards_into_a_network() {
    let cluster = example("router");
    let machines: Vec<_> = cluster
        .machines
        .iter()
        .map(|m| {
            let jump = match &m.ssh.jump {
                Some(Jump::Machine(name)) => format!(" through {name}"),
                _ => String::new(),
            };
            let at = m.management.as_ref();
            let at = at.map_or(String::new(), |at| format!(" at {at}"));
            format!("{} {}{at}{jump}", m.name, m.address)
        })
        .collect();
    assert_eq!(
        machines,
        [
            "gate 10.77.0.1 at 192.168.1.100",
            "one 10.77.0.101 through gate",
            "two 10.77.0.102 through gate",
            "three 10.77.0.103 through gate"
        ]
    );
    let router = cluster.router.as_ref().unwrap();
    assert_eq!(router.machine, "gate");
    assert_eq!(router.vpn.as_ref().unwrap().host, "home.example.org");
    let (first, last) = router.dhcp.pool.unwrap();
    assert_eq!(format!("{first}-{last}"), "10.77.0.192-10.77.0.250");
    let disk = &cluster.machine("gate").unwrap().disks[0];
    assert_eq!(disk.device, "/dev/disk/by-id/usb-SanDisk_Ultra_0101-0:0");
    let registry = router.registry.as_ref().unwrap();
    assert!(registry.dir.starts_with(&disk.at));
}

#[test]
fn full_says_what_the_router_does() {
    let cluster = example("full");
    assert!(cluster.network.lldp);
    let router = cluster.router.as_ref().unwrap();
    assert_eq!(router.address.to_string(), "10.77.0.1/24");
    assert_eq!(router.address6.unwrap().to_string(), "fd00:77::1/64");
    assert_eq!(router.interface.as_deref(), Some("eth0"));
    assert_eq!(
        router.uplink.address,
        UplinkAddress::Static {
            address: "192.168.1.100/24".parse().unwrap(),
            gateway: Some("192.168.1.1".parse().unwrap()),
            dns: vec!["192.168.1.1".parse().unwrap()],
        }
    );
    let wifi = router.uplink.wifi.as_ref().unwrap();
    assert_eq!((wifi.ssid.as_str(), wifi.country.as_str()), ("home", "DE"));
    let open: Vec<_> = router
        .firewall
        .open
        .iter()
        .map(|p| (p.transport, p.first, p.last))
        .collect();
    // The router's SSH server has a port of its own.
    assert_eq!(
        open,
        [(Transport::Tcp, 2222, 2222), (Transport::Udp, 5000, 5010)]
    );
    let forwards: Vec<_> = router
        .firewall
        .forwards
        .iter()
        .map(|f| format!("{} {}:{}", f.port, f.to, f.to_port))
        .collect();
    assert_eq!(forwards, ["6443 10.77.0.11:6443", "8022 10.77.0.30:22"]);
    let vpn = router.vpn.as_ref().unwrap();
    assert_eq!(vpn.users, ["anna", "ben"]);
    assert_eq!(
        vpn.openvpn.as_ref().unwrap().router().to_string(),
        "10.9.0.1"
    );
    let ddns = router.ddns.as_ref().unwrap();
    assert_eq!(ddns.families, [Family::Ipv4, Family::Ipv6]);
    assert!(matches!(&ddns.source, DdnsSource::Url(url) if url.contains("trace")));
    let registry = router.registry.as_ref().unwrap();
    assert_eq!(
        registry.mirrors[0].login,
        Some(("anna".into(), "docker.token".into()))
    );
    assert_eq!(registry.private.as_ref().unwrap().users[0].0, "anna");
    let ingress = router.ingress.as_ref().unwrap();
    assert_eq!((ingress.http, ingress.https), (Some(80), Some(443)));
    let backup = router.backup.as_ref().unwrap();
    assert_eq!(backup.dir, "/srv/data/backup");
    assert!(backup.clients[0].prune);
    let gate = cluster.machine("gate").unwrap();
    assert_eq!(gate.disks[0].at, "/srv/data");
    assert!(!gate.disks[0].wipe);
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

/// Whoever reads a cluster file from a stranger goes by this list: a new field that names a file must be in it.
#[test]
fn every_file_that_a_file_names_is_known() {
    let known = example("full").companions().len();
    let text = text("full");
    let named = |line: &&str| {
        let line = line.trim_start();
        !line.starts_with('#')
            && ["File: ", "manifests: "]
                .iter()
                .any(|key| line.contains(key))
    };
    let said = text.lines().filter(named).count();
    assert_eq!(known, said, "{:?}", example("full").companions());
    let custom = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  \
                  machines: [{ name: one, address: 10.0.0.1, roles: [control-plane] }]\n  \
                  podNetwork: { plugin: custom, dir: ../cni }\n  addons: [{ name: web, manifests: web.yaml }]\n";
    let custom = load("custom.yaml", custom).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(custom.companions(), ["../cni", "web.yaml"]);
}
