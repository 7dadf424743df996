//! The whole blueprint at a glance, and what a new machine changes in it.

use crate::setup::{Setup, container, example, load};
use bramble_machine::Facts;
use bramble_machine::step::Blueprint;
use proptest::prelude::*;
use std::fmt::Write as _;

/// Ids of all resources, by machine and step.
fn outline(blueprint: &Blueprint) -> String {
    let mut out = String::new();
    for (name, machine) in &blueprint.machines {
        let _ = writeln!(out, "{name}");
        for step in &machine.steps {
            let needs: Vec<String> = step.needs.iter().map(|(m, s)| format!("{m}:{s}")).collect();
            let after = if needs.is_empty() {
                String::new()
            } else {
                format!(" (after {})", needs.join(", "))
            };
            let _ = writeln!(out, "  {}{after}", step.name);
            for resource in &step.resources {
                let _ = writeln!(out, "    {}", resource.id());
            }
        }
    }
    for step in &blueprint.api {
        let _ = writeln!(out, "API {}: {} resources", step.name, step.resources.len());
    }
    for (name, fact) in &blueprint.facts {
        let _ = writeln!(out, "fact {name}: {} after {}", fact.machine, fact.after);
    }
    for remark in &blueprint.remarks {
        let _ = writeln!(out, "remark: {remark}");
    }
    out
}

#[test]
fn the_labs_blueprint() {
    let mut setup = Setup::new(example("lab.yaml")).on_all(&container());
    let version = setup.cluster.kubernetes.version;
    setup.bundle = Some(crate::setup::without(
        crate::setup::bundle(version, &[bramble_spec::cluster::Arch::Amd64]),
        &["coredns", "containerd", "runc", "cni-plugins"],
    ));
    insta::assert_snapshot!(outline(&setup.blueprint()));
}

#[test]
fn the_blueprint_of_all_keys() {
    insta::assert_snapshot!(outline(&Setup::new(example("full.yaml")).blueprint()));
}

/// No two resources of a machine have the same id: the journal could not tell them apart.
#[test]
fn ids_are_unique_on_a_machine() {
    for file in ["lab.yaml", "full.yaml", "minimal.yaml"] {
        for facts in [Facts::default(), container()] {
            let setup = Setup::new(example(file)).on_all(&facts);
            for (name, machine) in setup.blueprint().machines {
                let mut ids: Vec<String> = machine
                    .steps
                    .iter()
                    .flat_map(|s| &s.resources)
                    .map(|r| r.id())
                    .collect();
                let all = ids.len();
                ids.sort();
                ids.dedup();
                assert_eq!(ids.len(), all, "{file}, {name}");
            }
        }
    }
}

/// What a machine can do decides what it gets.
#[test]
fn facts_and_quirks_decide() {
    let one = |spec: &str, facts: &Facts| Setup::new(crate::setup::cluster(spec)).on_all(facts);
    let usual = one("", &Facts::default());
    assert!(
        usual
            .ids("two", "time")
            .contains(&"service:chrony.service".to_owned())
    );
    let contained = one("", &container());
    assert_eq!(contained.ids("two", "time"), ["action:clock"]);
    let text = |setup: &Setup| format!("{:?}", setup.step("two", "base/system"));
    assert!(text(&usual).contains("bridge-nf-call-iptables"));
    assert!(!text(&contained).contains("bridge-nf-call-iptables"));
    // A clock that belongs to somebody else is left alone also where it could be set.
    let foreign = load(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.11, quirks: [foreign-clock] }\n    - { name: two, address: 10.77.0.12, quirks: [no-clock, small-memory] }\n",
    );
    let setup = Setup::new(foreign);
    assert_eq!(setup.ids("one", "time"), ["action:clock"]);
    let clock = setup.program("two", "time", "action:clock");
    assert!(clock.contains("chronyc -n tracking"), "{clock}");
    let join = setup.program("two", "worker/join", "action:kubeadm-join");
    assert!(join.contains("--ignore-preflight-errors=Mem "), "{join}");
}

