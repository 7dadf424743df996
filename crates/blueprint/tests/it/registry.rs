//! The router's registries, and the machines that pull from them.

use crate::setup::{Setup, cluster, debian, load, run, skip};
use bramble_blueprint::Fresh;
use bramble_keys::Pair;
use bramble_machine::query::Answer;
use bramble_machine::{Facts, Observation, Query, Resource};
use bramble_secret::Secret;
use bramble_spec::cluster::Arch;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

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

/// Copied to the router: what the machines' processors need; an unseen machine takes nothing away.
#[test]
fn the_router_has_images_for_the_processors_that_are_there() {
    let archs = |setup: &Setup| {
        let all = setup.step("gate", STEP);
        let found = all
            .iter()
            .find(|r| r.id() == "served:registry.k8s.io/pause:3.10.1")
            .expect("the image");
        let change = found.plan(&Observation::default()).expect("a plan");
        change.map(|c| (c.summary, c.uploads.len()))
    };
    let mut setup = routed("{}", "");
    assert_eq!(archs(&setup), Some(("take in (amd64, 1 MB)".into(), 1)));
    let arm = Facts {
        arch: "arm64".into(),
        ..Facts::default()
    };
    setup.facts.insert("two".into(), arm);
    assert_eq!(
        archs(&setup),
        Some(("take in (amd64, arm64, 1 MB)".into(), 2))
    );
    setup.facts.retain(|name, _| name == "gate");
    assert_eq!(archs(&setup), None, "nothing is known to be missing");
}

