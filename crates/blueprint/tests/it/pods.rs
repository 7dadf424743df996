//! The routed pod network: what BIRD, nftables and the runtime are given.

use crate::setup::{Setup, cluster, debian, example, load, run, skip};
use bramble_machine::Observation;
use serde_json::Value;
use std::process::Command;

const STEP: &str = "pod-network/routed";
const BIRD: &str = "/etc/bird/bird.conf";
const RULES: &str = "/etc/bramble-masquerade.nft";
const CNI: &str = "/etc/cni/net.d/10-bramble.conflist";

/// Clusters with different networks.
fn setups() -> Vec<Setup> {
    let mut all = vec![
        Setup::new(cluster("")),
        Setup::new(cluster(
            "  podNetwork: { plugin: routed, mtu: 1400 }\n  kubernetes: { podRange: 10.32.0.0/13 }\n",
        )),
        Setup::new(example("lab.yaml")),
        Setup::new(example("full.yaml")),
    ];
    // Machines in several networks, and with addresses of IPv6.
    for addresses in [["10.1.0.11", "10.2.0.12"], ["fd00::11", "fd00::12"]] {
        let [one, two] = addresses;
        all.push(Setup::new(load(&format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  machines:\n    - {{ name: one, roles: [control-plane], address: \"{one}\", podRange: 10.244.1.0/24 }}\n    - {{ name: two, address: \"{two}\", podRange: 10.244.2.0/24 }}\n"
        ))));
    }
    all
}

fn texts(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    for setup in setups() {
        let all = setup.cluster.machines.iter();
        out.extend(all.filter_map(|m| setup.text(&m.name, STEP, path)));
    }
    assert!(out.len() > 8, "{out:?}");
    out
}

#[test]
fn bird_reads_its_configuration() {
    let Some(bird) = debian("usr/sbin/bird", &["bird2", "libssh-gcrypt-4"]) else {
        return;
    };
    if run(&bird, &["--version"]).status.code() != Some(0) {
        return skip("bird doesn't run here");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bird.conf");
    let path = path.to_str().expect("text");
    for text in texts(BIRD) {
        std::fs::write(path, &text).expect("written");
        let out = run(&bird, &["-p", "-c", path]);
        assert!(
            out.status.success(),
            "{}\n{text}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn nftables_reads_the_rules() {
    // Even a check asks the kernel.
    let nft = |args: &[&str]| {
        Command::new("unshare")
            .arg("-n")
            .arg("nft")
            .args(args)
            .output()
    };
    if !nft(&["list", "tables"]).is_ok_and(|o| o.status.success()) {
        return skip("nft doesn't run here");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("rules");
    let path = path.to_str().expect("text");
    for text in texts(RULES) {
        std::fs::write(path, &text).expect("written");
        let out = nft(&["-c", "-f", path]).expect("nft");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{said}\n{text}");
        // Loaded again, the table is the new one and not both.
        let twice =
            format!("nft -f {path} && nft -f {path} && nft list table ip bramble-masquerade");
        let out = Command::new("unshare")
            .args(["-n", "sh", "-c", &twice])
            .output()
            .expect("sh");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        if out.status.success() {
            assert_eq!(said.matches("masquerade\n").count(), 1, "{said}");
        }
    }
}

/// The router knows the ways to pods, and tells nobody of any; as a node it also tells of its own.
#[test]
fn the_router_learns_where_pods_are() {
    let file = |roles: &str| {
        load(&format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  network: {{ lan: 10.77.0.0/24 }}\n  machines:\n    - {{ name: gate, roles: [{roles}], address: 192.168.1.100 }}\n    - {{ name: one, roles: [{}], address: 10.77.0.11 }}\n",
            if roles == "router" {
                "control-plane"
            } else {
                "worker"
            }
        ))
    };
    let alone = Setup::new(file("router"));
    assert_eq!(
        alone.ids("gate", STEP),
        ["file:/etc/bird/bird.conf", "service:bird.service"]
    );
    let text = alone.text("gate", STEP, BIRD).expect("a configuration");
    assert!(
        text.contains("export none") && !text.contains("protocol static"),
        "{text}"
    );
    assert!(text.contains("interface 10.77.0.0/24 "), "{text}");
    let packages = alone.program("gate", "router/packages", "packages:router");
    assert!(packages.contains(" bird2"), "{packages}");

    let both = Setup::new(file("router, control-plane"));
    let text = both.text("gate", STEP, BIRD).expect("a configuration");
    assert!(text.contains("route 10.244.1.0/24 unreachable"), "{text}");
    let node = both.ids("one", STEP);
    assert_eq!(both.ids("gate", STEP), node);

    let none = Setup::new(load(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  network: { lan: 10.77.0.0/24 }\n  machines:\n    - { name: gate, roles: [router], address: 192.168.1.100 }\n    - { name: one, roles: [control-plane], address: 10.77.0.11 }\n  podNetwork: { plugin: none }\n",
    ));
    assert_eq!(none.ids("gate", STEP), [] as [String; 0]);
}

/// Pods keep their address towards pods and machines, and lose it towards the rest.
#[test]
fn only_traffic_that_leaves_is_masked() {
    let text = Setup::new(cluster(""))
        .text("two", STEP, RULES)
        .expect("rules");
    assert!(
        text.contains(
            "ip saddr 10.244.0.0/16 ip daddr != { 10.244.0.0/16, 10.77.0.0/24 } masquerade"
        ),
        "{text}"
    );
    let open = Setup::new(cluster(
        "  podNetwork: { plugin: routed, masquerade: false }\n",
    ));
    assert_eq!(open.text("two", STEP, RULES), None);
}

#[test]
fn the_runtime_reads_the_networks_list() {
    for text in texts(CNI) {
        let list: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&list["cniVersion"], &list["name"]),
            (&"0.4.0".into(), &"bramble".into())
        );
        let plugins = list["plugins"].as_array().expect("a list");
        let kinds: Vec<&Value> = plugins.iter().map(|p| &p["type"]).collect();
        assert_eq!(kinds, ["bridge", "portmap"]);
    }
    let setup = Setup::new(cluster("  podNetwork: { plugin: routed, mtu: 1400 }\n"));
    let list: Value =
        serde_json::from_str(&setup.text("two", STEP, CNI).expect("a list")).expect("JSON");
    assert_eq!(list["plugins"][0]["mtu"], 1400);
    assert_eq!(
        list["plugins"][0]["ipam"]["ranges"][0][0]["subnet"],
        "10.244.12.0/24"
    );
}

/// Debian's plug-ins are linked to, all that the list names among them.
#[test]
fn debians_plugins_are_linked() {
    let ids = Setup::new(cluster("")).ids("two", STEP);
    for name in ["bridge", "host-local", "loopback", "portmap"] {
        assert!(
            ids.contains(&format!("link:/opt/cni/bin/{name}")),
            "{ids:?}"
        );
    }
    let Some(bridge) = debian("usr/lib/cni/bridge", &["containernetworking-plugins"]) else {
        return;
    };
    for name in ["host-local", "loopback", "portmap"] {
        assert!(
            bridge.with_file_name(name).is_file(),
            "Debian has no {name}"
        );
    }
}

/// What lets its reader in somewhere is for root alone, and no plan shows it.
#[test]
fn credentials_of_the_operators_plugin_are_secret() {
    let mut setup = Setup::new(cluster("  podNetwork: { plugin: custom, dir: cni }\n"));
    let files = [
        ("calico-kubeconfig", "users: [hunter2]"),
        ("etcd.KEY", "hunter2"),
        ("ca.pem", "hunter2"),
        ("api.token", "hunter2"),
        ("a.yaml", "user:\n  token: hunter2\n"),
        ("b.yaml", "client-key-data: hunter2\n"),
        ("c.json", "{ \"token\": \"hunter2\" }"),
        ("d.conf", "-----BEGIN EC PRIVATE KEY-----\nhunter2\n"),
        (
            "10-own.conflist",
            "{ \"kubeconfig\": \"/etc/cni/net.d/calico-kubeconfig\", \"a\": \"@NODE_NAME@\" }",
        ),
    ];
    let named = files.map(|(name, text)| (format!("conf/{name}"), text.as_bytes().to_vec()));
    setup.assets.insert("cni".into(), named.into());
    let all = setup.step("two", "pod-network/custom");
    for (name, _) in files {
        let path = format!("/etc/cni/net.d/{name}");
        let found = all.iter().find(|r| r.id() == format!("file:{path}"));
        let found = found.unwrap_or_else(|| panic!("no {path}"));
        let change = found.plan(&Observation::default()).expect("a plan");
        let change = change.expect("a change");
        let diff = change.diff.unwrap_or_default();
        let shown = format!("{found:?}{diff}");
        if name == "10-own.conflist" {
            assert!(change.apply.as_str().contains(" 0644 root:root"), "{shown}");
            assert!(diff.contains("\"a\": \"two\""), "{diff}");
        } else {
            assert!(!shown.contains("hunter2"), "{name}: {shown}");
            assert_eq!(diff, "(secret content)\n", "{name}");
            assert!(change.apply.as_str().contains(" 0600 root:root"), "{name}");
        }
    }
}
