//! A draft becomes a file that loads and means what was answered.

use bramble_spec::cluster::{Addon, Endpoint, PodNetwork, Role, Version};
use bramble_spec::file::{BuiltIn, Plugin};
use bramble_spec::{Draft, DraftMachine, load};
use proptest::prelude::*;

fn draft() -> Draft {
    let machine = |name: &str, role, address: &str| DraftMachine {
        name: name.into(),
        roles: vec![role],
        address: Some(address.parse().unwrap()),
        mac: None,
    };
    Draft {
        name: "home".into(),
        version: Version {
            major: 1,
            minor: 34,
            patch: 2,
        },
        machines: vec![
            machine("one", Role::ControlPlane, "10.77.0.11"),
            machine("two", Role::Worker, "10.77.0.12"),
        ],
        lan: Some("10.77.0.0/24".parse().unwrap()),
        vip: None,
        ssh_user: Some("pi".into()),
        keys: vec!["~/.ssh/id_ed25519".into()],
        plugin: Plugin::Routed,
        zone: Some("Europe/Berlin".into()),
        addons: vec![BuiltIn::Demo],
    }
}

#[test]
fn a_draft_is_the_file_that_a_person_would_write() {
    assert_eq!(
        draft().to_yaml(),
        "\
# What this cluster should be. Bramble makes it so, and keeps it so.
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata:
  name: home
spec:
  kubernetes:
    version: v1.34.2
  network:
    lan: 10.77.0.0/24
  # How to log in, for all machines; a machine's own `ssh:` comes first.
  defaults:
    ssh:
      user: pi
      key: ~/.ssh/id_ed25519
  machines:
    - name: one
      roles: [control-plane]
      address: 10.77.0.11
    - name: two
      roles: [worker]
      address: 10.77.0.12
  podNetwork:
    # A bridge on each machine and routes between them.
    plugin: routed
  time:
    zone: Europe/Berlin
  addons: [demo]
"
    );
}

#[test]
fn a_draft_means_what_was_answered() {
    let cluster = load("f", &draft().to_yaml()).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(cluster.name, "home");
    assert_eq!(cluster.kubernetes.version.to_string(), "v1.34.2");
    assert_eq!(cluster.network.lan.unwrap().to_string(), "10.77.0.0/24");
    assert_eq!(cluster.machines.len(), 2);
    assert_eq!(cluster.machine("one").unwrap().roles, [Role::ControlPlane]);
    let two = cluster.machine("two").unwrap();
    assert_eq!(two.address.to_string(), "10.77.0.12");
    assert_eq!(two.ssh.user, "pi");
    assert_eq!(two.ssh.keys, ["~/.ssh/id_ed25519"]);
    assert_eq!(cluster.time.zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(cluster.addons, [Addon::Demo { node_port: 30080 }]);
}

#[test]
fn every_choice_of_a_draft_loads() {
    for plugin in [Plugin::Routed, Plugin::Custom, Plugin::None] {
        let mut draft = draft();
        draft.plugin = plugin;
        draft.keys = vec!["/keys/a b".into(), "~/b".into()];
        draft.vip = Some("10.77.0.10".parse().unwrap());
        draft.machines[1].roles = vec![Role::ControlPlane, Role::Worker];
        draft.machines.push(DraftMachine {
            name: "3".into(),
            roles: vec![Role::ControlPlane],
            address: Some("10.77.0.13".parse().unwrap()),
            mac: None,
        });
        let cluster = load("f", &draft.to_yaml()).unwrap_or_else(|p| panic!("{p}"));
        assert_eq!(cluster.machines[2].name, "3");
        assert_eq!(cluster.machines[2].ssh.keys, ["/keys/a b", "~/b"]);
        assert_eq!(
            cluster.kubernetes.endpoint,
            Endpoint::Vip {
                address: "10.77.0.10".parse().unwrap(),
                port: 8443,
                vrrp_id: 10,
            }
        );
        let expected = match plugin {
            Plugin::Routed => PodNetwork::Routed {
                mtu: None,
                masquerade: true,
            },
            Plugin::Custom => PodNetwork::Custom { dir: "cni".into() },
            Plugin::None => PodNetwork::None,
        };
        assert_eq!(cluster.pod_network, expected);
    }
}

#[test]
fn a_draft_with_a_router_needs_hardware_addresses_alone() {
    let mut draft = draft();
    let gate = DraftMachine {
        name: "gate".into(),
        roles: vec![Role::Router],
        address: Some("192.168.1.100".parse().unwrap()),
        mac: None,
    };
    draft.machines.insert(0, gate);
    draft.machines[1].mac = Some("52:54:00:12:34:56".into());
    draft.machines[2].address = None;
    draft.machines[2].mac = Some("b8:27:eb:00:00:02".into());
    let text = draft.to_yaml();
    assert!(
        text.contains(
            "\
  network:
    # Behind the router, which gives the machines their addresses.
    lan: 10.77.0.0/24
"
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "\
    - name: gate
      roles: [router]
      # Where this computer reaches it; it gets another one in its network.
      address: 192.168.1.100
    - name: one
      roles: [control-plane]
      address: 10.77.0.11
      mac: \"52:54:00:12:34:56\"
    - name: two
      roles: [worker]
      mac: \"b8:27:eb:00:00:02\"
"
        ),
        "{text}"
    );
    let cluster = load("f", &text).unwrap_or_else(|p| panic!("{p}"));
    let addresses: Vec<_> = cluster
        .machines
        .iter()
        .map(|m| m.address.to_string())
        .collect();
    assert_eq!(addresses, ["10.77.0.1", "10.77.0.11", "10.77.0.101"]);
    // Who is in the network reaches the router there.
    draft.machines[0].address = Some("10.77.0.1".parse().unwrap());
    assert!(!draft.to_yaml().contains("Where this computer"));
}

#[test]
fn the_network_behind_a_router_is_not_the_one_that_it_is_in() {
    let lan = |outside: &str| bramble_spec::lan_behind(outside.parse().unwrap()).to_string();
    assert_eq!(lan("192.168.1.100"), "10.77.0.0/24");
    assert_eq!(lan("fd00::1"), "10.77.0.0/24");
    assert_eq!(lan("10.77.0.100"), "10.78.0.0/24");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is answered, the file holds that answer and nothing more.
    #[test]
    fn answers_are_quoted_where_yaml_needs_it(key in "[^\\p{Cc}]{1,20}", user in "[a-z0-9._]{1,8}") {
        prop_assume!(!key.trim().is_empty() && !key.starts_with('-') && !key.contains("PRIVATE KEY"));
        let mut draft = draft();
        draft.keys = vec![key.clone()];
        draft.ssh_user = Some(user.clone());
        let text = draft.to_yaml();
        match load("f", &text) {
            Ok(cluster) => {
                prop_assert_eq!(&cluster.machines[0].ssh.keys, &[key]);
                prop_assert_eq!(&cluster.machines[0].ssh.user, &user);
            }
            Err(problems) => prop_assert!(false, "{}\n{}", problems, text),
        }
    }

    #[test]
    fn names_never_break_out(name in any::<String>()) {
        let mut draft = draft();
        draft.name = name;
        if let Err(problems) = load("f", &draft.to_yaml()) {
            let codes: Vec<_> = problems.list().iter().map(|p| p.code).collect();
            prop_assert!(codes.iter().all(|c| matches!(*c, "cluster-name" | "bad-domain")), "{}", problems);
        }
    }
}