/// The certificate is the one that the router has; as long as nobody has looked at the router, machines
/// keep theirs.
#[test]
fn the_certificate_is_the_routers() {
    let path = "/etc/containerd/router-registry.crt";
    let mut setup = routed("{}", "");
    assert_eq!(
        setup.text("two", "runtime", path).as_deref(),
        Some("fresh certificate\n")
    );
    let all = setup.step("gate", STEP);
    let keys = all
        .iter()
        .find(|r| r.id() == "keys:registry")
        .expect("keys");
    let change = keys
        .plan(&Observation::default())
        .expect("a plan")
        .expect("a change");
    let program = change.apply.as_str().to_owned();
    let name = program
        .split("public.")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let name = name
        .expect("a published file")
        .trim_end_matches(['"', '\'', ')'])
        .to_owned();
    let kept = Facts {
        public: [(name.clone(), "kept certificate\n".to_owned())].into(),
        ..Facts::default()
    };
    // Worth nothing before the router has it.
    let with = |setup: &Setup| {
        let all = setup.step("two", "runtime");
        let id = format!("file:{path}");
        let file = all.iter().find(|r| r.id() == id).expect("the file");
        let change = file.plan(&Observation::default()).expect("a plan");
        change.expect("a change").with
    };
    let keys = ("gate".to_owned(), "keys:registry".to_owned());
    assert_eq!(with(&setup), Some(keys));
    setup.facts.insert("gate".into(), kept);
    assert_eq!(with(&setup), None);
    assert_eq!(
        setup.text("two", "runtime", path).as_deref(),
        Some("kept certificate\n")
    );
    // Another name of the router is not in the kept one.
    let text = "network: { lan: 10.77.0.0/24, domain: other.example }";
    let other = routed("{}", "");
    let mut moved = other;
    moved.cluster.network.domain = "other.example".into();
    moved.facts.clone_from(&setup.facts);
    assert_eq!(
        moved.text("two", "runtime", path).as_deref(),
        Some("fresh certificate\n"),
        "{text}"
    );
    setup.facts.remove("gate");
    let all = setup.step("two", "runtime");
    let file = all
        .iter()
        .find(|r| r.id() == format!("file:{path}"))
        .expect("the file");
    assert!(
        file.plan(&Observation::default())
            .expect("a plan")
            .is_none()
    );
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

/// Real servers read what is written for them.
#[test]
fn the_servers_accept_their_configuration() {
    let setup = routed(FULL, "");
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().display().to_string();
    let moved = |text: &str| {
        [
            "/var/lib/bramble-registry",
            "/run/bramble-registry-front",
            "/etc/bramble/keys/registry",
        ]
        .iter()
        .fold(text.to_owned(), |t, p| t.replace(p, &format!("{root}{p}")))
    };
    if let Some(registry) = debian("usr/bin/docker-registry", &["docker-registry"]) {
        for name in [
            "private",
            "bundle",
            "mirror-r.example_5000",
            "mirror-docker.io.offline",
        ] {
            let file = format!("/etc/bramble/registry/{name}.yml");
            let text = setup.text("gate", STEP, &file).expect("a file");
            let path = dir.path().join("config.yml");
            std::fs::write(&path, moved(&text)).expect("written");
            let store = format!(
                "{root}/var/lib/bramble-registry/{}/docker/registry/v2/repositories",
                name.trim_end_matches(".offline")
            );
            std::fs::create_dir_all(&store).expect("a store");
            std::fs::create_dir_all(store.replace("repositories", "blobs")).expect("a store");
            let out = run(
                &registry,
                &["garbage-collect", "--dry-run", path.to_str().expect("text")],
            );
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(
                out.status.success() && !said.contains("level=error"),
                "{name}: {said}"
            );
        }
    }
    let Some(nginx) = debian("usr/sbin/nginx", &["nginx"]) else {
        return;
    };
    let text = moved(
        &setup
            .text("gate", STEP, "/etc/bramble/registry/nginx.conf")
            .expect("a file"),
    );
    let named = |key: &str| {
        let line = text
            .lines()
            .find_map(|l| l.trim().strip_prefix(key))
            .expect("a setting");
        line.trim().trim_end_matches(';').to_owned()
    };
    let (certificate, key) = (named("ssl_certificate "), named("ssl_certificate_key "));
    let pair =
        bramble_keys::certificate("x", &["x".into()], bramble_keys::Usage::Server).expect("a pair");
    for folder in [
        Path::new(&certificate).parent(),
        Some(Path::new(&format!("{root}/run/bramble-registry-front/"))),
    ] {
        std::fs::create_dir_all(folder.expect("a folder")).expect("a folder");
    }
    std::fs::create_dir_all(format!("{root}/var/lib/bramble-registry")).expect("a folder");
    std::fs::write(certificate, pair.certificate).expect("written");
    std::fs::write(key, pair.key.expose()).expect("written");
    // Its addresses are none of this computer's.
    let path = dir.path().join("nginx.conf");
    std::fs::write(
        &path,
        text.replace("listen 10.77.0.1:", "listen 127.0.0.1:"),
    )
    .expect("written");
    let out = run(&nginx, &["-t", "-c", path.to_str().expect("text")]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && !said.contains("[warn]"), "{said}");
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// An image in a tar, as bundles have it; its digest.
fn archive(dir: &Path, to: &Path, arch: Arch, layer: &str) -> String {
    let blobs = dir.join("blobs/sha256");
    let _ = std::fs::remove_dir_all(dir.join("blobs"));
    std::fs::create_dir_all(&blobs).expect("a folder");
    let put = |bytes: &[u8]| {
        std::fs::write(blobs.join(hash(bytes)), bytes).expect("written");
        format!(
            "\"digest\":\"sha256:{}\",\"size\":{}",
            hash(bytes),
            bytes.len()
        )
    };
    let layer = put(format!("{layer} for {}", arch.as_str()).as_bytes());
    let config = put(format!(
        "{{\"architecture\":\"{}\",\"os\":\"linux\"}}",
        arch.as_str()
    )
    .as_bytes());
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{{\"mediaType\":\
         \"application/vnd.oci.image.config.v1+json\",{config}}},\"layers\":[{{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",{layer}}}]}}"
    );
    put(manifest.as_bytes());
    std::fs::write(dir.join("index.json"), "{}").expect("written");
    let done = Command::new("tar")
        .arg("-cf")
        .arg(to)
        .args(["index.json", "blobs"])
        .current_dir(dir)
        .status();
    assert!(done.expect("tar").success());
    format!("sha256:{}", hash(manifest.as_bytes()))
}

/// The programs that put images into a store and look at it, with a store and blobs of their own.
struct Store {
    dir: tempfile::TempDir,
    setup: Setup,
}

impl Store {
    fn new() -> Self {
        let mut store = Self {
            dir: tempfile::tempdir().expect("a folder"),
            setup: routed("{}", ""),
        };
        let arm = Facts {
            arch: "arm64".into(),
            ..Facts::default()
        };
        store.setup.facts.insert("two".into(), arm);
        let blobs = store.dir.path().join("var/lib/bramble/blobs");
        std::fs::create_dir_all(&blobs).expect("a folder");
        std::fs::create_dir_all(store.dir.path().join("var/lib/bramble-registry/bundle"))
            .expect("a folder");
        let bundle = store.setup.bundle.as_mut().expect("a bundle");
        for artefact in &mut bundle.artefacts {
            if let bramble_bundle::Artefact::Image(image) = artefact
                && image.reference.contains("/pause:")
            {
                let to = blobs.join(&image.sha256);
                image.image_digest = archive(store.dir.path(), &to, image.arch, "layer");
            }
        }
        store
    }

