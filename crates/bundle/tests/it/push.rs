//! Images pushed into a real registry, where this computer has one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bramble_bundle::index::{Artefact, Image, ImageRole, Index, Origin};
use bramble_bundle::{
    Access, Bundle, Error, Event, ImageArchive, Patience, Url, push, push_bundle,
};
use bramble_keys::{Strength, Usage, certificate, htpasswd_line};
use bramble_spec::cluster::{Arch, Version};
use serde_json::{Value, json};

use crate::programs::{in_path, until};
use crate::site::{content, hash};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Debian's registry server with TLS and one user, for one test.
struct Registry {
    child: Child,
    dir: tempfile::TempDir,
    access: Access,
}

impl Registry {
    /// `None`, with a line that says so, where it can't run.
    fn start(more: &str) -> Option<Registry> {
        if !in_path("docker-registry") {
            println!("skipped: docker-registry absent");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        let pair = certificate("registry", &["localhost".into()], Usage::Server).unwrap();
        let login = ("anna".to_owned(), bramble_secret::Secret::new("sesame"));
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("crt.pem", &pair.certificate);
        write("key.pem", pair.key.expose());
        write(
            "logins",
            htpasswd_line("test", &login.0, &login.1, Strength::Random)
                .unwrap()
                .expose(),
        );
        let place = dir.path().display();
        write(
            "config.yml",
            &format!(
                "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage:\n  filesystem: \
                 {{ rootdirectory: {place}/store }}\n{more}http:\n  addr: \"{at}\"\n  tls: {{ certificate: \
                 {place}/crt.pem, key: {place}/key.pem }}\nauth:\n  htpasswd: {{ realm: test, path: {place}/logins }}\n"
            ),
        );
        let child = Command::new("docker-registry")
            .args(["serve", &format!("{place}/config.yml")])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        until("the registry listens", || {
            std::net::TcpStream::connect(at).is_ok()
        });
        let access = Access {
            url: Url::parse(&format!("https://localhost:{}", at.port())).unwrap(),
            at,
            certificate: pair.certificate,
            login: Some(login),
            patience: impatient(),
        };
        Some(Registry { child, dir, access })
    }

    /// Manifest or list as another client gets it; `None` without that client.
    fn inspect(&self, name: &str) -> Option<Value> {
        if !in_path("skopeo") {
            println!("skipped: skopeo absent");
            return None;
        }
        let trust = self.dir.path().join("trust");
        std::fs::create_dir_all(&trust).unwrap();
        std::fs::write(trust.join("ca.crt"), &self.access.certificate).unwrap();
        let url = format!("docker://localhost:{}/{name}", self.access.at.port());
        let out = Command::new("skopeo")
            .args(["inspect", "--raw", "--creds", "anna:sesame", "--cert-dir"])
            .arg(trust)
            .arg(url)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{errors}");
        Some(serde_json::from_slice(&out.stdout).unwrap())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn impatient() -> Patience {
    Patience {
        tries: 3,
        pause: Duration::from_millis(1),
        idle: Duration::from_secs(10),
    }
}

/// Writes files into a tar.
fn tar(to: &Path, files: &[(String, Vec<u8>)]) {
    let mut out = tar::Builder::new(std::fs::File::create(to).unwrap());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    out.into_inner().unwrap().flush().unwrap();
}

/// An image of one layer; its digest.
fn image(to: &Path, name: &str, arch: Arch, layer: &[u8]) -> String {
    let config = json!({
        "architecture": arch.as_str(), "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hash(layer))] },
    })
    .to_string();
    let part = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": format!("sha256:{}", hash(bytes)), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": part("application/vnd.oci.image.config.v1+json", config.as_bytes()),
        "layers": [part("application/vnd.oci.image.layer.v1.tar", layer)],
    })
    .to_string();
    let mut top = part(MANIFEST, manifest.as_bytes());
    top["annotations"] = json!({ "io.containerd.image.name": name });
    let index = json!({ "schemaVersion": 2, "manifests": [top] }).to_string();
    let blob = |bytes: &[u8]| (format!("blobs/sha256/{}", hash(bytes)), bytes.to_vec());
    tar(
        to,
        &[
            ("index.json".into(), index.into_bytes()),
            blob(manifest.as_bytes()),
            blob(config.as_bytes()),
            blob(layer),
        ],
    );
    format!("sha256:{}", hash(manifest.as_bytes()))
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    let Some(registry) = Registry::start("") else {
        return;
    };
    let file = registry.dir.path().join("web.tar");
    let layer = content("web", 3_000_000);
    let digest = image(&file, "registry.example/web:1", Arch::Amd64, &layer);
    let archive = ImageArchive::open(&file).unwrap();
    assert_eq!(archive.name(), Some("registry.example/web:1"));
    assert_eq!(archive.digest(), digest);
    let sent = std::sync::Mutex::new(Vec::new());
    let hear = |event| {
        if let Event::Transfer { done, .. } = event {
            sent.lock().unwrap().push(done);
        }
    };
    let access = &registry.access;
    let first = push(access, &archive, "anna/web", "1", hear).await.unwrap();
    assert!(
        !first.unchanged && first.sent > 3_000_000 && first.there == 0,
        "{first:?}"
    );
    assert!(
        sent.lock().unwrap().contains(&(layer.len() as u64)),
        "progress is told to the end"
    );
    let second = push(access, &archive, "anna/web", "1", |_| {})
        .await
        .unwrap();
    assert!(
        second.unchanged && second.sent == 0 && second.there == first.sent,
        "{second:?}"
    );
    // Another tag of the same image is a tag alone.
    let tagged = push(access, &archive, "anna/web", "2", |_| {})
        .await
        .unwrap();
    assert!(!tagged.unchanged && tagged.sent == 0, "{tagged:?}");
    assert_eq!(tagged.digest, digest);
    if let Some(manifest) = registry.inspect("anna/web:2") {
        assert_eq!(
            manifest["layers"][0]["digest"],
            format!("sha256:{}", hash(&layer))
        );
    }
}

/// A bundle with images for two processors in a folder.
fn bundle(dir: &Path) -> Bundle {
    std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    let mut all = Vec::new();
    for arch in [Arch::Amd64, Arch::Arm64] {
        for name in [
            "registry.k8s.io/pause:3.10",
            "registry.k8s.io/coredns/coredns:v1",
        ] {
            let file = dir.join("image.tar");
            let layer = content(&format!("{name} {}", arch.as_str()), 100_000);
            let image_digest = image(&file, name, arch, &layer);
            let bytes = std::fs::read(&file).unwrap();
            let sha256 = hash(&bytes);
            std::fs::rename(&file, dir.join("blobs/sha256").join(&sha256)).unwrap();
            all.push(Artefact::Image(Image {
                reference: name.into(),
                arch,
                roles: ImageRole::All,
                size: bytes.len() as u64,
                sha256,
                image_digest,
            }));
        }
    }
    let origin = Origin {
        kind: "upstream".into(),
        detail: String::new(),
        key: String::new(),
    };
    let version = Version {
        major: 1,
        minor: 34,
        patch: 2,
    };
    let index = Index::new(version, origin, vec![Arch::Amd64, Arch::Arm64], all);
    std::fs::write(dir.join("bundle.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    Bundle::open(dir).unwrap()
}

#[tokio::test]
async fn a_bundle_is_pushed_for_all_its_processors() {
    let Some(registry) = Registry::start("") else {
        return;
    };
    let bundle = bundle(&registry.dir.path().join("bundle"));
    let done = push_bundle(&registry.access, &bundle, |_| {})
        .await
        .unwrap();
    let names: Vec<&str> = done.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "registry.k8s.io/coredns/coredns:v1",
            "registry.k8s.io/pause:3.10"
        ]
    );
    let again = push_bundle(&registry.access, &bundle, |_| {})
        .await
        .unwrap();
    assert!(
        again.iter().all(|(_, p)| p.unchanged && p.sent == 0),
        "{again:?}"
    );
    if let Some(list) = registry.inspect("registry.k8s.io/pause:3.10") {
        let of = |i: usize| {
            (
                &list["manifests"][i]["platform"]["architecture"],
                &list["manifests"][i]["digest"],
            )
        };
        let digest = |arch| {
            bundle
                .index()
                .image("pause", arch)
                .unwrap()
                .image_digest
                .clone()
        };
        assert_eq!(of(0), (&json!("amd64"), &json!(digest(Arch::Amd64))));
        assert_eq!(of(1), (&json!("arm64"), &json!(digest(Arch::Arm64))));
    }
    // A blob that is another image than the index says.
    let pause = bundle.index().image("pause", Arch::Amd64).unwrap();
    let other = bundle.index().image("coredns", Arch::Amd64).unwrap();
    let (from, to) = (
        bundle.blob_path(&other.sha256),
        bundle.blob_path(&pause.sha256),
    );
    std::fs::copy(from, to).unwrap();
    let error = push_bundle(&registry.access, &bundle, |_| {})
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("bramble bundle verify"),
        "{error}"
    );
}