/// What this release can't make is said before any connection, and only that.
#[test]
fn limits_are_named() {
    use bramble_blueprint::limits;
    assert_eq!(limits(&example("lab.yaml")), []);
    assert_eq!(limits(&example("minimal.yaml")), []);
    let full = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/full.yaml"),
    );
    let full = full.expect("an example");
    assert_eq!(limits(&load(&full)), []);
    let kube_vip = |address: &str| {
        let text = full
            .replace("vip: 10.77.0.10:8443", &format!("kubeVip: {address}"))
            .replace("      vrrpId: 10\n", "");
        limits(&load(&text))
    };
    assert_eq!(kube_vip("10.77.0.10"), []);
    let said = kube_vip("10.77.0.10:8443");
    assert!(said.len() == 1 && said[0].0.contains("kubeVip"), "{said:?}");
    let six = load(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  machines:\n    - { name: one, roles: [control-plane], address: \"fd00::11\", podRange: 10.244.1.0/24 }\n",
    );
    let said = limits(&six);
    assert!(
        said.len() == 1 && said[0].0.contains("one has the address fd00::11"),
        "{said:?}"
    );
}

#[test]
fn machines_without_a_common_network_are_remarked_on() {
    let text = |second: &str| {
        format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  machines:\n    - {{ name: one, roles: [control-plane], address: 10.1.0.11, podRange: 10.244.1.0/24 }}\n    - {{ name: two, address: {second}, podRange: 10.244.2.0/24 }}\n"
        )
    };
    let remarks = |second| Setup::new(load(&text(second))).blueprint().remarks;
    assert_eq!(remarks("10.1.0.12"), [] as [String; 0]);
    let said = remarks("10.2.0.12");
    assert!(
        said.len() == 1 && said[0].starts_with("the machines have no common network"),
        "{said:?}"
    );
}

/// Machines beside the control plane, by the last part of their address.
fn machines() -> impl Strategy<Value = Vec<(u8, bool)>> {
    proptest::collection::btree_map(12_u8..200, any::<bool>(), 1..6)
        .prop_map(|m| m.into_iter().collect())
}

fn settings() -> impl Strategy<Value = String> {
    let pods = prop_oneof![
        Just("  podNetwork: { plugin: routed }\n"),
        Just("  podNetwork: { plugin: routed, masquerade: false, mtu: 1400 }\n"),
        Just("  podNetwork: { plugin: none }\n"),
        Just("  podNetwork: { plugin: custom, dir: cni }\n"),
    ];
    let runtime = prop_oneof![Just(""), Just("  runtime: { source: bundle }\n")];
    let proxy = prop_oneof![
        Just(""),
        Just("  proxy: { http: 'http://proxy.example:3128' }\n")
    ];
    let mirrors = prop_oneof![
        Just(""),
        Just(
            "  mirrors: { apt: 'http://m11.office/debian', registries: { docker.io: ['http://10.77.0.11:5000'] } }\n"
        )
    ];
    let minor = 20_u16..=36;
    (pods, runtime, proxy, mirrors, minor).prop_map(|(p, r, x, m, minor)| {
        format!("{p}{r}{x}{m}  kubernetes: {{ version: v1.{minor}.0 }}\n")
    })
}

fn file(machines: &[(u8, bool)], settings: &str) -> String {
    let mut out = String::from(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  network: { lan: 10.77.0.0/24 }\n  machines:\n    - { name: m11, roles: [control-plane], address: 10.77.0.11 }\n",
    );
    for (address, labeled) in machines {
        let more = if *labeled {
            ", labels: { a: b }, management: m.office.example"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "    - {{ name: m{address}, address: 10.77.0.{address}{} }}",
            more.replace("m.office", &format!("m{address}.office"))
        );
    }
    out + settings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Cost follows changes: a new worker touches itself and the control plane.
    #[test]
    fn a_new_worker_changes_no_other_worker(all in machines(), new in any::<prop::sample::Index>(), settings in settings(), contained in any::<bool>()) {
        let facts = if contained { container() } else { Facts::default() };
        let make = |machines: &[(u8, bool)]| {
            let mut setup = Setup::new(load(&file(machines, &settings))).on_all(&facts);
            let own = [("bin/own".to_owned(), b"x".to_vec()), ("conf/10.conf".to_owned(), b"@POD_RANGE@".to_vec())];
            setup.assets.insert("cni".into(), own.into_iter().collect());
            setup.blueprint()
        };
        let new = new.index(all.len());
        let mut before = all.clone();
        let (name, _) = before.remove(new);
        let (before, after) = (make(&before), make(&all));
        let added = format!("m{name}");
        prop_assert!(after.machines.contains_key(&added));
        for (machine, old) in before.machines.iter().filter(|(m, _)| *m != "m11") {
            let now = &after.machines[machine];
            // Programs are no part of what Debug shows; what a bare machine would run is.
            let shown = |b: &bramble_machine::MachineBlueprint| {
                let mut out = format!("{b:?}");
                for resource in b.steps.iter().flat_map(|s| &s.resources) {
                    if let Ok(Some(change)) = resource.plan(&Default::default()) {
                        out.push_str(change.apply.as_str());
                    }
                }
                out
            };
            prop_assert_eq!(shown(old), shown(now));
        }
    }
}