    fn served(&self) -> std::sync::Arc<dyn Resource> {
        let all = self.setup.step("gate", STEP);
        all.into_iter()
            .find(|r| r.id() == "served:registry.k8s.io/pause:3.10.1")
            .expect("the image")
    }

    /// Runs a program with the folders moved, without other users.
    fn sh(&self, program: &str) -> (bool, String) {
        let root = self.dir.path().display();
        let program = program
            .replace("/var/lib/bramble/", &format!("{root}/var/lib/bramble/"))
            .replace(
                "/var/lib/bramble-registry",
                &format!("{root}/var/lib/bramble-registry"),
            );
        let out = Command::new("sh")
            .args(["-c", &format!("set -e\nchown() {{ :; }}\n{program}")])
            .output()
            .expect("sh");
        let text = [out.stdout, out.stderr].concat();
        (
            out.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn seen(&self) -> Observation {
        let mut seen = Observation::default();
        for query in self.served().wants(&seen) {
            let Query::Command(program) = &query else {
                continue;
            };
            let (good, text) = self.sh(&format!("set +e\n{program}"));
            assert!(good, "{text}");
            let printed = bramble_machine::query::Printed {
                text: text.trim_end().to_owned(),
                exit: 0,
            };
            seen.answers.insert(query, Answer::Printed(printed));
        }
        seen
    }

    fn change(&self) -> Option<bramble_machine::Change> {
        self.served().plan(&self.seen()).expect("a plan")
    }

    /// Puts in what is missing.
    fn take_in(&self) {
        let change = self.change().expect("a change");
        let (good, said) = self.sh(change.apply.as_str());
        assert!(good, "{said}");
    }

    /// The bundle has another image of this name for a processor.
    fn renew(&mut self, arch: Arch) {
        let dir = self.dir.path().to_owned();
        let bundle = self.setup.bundle.as_mut().expect("a bundle");
        for artefact in &mut bundle.artefacts {
            if let bramble_bundle::Artefact::Image(image) = artefact
                && image.reference.contains("/pause:")
                && image.arch == arch
            {
                let to = dir.join("var/lib/bramble/blobs").join(&image.sha256);
                image.image_digest = archive(&dir, &to, arch, "new layer");
            }
        }
    }

    /// What the tag leads to, by processor: the layer of each image.
    fn reached(&self) -> BTreeMap<String, String> {
        let blob = |digest: &str| {
            let hash = digest.trim_start_matches("sha256:");
            let path = self.file(&format!("blobs/sha256/{}/{hash}/data", &hash[..2]));
            std::fs::read_to_string(path).expect("a part")
        };
        let document = |digest: &str| -> serde_json::Value {
            serde_json::from_str(&blob(digest)).expect("a document")
        };
        let tag = "repositories/registry.k8s.io/pause/_manifests/tags/3.10.1/current/link";
        let top = std::fs::read_to_string(self.file(tag)).expect("a tag");
        let all = document(&top);
        let images: Vec<serde_json::Value> = match all["manifests"].as_array() {
            Some(list) => list
                .iter()
                .map(|m| document(m["digest"].as_str().expect("a digest")))
                .collect(),
            None => vec![all],
        };
        let pair = |image: &serde_json::Value| {
            let of =
                |part: &serde_json::Value| part["digest"].as_str().expect("a digest").to_owned();
            let config = document(&of(&image["config"]));
            let arch = config["architecture"].as_str().expect("a processor");
            (arch.to_owned(), blob(&of(&image["layers"][0])))
        };
        images.iter().map(pair).collect()
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.dir
            .path()
            .join("var/lib/bramble-registry/bundle/docker/registry/v2")
            .join(path)
    }
}

#[test]
fn images_are_put_where_the_registry_finds_them() {
    let store = Store::new();
    let change = store.change().expect("a change");
    assert_eq!(change.uploads.len(), 2);
    let (good, said) = store.sh(change.apply.as_str());
    assert!(good, "{said}");
    assert!(store.change().is_none(), "all is there");
    assert!(
        !Path::new(&change.uploads[0].to.replacen(
            "/var/lib/bramble",
            &format!("{}/var/lib/bramble", store.dir.path().display()),
            1
        ))
        .exists()
    );
    serve(&store);
    // A part that is lost is missed.
    let link = store.file("repositories/registry.k8s.io/pause/_manifests/tags/3.10.1/current/link");
    let top = std::fs::read_to_string(&link).expect("a link");
    let top = top.trim_start_matches("sha256:").to_owned();
    let list =
        std::fs::read_to_string(store.file(&format!("blobs/sha256/{}/{top}/data", &top[..2])))
            .expect("a list");
    assert!(list.contains("\"architecture\":\"arm64\""), "{list}");
    let layer = hash(b"layer for arm64");
    std::fs::remove_file(store.file(&format!("blobs/sha256/{}/{layer}/data", &layer[..2])))
        .expect("removed");
    let again = store.change().expect("a change");
    assert_eq!(again.summary, "take in (arm64, 1 MB)");
    // Undone, nothing of it is left in the way of others.
    let (good, said) = store.sh(change.undo.script().as_str());
    assert!(good, "{said}");
    assert!(!store.file("repositories/registry.k8s.io/pause").exists());
}

/// A real registry serves what was put there.
fn serve(store: &Store) {
    let registry = debian("usr/bin/docker-registry", &["docker-registry"]);
    let (Some(registry), Some(skopeo)) = (
        registry,
        Some(Path::new("/usr/bin/skopeo")).filter(|p| p.is_file()),
    ) else {
        return skip("docker-registry or skopeo absent");
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = free.local_addr().expect("an address");
    drop(free);
    let config = store.dir.path().join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ rootdirectory: {}/var/lib/bramble-registry/bundle }} }}\nhttp: {{ addr: \"{at}\" }}\n",
        store.dir.path().display()
    );
    std::fs::write(&config, text).expect("written");
    let mut server = Command::new(registry)
        .arg("serve")
        .arg(config)
        .spawn()
        .expect("it starts");
    let begin = std::time::Instant::now();
    while std::net::TcpStream::connect(at).is_err() && begin.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    for arch in ["amd64", "arm64"] {
        let to = format!("oci:{}/pulled-{arch}:x", store.dir.path().display());
        let from = format!("docker://{at}/registry.k8s.io/pause:3.10.1");
        let out = Command::new(skopeo)
            .args([
                "--override-arch",
                arch,
                "copy",
                "-q",
                "--src-tls-verify=false",
                &from,
                &to,
            ])
            .output()
            .expect("skopeo");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        if !out.status.success() {
            let _ = server.kill();
            panic!("{said}");
        }
        let layer = hash(format!("layer for {arch}").as_bytes());
        let blobs = store.dir.path().join(format!("pulled-{arch}/blobs/sha256"));
        let names: Vec<_> = std::fs::read_dir(blobs)
            .expect("blobs")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        // skopeo packs layers on the way into a layout; what it read was checked by its digest.
        assert!(
            names.len() >= 3 || names.iter().any(|n| *n == *layer),
            "{names:?}"
        );
    }
    let _ = server.kill();
    let _ = server.wait();
}