#[tokio::test]
async fn a_registry_that_refuses_is_believed_at_once() {
    let readonly = "  maintenance: { readonly: { enabled: true } }\n";
    let (Some(registry), Some(closed)) = (Registry::start(""), Registry::start(readonly)) else {
        return;
    };
    let file = registry.dir.path().join("web.tar");
    image(&file, "web:1", Arch::Amd64, &content("web", 1000));
    let archive = ImageArchive::open(&file).unwrap();
    let tried = AtomicUsize::new(0);
    let say = async |access: &Access| {
        let count = |event| {
            if matches!(event, Event::Retry { .. }) {
                tried.fetch_add(1, Ordering::Relaxed);
            }
        };
        let error = push(access, &archive, "web", "1", count).await.unwrap_err();
        error.to_string()
    };
    let mut wrong = registry.access.clone();
    wrong.login = Some(("anna".into(), bramble_secret::Secret::new("hunter2")));
    let said = say(&wrong).await;
    assert!(
        said.contains("401: the login is wrong") && !said.contains("hunter2"),
        "{said}"
    );
    let said = say(&closed.access).await;
    assert!(said.contains("405: it takes nothing in"), "{said}");
    assert_eq!(tried.load(Ordering::Relaxed), 0);
    // Somebody else with the same name and port.
    let mut stranger = registry.access.clone();
    stranger.certificate = closed.access.certificate.clone();
    let said = say(&stranger).await;
    assert!(
        said.contains("certificate") && said.contains("tried 3 times"),
        "{said}"
    );
}

