//! The bundle's images in the store of the router's registry.

use super::{STEP, routed};
use crate::setup::{Setup, debian, skip};
use bramble_machine::query::Answer;
use bramble_machine::{Facts, Observation, Query, Resource};
use bramble_spec::cluster::Arch;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

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