/// A machine that is off, or not asked for, still finds the image for its processor behind the tag.
#[test]
fn the_image_of_an_unseen_machine_stays_behind_the_tag() {
    // A list of two images, and an image by itself.
    for alone in [false, true] {
        let mut store = Store::new();
        let all = store.setup.facts.clone();
        if alone {
            store.setup.facts.remove("one");
        }
        store.take_in();
        let before = store.reached();
        assert_eq!(before.len(), if alone { 1 } else { 2 });
        store.setup.facts.clone_from(&all);
        store.setup.facts.remove("two");
        store.renew(Arch::Amd64);
        let change = store.change().expect("a change");
        assert_eq!(change.summary, "take in (amd64, 1 MB)");
        store.take_in();
        let after = store.reached();
        assert_eq!(after["arm64"], before["arm64"]);
        assert_eq!(after["amd64"], "new layer for amd64");
        store.setup.facts = all;
        assert!(store.change().is_none(), "nothing has to be copied again");
    }
}

#[test]
fn a_damaged_image_is_not_taken_in() {
    let store = Store::new();
    let change = store.change().expect("a change");
    let blobs = store.dir.path().join("var/lib/bramble/blobs");
    let name = &change.uploads[0].sha256;
    let mut bytes = std::fs::read(blobs.join(name)).expect("the archive");
    let at = bytes
        .windows(9)
        .position(|w| w == b"layer for")
        .expect("the layer");
    bytes[at] ^= 1;
    std::fs::write(blobs.join(name), bytes).expect("written");
    let (good, said) = store.sh(change.apply.as_str());
    assert!(!good && said.contains("the image is damaged"), "{said}");
    assert!(store.change().is_some());
}
