//! Unusual files that are right.

use bramble_spec::cluster::{Endpoint, Jump, Taint, UplinkAddress};
use bramble_spec::{Cluster, load};

const HEAD: &str =
    "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {name: lab}\nspec:\n";

fn cluster(sections: &str, machine: &str) -> Cluster {
    let text = format!(
        "{HEAD}{sections}\n  machines:\n  - {{name: one, roles: [control-plane], address: 10.77.0.11, {machine}}}\n"
    );
    load("f", &text).unwrap_or_else(|p| panic!("{p}\n{text}"))
}

#[test]
fn versions_from_the_oldest_to_the_newest() {
    for version in ["v1.20.0", "1.20.15", "v1.34.2", "1.37.9"] {
        let cluster = cluster(&format!("  kubernetes: {{version: {version}}}"), "");
        assert_eq!(
            cluster
                .kubernetes
                .version
                .to_string()
                .trim_start_matches('v'),
            version.trim_start_matches('v')
        );
    }
}

#[test]
fn endpoints() {
    let external = |host: &str, port| Endpoint::External {
        host: host.into(),
        port,
    };
    let vip = |address: &str, port, vrrp_id| Endpoint::Vip {
        address: address.parse().unwrap(),
        port,
        vrrp_id,
    };
    let kube_vip = |address: &str, port| Endpoint::KubeVip {
        address: address.parse().unwrap(),
        port,
    };
    for (text, expected) in [
        (
            "external: \"api.example:443\"",
            external("api.example", 443),
        ),
        ("external: \"[fd00::1]:6443\"", external("fd00::1", 6443)),
        (
            "external: \"203.0.113.7:8443\"",
            external("203.0.113.7", 8443),
        ),
        ("vip: 10.77.0.10", vip("10.77.0.10", 8443, 10)),
        ("vip: \"10.77.0.10:7443\"", vip("10.77.0.10", 7443, 10)),
        ("vip: 10.77.0.10, vrrpId: 255", vip("10.77.0.10", 8443, 255)),
        ("kubeVip: 10.77.0.10", kube_vip("10.77.0.10", 6443)),
        ("kubeVip: \"10.77.0.10:7443\"", kube_vip("10.77.0.10", 7443)),
    ] {
        let cluster = cluster(&format!("  kubernetes: {{endpoint: {{{text}}}}}"), "");
        assert_eq!(cluster.kubernetes.endpoint, expected);
    }
}

/// Its last part is 0 in a network that is larger than a /24: no number of VRRP.
#[test]
fn an_address_that_ends_in_0_has_a_number_too() {
    let text = format!(
        "{HEAD}  kubernetes: {{endpoint: {{vip: 10.77.1.0}}}}\n  network: {{lan: 10.77.0.0/23}}\n  machines:\n  - {{name: one, roles: [control-plane], address: 10.77.0.11}}\n"
    );
    let endpoint = load("f", &text).unwrap().kubernetes.endpoint;
    assert!(
        matches!(endpoint, Endpoint::Vip { vrrp_id: 1, .. }),
        "{endpoint:?}"
    );
}

#[test]
fn jumps_outside_the_file() {
    let host = |user: &str, host: &str, port| Jump::Host {
        user: user.into(),
        host: host.into(),
        port,
    };
    for (text, expected) in [
        ("bastion.example", host("pi", "bastion.example", 22)),
        ("anna@bastion", host("anna", "bastion", 22)),
        ("anna@10.0.0.1:2222", host("anna", "10.0.0.1", 2222)),
        ("anna@[fd00::1]:2222", host("anna", "fd00::1", 2222)),
    ] {
        let cluster = cluster("", &format!("ssh: {{user: pi, jump: \"{text}\"}}"));
        assert_eq!(cluster.machines[0].ssh.jump, Some(expected), "{text}");
    }
}

#[test]
fn what_a_machine_says_comes_before_the_defaults() {
    let defaults =
        "  defaults: {ssh: {user: pi, port: 2222, keys: [a, b], jump: root@gate.example}}";
    let plain = &cluster(defaults, "").machines[0].ssh.clone();
    assert_eq!((plain.user.as_str(), plain.port), ("pi", 2222));
    assert_eq!(plain.keys, ["a", "b"]);
    let own = &cluster(defaults, "ssh: {user: root, key: c}").machines[0]
        .ssh
        .clone();
    assert_eq!((own.user.as_str(), own.port), ("root", 2222));
    assert_eq!(own.keys, ["c"]);
    assert!(own.jump.is_some());
}

