//! The router's registries, and the machines that pull from them.

use crate::setup::{Setup, cluster, load};
use bramble_blueprint::Fresh;
use bramble_keys::Pair;
use bramble_machine::Observation;
use bramble_secret::Secret;
use std::path::Path;
use std::process::Command;

mod certificate;
mod servers;
mod store;

const STEP: &str = "router/registry";
const CERTS: &str = "/etc/containerd/certs.d";

/// A cluster behind a router with registries.
fn routed(registry: &str, more: &str) -> Setup {
    let mut setup = Setup::new(load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  kubernetes: {{ version: v1.34.0 }}\n  \
         network: {{ lan: 10.77.0.0/24 }}\n  router:\n    registry: {registry}\n  machines:\n    \
         - {{ name: gate, roles: [router], address: 192.168.1.100 }}\n    \
         - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n    \
         - {{ name: two, address: 10.77.0.12 }}\n{more}"
    )));
    setup.fresh = Fresh {
        registry: Some(Pair {
            certificate: "fresh certificate\n".into(),
            key: Secret::new("fresh key"),
        }),
        logins: Some(Secret::new("anna:hash\n")),
        ..Fresh::default()
    };
    for (file, secret) in [("hub.token", "to\"ken"), ("anna.password", "sesame")] {
        setup.secrets.insert(file.into(), Secret::new(secret));
    }
    setup
}

const FULL: &str = "{ mirrors: [{ host: docker.io, user: anna, passwordFile: hub.token }, { host: \"r.example:5000\", url: \"https://far.example\" }], private: { users: [{ name: anna, passwordFile: anna.password }, { name: ben, passwordFile: anna.password }] } }";

/// The program that makes a resource.
fn program(setup: &Setup, machine: &str, step: &str, id: &str) -> String {
    setup.program(machine, step, id)
}

/// What a file with a secret holds, from the program that writes it.
fn written(program: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("file").display().to_string();
    let line = program
        .lines()
        .skip_while(|l| !l.starts_with("printf %s "))
        .collect::<Vec<_>>()
        .join("\n");
    let text = line.split("\nplace ").next().expect("a program");
    let (print, _) = text.rsplit_once("> ").expect("a redirection");
    let out = Command::new("sh")
        .args(["-c", &format!("{print} >{to}")])
        .status();
    assert!(out.expect("sh").success(), "{print}");
    std::fs::read_to_string(to).expect("a file")
}

#[test]
fn the_routers_files() {
    let setup = routed(FULL, "  proxy: { http: \"http://proxy.example:3128\" }\n");
    let mut all = String::new();
    for file in [
        "/etc/bramble/registry/private.yml",
        "/etc/bramble/registry/bundle.yml",
        "/etc/bramble/registry/bundle.env",
        "/etc/bramble/registry/mirror-r.example_5000.yml",
        "/etc/bramble/registry/mirror-docker.io.offline.yml",
        "/etc/bramble/registry/mirror-docker.io.env",
        "/etc/bramble/registry/nginx.conf",
        "/etc/bramble/registry/serve",
        "/etc/bramble/registry/prune",
        "/etc/systemd/system/bramble-registry@.service",
        "/etc/systemd/system/bramble-registry-front.service",
    ] {
        let text = setup.text("gate", STEP, file).expect("a file");
        all.push_str(&format!("==> {file}\n{text}"));
    }
    insta::assert_snapshot!(all);
}

/// The login is quoted, in a file that only the registry reads, and no plan shows it.
#[test]
fn a_login_is_for_the_registry_alone() {
    let setup = routed(FULL, "");
    let id = "file:/etc/bramble/registry/mirror-docker.io.yml";
    let all = setup.step("gate", STEP);
    let file = all.iter().find(|r| r.id() == id).expect("the file");
    let change = file
        .plan(&Observation::default())
        .expect("a plan")
        .expect("a change");
    assert_eq!(change.diff.as_deref(), Some("(secret content)\n"));
    let program = change.apply.as_str();
    assert!(program.contains("0640 root:docker-registry"), "{program}");
    let text = written(program);
    assert!(
        text.contains("  username: \"anna\"\n  password: \"to\\\"ken\"\n"),
        "{text}"
    );
    let shown = format!("{all:?}");
    assert!(
        !shown.contains("sesame") && !shown.contains("to\"ken"),
        "{shown}"
    );
}

#[test]
fn machines_try_the_router_first() {
    let more = "  mirrors:\n    registries: { docker.io: [\"http://near.example\"] }\n    \
                trust: [{ host: far.example, caFile: ca.pem }]\n    insecure: [\"10.77.0.60:5000\"]\n";
    let mut setup = routed(FULL, more);
    setup
        .assets
        .entry("ca.pem".into())
        .or_default()
        .insert(String::new(), b"CA\n".to_vec());
    let mut all = String::new();
    for host in [
        "registry.k8s.io",
        "docker.io",
        "r.example:5000",
        "far.example",
        "10.77.0.60:5000",
    ] {
        let file = format!("{CERTS}/{host}/hosts.toml");
        let text = setup.text("two", "runtime", &file).expect("a file");
        all.push_str(&format!("==> {host}\n{text}"));
    }
    let id = format!("file:{CERTS}/registry.c.internal:5000/hosts.toml");
    let private = program(&setup, "two", "runtime", &id);
    assert!(private.contains("0600 root:root"), "{private}");
    all.push_str(&format!("==> private\n{}", written(&private)));
    insta::assert_snapshot!(all);
    assert_eq!(
        setup
            .text("two", "runtime", &format!("{CERTS}/far.example/ca.crt"))
            .as_deref(),
        Some("CA\n")
    );
    // The mirror of that registry trusts it as well.
    let trust = "/etc/bramble/registry/mirror-r.example_5000.trust/ca.crt";
    assert_eq!(setup.text("gate", STEP, trust).as_deref(), Some("CA\n"));
    let env = setup
        .text(
            "gate",
            STEP,
            "/etc/bramble/registry/mirror-r.example_5000.env",
        )
        .expect("a file");
    assert!(
        env.contains(
            "SSL_CERT_DIR=\"/etc/ssl/certs:/etc/bramble/registry/mirror-r.example_5000.trust\""
        ),
        "{env}"
    );
}