#[tokio::test]
async fn a_part_that_is_not_what_it_says_is_refused() {
    let Some(registry) = Registry::start("") else {
        return;
    };
    let file = registry.dir.path().join("web.tar");
    let layer = content("web", 50_000);
    image(&file, "web:1", Arch::Amd64, &layer);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes
        .windows(100)
        .rposition(|w| w == &layer[..100])
        .unwrap();
    bytes[at + 50] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let archive = ImageArchive::open(&file).unwrap();
    let error = push(&registry.access, &archive, "web", "1", |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("400"), "{error}");
    assert!(
        error.to_string().contains("digest did not match"),
        "{error}"
    );
}

/// What Docker saves is pushed as well, also where it saved a layer as a link to another.
#[tokio::test]
async fn what_docker_saved_is_pushed() {
    let Some(registry) = Registry::start("") else {
        return;
    };
    let dir = registry.dir.path();
    let (oci, saved) = (dir.join("oci.tar"), dir.join("saved.tar"));
    let layer = content("saved", 20_000);
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hash(&layer))] },
    })
    .to_string();
    let manifest =
        json!([{ "Config": "c.json", "RepoTags": ["web:1"], "Layers": ["a/layer.tar"] }]);
    tar(
        &saved,
        &[
            ("c.json".into(), config.into_bytes()),
            ("a/layer.tar".into(), layer.clone()),
            ("manifest.json".into(), manifest.to_string().into_bytes()),
        ],
    );
    let archive = ImageArchive::open(&saved).unwrap();
    assert_eq!(archive.name(), Some("web:1"));
    push(&registry.access, &archive, "web", "1", |_| {})
        .await
        .unwrap();
    if let Some(manifest) = registry.inspect("web:1") {
        assert_eq!(
            manifest["layers"][0]["digest"],
            format!("sha256:{}", hash(&layer))
        );
        // skopeo's own form of it has links.
        image(&oci, "other:1", Arch::Amd64, &content("other", 5000));
        let copy = |from: &PathBuf, to: &str| {
            let from = format!("oci-archive:{}", from.display());
            Command::new("skopeo")
                .args(["copy", "-q", &from, to])
                .status()
                .unwrap()
        };
        let linked = dir.join("linked.tar");
        let layout = std::fs::read(&oci).unwrap();
        assert!(!layout.is_empty());
        let to = format!("docker-archive:{}:other:1", linked.display());
        if copy(&oci, &to).success() {
            let archive = ImageArchive::open(&linked).unwrap();
            push(&registry.access, &archive, "other", "1", |_| {})
                .await
                .unwrap();
            assert!(registry.inspect("other:1").is_some());
        }
    }
}