#[test]
fn labels_and_taints_as_kubernetes_writes_them() {
    let cluster = cluster(
        "",
        "labels: {a: \"\", example.com/B_c.d: x-1}, annotations: {a/b: \"any text, at all: yes\"}, taints: [\"k:NoExecute\", \"example.com/k=v:NoSchedule\"]",
    );
    let taint = |key: &str, value: &str, effect: &str| Taint {
        key: key.into(),
        value: value.into(),
        effect: effect.into(),
    };
    assert_eq!(
        cluster.machines[0].taints.as_deref().unwrap(),
        [
            taint("k", "", "NoExecute"),
            taint("example.com/k", "v", "NoSchedule")
        ]
    );
    assert_eq!(cluster.machines[0].labels["a"], "");
}

#[test]
fn small_things() {
    assert_eq!(
        cluster("", "mac: B8-27-EB-00-00-01").machines[0]
            .mac
            .as_deref(),
        Some("b8:27:eb:00:00:01")
    );
    for zone in ["UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires"] {
        assert_eq!(
            cluster(&format!("  time: {{zone: {zone}}}"), "")
                .time
                .zone
                .as_deref(),
            Some(zone)
        );
    }
    let proxy = cluster("  proxy: {http: \"http://proxy:3128/\"}", "")
        .proxy
        .unwrap();
    assert_eq!(
        proxy.https, proxy.http,
        "one proxy serves both unless the file says otherwise"
    );
    let mirrors = cluster(
        "  mirrors: {registries: {\"localhost:5000\": [\"http://[fd00::1]:5000\"]}}",
        "",
    )
    .mirrors;
    assert_eq!(
        mirrors.registries["localhost:5000"],
        ["http://[fd00::1]:5000"]
    );
    let public = format!(
        "{HEAD}  network: {{lan: 203.0.113.0/24}}\n  machines:\n  - {{name: one, roles: [control-plane], address: 203.0.113.7}}\n"
    );
    assert!(
        load("f", &public).is_ok(),
        "machines may have public addresses"
    );
}

/// U102.
#[test]
fn control_planes_run_pods_where_there_are_few_workers() {
    let scheduling = |kubernetes: &str, workers: usize| {
        let workers: String = (0..workers)
            .map(|i| format!("  - {{name: w{i}, address: 10.77.0.{}}}\n", 20 + i))
            .collect();
        let text = format!(
            "{HEAD}  kubernetes: {{{kubernetes}}}\n  machines:\n  - {{name: one, roles: [control-plane], address: 10.77.0.11}}\n{workers}"
        );
        let cluster = load("f", &text).unwrap_or_else(|p| panic!("{p}\n{text}"));
        cluster.kubernetes.schedule_on_control_plane
    };
    for (workers, expected) in [(0, true), (1, true), (2, true), (3, false), (4, false)] {
        assert_eq!(scheduling("", workers), expected, "{workers} workers");
    }
    assert!(!scheduling("scheduleOnControlPlane: false", 0));
    assert!(scheduling("scheduleOnControlPlane: true", 3));
}

/// Three control planes that are workers themselves are three workers.
#[test]
fn a_control_plane_with_both_roles_is_a_worker() {
    let text = format!(
        "{HEAD}  kubernetes: {{endpoint: {{vip: 10.77.0.10}}}}\n  machines:\n  - {{name: a, roles: [control-plane, worker], address: 10.77.0.11}}\n  - {{name: b, roles: [control-plane, worker], address: 10.77.0.12}}\n  - {{name: c, roles: [control-plane, worker], address: 10.77.0.13}}\n"
    );
    let cluster = load("f", &text).unwrap_or_else(|p| panic!("{p}"));
    assert!(!cluster.kubernetes.schedule_on_control_plane);
}

/// An interface that joins a wireless network has no address that could be kept.
#[test]
fn a_wireless_uplink_asks_for_an_address() {
    let uplink = |settings: &str| {
        let text = format!(
            "{HEAD}  network: {{lan: 10.77.0.0/24}}\n  router: {{uplink: {{{settings}}}}}\n  machines:\n  - {{name: gate, roles: [router], address: 192.168.1.2}}\n  - {{name: one, roles: [control-plane], address: 10.77.0.11}}\n"
        );
        let cluster = load("f", &text).unwrap_or_else(|p| panic!("{p}\n{text}"));
        cluster.router.expect("a router").uplink.address
    };
    let wifi = "wifi: {ssid: home, passwordFile: p, country: DE}";
    assert_eq!(uplink(wifi), UplinkAddress::Dhcp);
    assert_eq!(uplink("interface: eth0"), UplinkAddress::Kept);
    let fixed = uplink(&format!(
        "{wifi}, address: 192.168.1.2/24, gateway: 192.168.1.1"
    ));
    assert!(matches!(fixed, UplinkAddress::Static { .. }));
}
