//! A bundle's folder: opening and checking.

use std::path::Path;

use bramble_bundle::index::{Artefact, Binary, Image, ImageRole, Index, Origin};
use bramble_bundle::{Bundle, Error, parse_version};
use bramble_spec::cluster::Arch;

use crate::site::{content, hash};

/// A small bundle, written by hand: the format is a promise.
pub fn sample(dir: &Path) -> Bundle {
    let blobs = dir.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let blob = |name: &str| {
        let bytes = content(name, 50_000);
        let sha256 = hash(&bytes);
        std::fs::write(blobs.join(&sha256), &bytes).unwrap();
        (sha256, bytes.len() as u64)
    };
    let mut artefacts = Vec::new();
    for name in ["kubeadm", "kubelet", "kubectl", "crictl"] {
        let (sha256, size) = blob(name);
        artefacts.push(Artefact::Binary(Binary {
            name: name.into(),
            arch: Arch::Amd64,
            version: "v1.30.1".into(),
            sha256,
            size,
            mode: 0o755,
        }));
    }
    let (sha256, size) = blob("pause");
    artefacts.push(Artefact::Image(Image {
        reference: "registry.k8s.io/pause:3.9".into(),
        arch: Arch::Amd64,
        roles: ImageRole::All,
        sha256,
        size,
        image_digest: format!("sha256:{}", hash(b"manifest")),
    }));
    let origin = Origin {
        kind: "upstream".into(),
        detail: "test".into(),
        key: "k".into(),
    };
    let index = Index::new(
        parse_version("v1.30.1").unwrap(),
        origin,
        vec![Arch::Amd64],
        artefacts,
    );
    std::fs::write(
        dir.join("bundle.json"),
        serde_json::to_vec_pretty(&index).unwrap(),
    )
    .unwrap();
    Bundle::open(dir).unwrap()
}

#[test]
fn an_index_survives_writing_and_reading() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = sample(dir.path());
    let text = serde_json::to_string(bundle.index()).unwrap();
    let again: Index = serde_json::from_str(&text).unwrap();
    assert_eq!(&again, bundle.index());
    assert!(text.contains(r#""kubernetes":"v1.30.1""#), "{text}");
    assert!(
        text.contains(r#""kind":"binary","name":"crictl","arch":"amd64""#),
        "{text}"
    );
    assert!(!again.has_image("coredns"));
    assert!(again.has_image("pause"));
}

#[test]
fn verify_names_each_bad_missing_and_superfluous_blob() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = sample(dir.path());
    let path =
        |name: &str| bundle.blob_path(&bundle.index().binary(name, Arch::Amd64).unwrap().sha256);
    let mut bytes = std::fs::read(path("kubelet")).unwrap();
    bytes[17] ^= 1;
    std::fs::write(path("kubelet"), bytes).unwrap();
    std::fs::remove_file(path("kubectl")).unwrap();
    let stray = dir.path().join("blobs/sha256/stray");
    std::fs::write(&stray, "x").unwrap();

    let mut last = (0, 0);
    let report = bundle.verify(|done, total| last = (done, total)).unwrap();
    assert!(!report.is_sound());
    assert_eq!(report.good, 3);
    assert_eq!(report.bad.len(), 1);
    assert_eq!(report.bad[0].artefact, "kubelet (amd64)");
    assert_eq!(report.bad[0].path, path("kubelet"));
    assert_eq!(report.missing.len(), 1);
    assert_eq!(report.missing[0].artefact, "kubectl (amd64)");
    assert_eq!(report.superfluous, [stray]);
    assert_eq!(last, (200_000, 250_000));
}

#[test]
fn folders_that_are_no_bundle_say_why() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Bundle::open(dir.path()),
        Err(Error::NoBundle { .. })
    ));

    sample(dir.path());
    let path = dir.path().join("bundle.json");
    let good = std::fs::read_to_string(&path).unwrap();
    let victim = good.split('"').find(|w| w.len() == 64).unwrap().to_owned();
    for (text, word) in [
        (
            good.replace(r#""format": 1"#, r#""format": 99"#),
            "format 99",
        ),
        (
            good.replace(&victim, "../../../etc/passwd"),
            "impossible sha256",
        ),
        (good.replace("v1.30.1", "latest"), "bundle.json"),
        (good[..good.len() / 2].to_owned(), "bundle.json"),
        (
            good.replace(r#""name": "kubelet""#, r#""name": "kubeadm""#),
            "twice",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Bundle::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}