#[test]
fn what_is_no_image_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.tar");
    let said = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        ImageArchive::open(&file).unwrap_err().to_string()
    };
    assert!(said(&[0x1f, 0x8b, 8, 0]).contains("compressed"));
    assert!(said(b"").contains("neither index.json nor manifest.json"));
    assert!(said(&[7; 1024]).contains("no tar"));
    tar(&file, &[("manifest.json".into(), b"[]".to_vec())]);
    let error = ImageArchive::open(&file).unwrap_err();
    assert!(error.to_string().contains("it holds 0 images"), "{error}");
    let lacks = json!([{ "Config": "c.json", "Layers": ["a.tar"] }]).to_string();
    tar(&file, &[("manifest.json".into(), lacks.into_bytes())]);
    let error = ImageArchive::open(&file).unwrap_err();
    assert!(error.to_string().contains("it lacks a.tar"), "{error}");
}

/// A registry that is busy for a moment is asked again; one that sends the upload elsewhere isn't
/// followed.
#[tokio::test]
async fn a_busy_registry_is_asked_again() {
    use axum::http::{Method, StatusCode, header};
    use axum::response::IntoResponse;
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let app = axum::Router::new().fallback(move |method: Method| {
        let count = count.clone();
        async move {
            match method {
                Method::HEAD => StatusCode::NOT_FOUND.into_response(),
                _ if count.fetch_add(1, Ordering::Relaxed) == 0 => {
                    StatusCode::SERVICE_UNAVAILABLE.into_response()
                }
                _ => {
                    let away = [(header::LOCATION, "http://elsewhere.example/upload")];
                    (StatusCode::ACCEPTED, away).into_response()
                }
            }
        }
    });
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(socket, app).await });
    let pair = certificate("registry", &["localhost".into()], Usage::Server).unwrap();
    let access = Access {
        url: Url::parse(&format!("http://localhost:{}", at.port())).unwrap(),
        at,
        certificate: pair.certificate,
        login: None,
        patience: impatient(),
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.tar");
    image(&file, "web:1", Arch::Amd64, b"layer");
    let archive = ImageArchive::open(&file).unwrap();
    let error = push(&access, &archive, "web", "1", |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    assert!(error.to_string().contains("elsewhere.example"), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