/// What was there without a router is as it was.
#[test]
fn machines_without_a_router_get_their_images_by_copy() {
    let setup = Setup::new(cluster(
        "  mirrors: { registries: { docker.io: [\"https://m.example\"] } }\n",
    ));
    let text = setup.text("two", "runtime", &format!("{CERTS}/docker.io/hosts.toml"));
    assert_eq!(
        text.as_deref(),
        Some(
            "# Made by Bramble.\nserver = \"https://registry-1.docker.io\"\n\n[host.\"https://m.example\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        )
    );
    let change = image(&setup, "two");
    assert!(change.0.starts_with("import ("), "{}", change.0);
    assert_eq!(change.1, 1);
    let blueprint = setup.blueprint();
    let steps = &blueprint.machines["two"].steps;
    assert!(
        steps
            .iter()
            .any(|s| s.name == "kubernetes" && s.needs.is_empty())
    );
}

/// Summary and number of copies of the pause image.
fn image(setup: &Setup, machine: &str) -> (String, usize) {
    let all = setup.step(machine, "kubernetes");
    let found = all
        .iter()
        .find(|r| r.id().contains("/pause:"))
        .expect("the image");
    let change = found
        .plan(&Observation::default())
        .expect("a plan")
        .expect("a change");
    (change.summary, change.uploads.len())
}

#[test]
fn machines_behind_the_router_pull() {
    let setup = routed("{}", "");
    assert_eq!(image(&setup, "two"), ("pull from gate (1 MB)".into(), 0));
    let blueprint = setup.blueprint();
    let step = blueprint.machines["two"]
        .steps
        .iter()
        .find(|s| s.name == "kubernetes");
    let gate = ("gate".to_owned(), STEP.to_owned());
    assert_eq!(step.expect("the step").needs, [gate]);
    // Without private and mirrors there is no more than that.
    let ids = setup.ids("gate", STEP);
    assert!(
        !ids.iter()
            .any(|id| id.contains("nginx") || id.contains("private")),
        "{ids:?}"
    );
}

/// A router that is a control plane as well pulls from itself, and is given each image once.
#[test]
fn a_router_that_is_a_node_pulls_from_itself() {
    let mut setup = routed("{}", "");
    for machine in &mut setup.cluster.machines {
        if machine.name == "gate" {
            machine
                .roles
                .push(bramble_spec::cluster::Role::ControlPlane);
        }
    }
    assert_eq!(image(&setup, "gate"), ("pull from gate (1 MB)".into(), 0));
    let blueprint = setup.blueprint();
    let names: Vec<&str> = blueprint.machines["gate"]
        .steps
        .iter()
        .map(|s| s.name)
        .collect();
    let place = |name| names.iter().position(|n| *n == name);
    assert!(place(STEP) < place("kubernetes"), "{names:?}");
}

/// What was asked for lately stays.
#[test]
fn mirrors_are_pruned_by_age() {
    let setup = routed(FULL, "");
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().display();
    let blob = |age: &str, name: &str| {
        let folder = format!(
            "{root}/var/lib/bramble-registry/mirror-docker.io/docker/registry/v2/blobs/sha256/aa/{name}"
        );
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = format!("{folder}/data");
        std::fs::write(&file, name).expect("written");
        let done = Command::new("touch").args(["-d", age, &file]).status();
        assert!(done.expect("touch").success());
        file
    };
    let (old, new, read) = (
        blob("-90 days", "old"),
        blob("-10 days", "new"),
        blob("-90 days", "read"),
    );
    let lately = Command::new("touch")
        .args(["-a", "-d", "-3 days", &read])
        .status();
    assert!(lately.expect("touch").success());
    std::fs::create_dir_all(format!(
        "{root}/var/lib/bramble-registry/mirror-r.example_5000"
    ))
    .expect("a folder");
    let text = setup
        .text("gate", STEP, "/etc/bramble/registry/prune")
        .expect("a file");
    let program = text.replace("/var/lib/", &format!("{root}/var/lib/"));
    assert!(
        Command::new("sh")
            .args(["-c", &program])
            .status()
            .expect("sh")
            .success()
    );
    let there = [&old, &new, &read].map(|f| Path::new(f).exists());
    assert_eq!(there, [false, true, true]);
}

/// What can't be had again is asked for; the rest isn't.
#[test]
fn only_the_operators_own_images_and_the_key_are_worth_a_question() {
    let setup = routed(FULL, "");
    let lost: Vec<String> = setup
        .step("gate", STEP)
        .iter()
        .filter_map(|r| r.plan(&Observation::default()).ok()??.undo.destroys())
        .collect();
    assert_eq!(
        lost,
        [
            "the images of the private registry in /var/lib/bramble-registry/private on gate",
            "the key and the certificate of gate's registries: computers that were given it must be given a new one",
        ]
    );
}

#[test]
fn no_id_is_there_twice() {
    let setup = routed(FULL, "");
    for machine in ["gate", "one", "two"] {
        let blueprint = setup.blueprint();
        let steps = &blueprint.machines[machine].steps;
        let mut ids: Vec<String> = steps
            .iter()
            .flat_map(|s| &s.resources)
            .map(|r| r.id())
            .collect();
        ids.sort();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "{machine}");
    }
}