/// A Raspberry Pi is told by its command line, and nothing that needs more goes before its restart.
#[test]
fn nodes_without_memory_control_stop_after_the_base() {
    let id = "action:memory-cgroup".to_owned();
    let all = Setup::new(crate::setup::cluster(""));
    assert!(!all.ids("two", "runtime").contains(&id));
    assert_eq!(all.blueprint().remarks, [] as [String; 0]);
    let off = Facts {
        cgroup_memory: false,
        ..Facts::default()
    };
    let mut setup = Setup::new(crate::setup::cluster(""));
    setup.facts.insert("two".into(), off);
    assert_eq!(setup.ids("two", "runtime")[0], id);
    assert!(!setup.ids("three", "runtime").contains(&id));
    let base = setup.ids("two", "base/system");
    assert!(base.contains(&"cmdline:bramble".to_owned()), "{base:?}");
    let remarks = setup.blueprint().remarks;
    assert!(
        remarks.len() == 1
            && remarks[0].starts_with("two: the kernel's memory control group is off"),
        "{remarks:?}"
    );
    let program = setup.program("two", "runtime", &id);
    let restart = "the memory control group is off until the machine restarts: bramble fleet reboot --machine two, then up again";
    assert!(program.contains(restart), "{program}");
    // It does nothing but say which of the remedies is the machine's.
    let out = std::process::Command::new("sh")
        .args(["-ec", &program])
        .output()
        .expect("sh");
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("the memory control group is off") && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn what_holds_nodes_up_is_a_step_before_them() {
    use bramble_blueprint::{holds_nodes, node_steps, step_names};
    let names: Vec<&str> = step_names().map(|(name, _)| name).collect();
    let node = names
        .iter()
        .position(|n| node_steps().contains(n))
        .expect("a node step");
    assert!(node_steps().iter().all(|n| names.contains(n)));
    let held: Vec<&str> = names.into_iter().filter(|n| holds_nodes(n)).collect();
    assert_eq!(
        held,
        ["base/packages", "base/system", "runtime", "kubernetes"]
    );
    assert!(
        step_names()
            .take(node)
            .filter(|(n, _)| holds_nodes(n))
            .count()
            == held.len()
    );
}

/// Whatever a change needs to know is a fact; a worker's earlier life is forgotten before it joins,
/// and only its own.
#[test]
fn what_changes_need_is_known() {
    let setup = Setup::new(crate::setup::cluster(""));
    let blueprint = setup.blueprint();
    for (name, machine) in &blueprint.machines {
        let mut needs = Vec::new();
        for resource in machine.steps.iter().flat_map(|s| &s.resources) {
            if let Ok(Some(change)) = resource.plan(&Default::default()) {
                needs.extend(change.needs);
            }
        }
        for need in &needs {
            assert!(blueprint.facts.contains_key(need), "{name} needs {need}");
        }
        let forgotten: Vec<&String> = needs.iter().filter(|n| n.starts_with("node-")).collect();
        match name.as_str() {
            "one" => assert!(forgotten.is_empty(), "{forgotten:?}"),
            _ => assert_eq!(forgotten, [&format!("node-forgotten-{name}")]),
        }
    }
    let source = &blueprint.facts["node-forgotten-two"];
    assert_eq!(
        (source.machine.as_str(), source.after),
        ("one", "control-plane/init")
    );
    assert!(
        source
            .program
            .as_str()
            .contains("delete --raw /api/v1/nodes/two ")
    );
}
