//! Bundles copied from a web server.

use std::path::Path;
use std::time::Duration;

use bramble_bundle::{Bundle, Error, Patience, Source, build, parse_version};
use bramble_spec::cluster::Arch;

use crate::bundle::sample;
use crate::site::{Fault, Site};

fn publish(site: &Site, bundle: &Bundle) {
    site.put(
        "/b/bundle.json",
        std::fs::read(bundle.dir().join("bundle.json")).unwrap(),
    );
    for a in &bundle.index().artefacts {
        let path = bundle.blob_path(a.sha256());
        site.put(
            &format!("/b/blobs/sha256/{}", a.sha256()),
            std::fs::read(path).unwrap(),
        );
    }
}

async fn copy(site: &Site, version: &str, archs: &[Arch], dir: &Path) -> Result<Bundle, Error> {
    let source = Source::Mirror {
        base: site.base.join("b/").unwrap(),
        patience: Patience {
            tries: 3,
            pause: Duration::from_millis(1),
            idle: Duration::from_secs(5),
        },
    };
    build(source, parse_version(version).unwrap(), archs, dir, |_| {}).await
}

#[tokio::test]
async fn a_whole_bundle_is_copied_even_over_a_line_that_cuts() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bundle = sample(from.path());
    let site = Site::start().await;
    publish(&site, &bundle);
    let first = bundle.index().artefacts[0].sha256();
    site.fault(&format!("/b/blobs/sha256/{first}"), Fault::CutOnce);

    let copied = copy(&site, "v1.30.1", &[], to.path()).await.unwrap();
    assert_eq!(copied.index(), bundle.index());
    assert!(copied.verify(|_, _| {}).unwrap().is_sound());

    // Damaged, and copied again.
    let path = copied.blob_path(first);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[17] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let again = copy(&site, "v1.30.1", &[], to.path()).await.unwrap();
    assert!(again.verify(|_, _| {}).unwrap().is_sound());
}

#[tokio::test]
async fn one_architecture_can_be_copied_alone_and_an_absent_one_is_an_error() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let site = Site::start().await;
    publish(&site, &sample(from.path()));

    let copied = copy(&site, "v1.30.1", &[Arch::Amd64], to.path())
        .await
        .unwrap();
    assert!(
        copied
            .index()
            .artefacts
            .iter()
            .all(|a| a.arch() == Arch::Amd64)
    );
    assert!(copied.verify(|_, _| {}).unwrap().is_sound());
    let error = copy(&site, "v1.30.1", &[Arch::Arm64], to.path())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("arm64"), "{error}");
}

#[tokio::test]
async fn another_release_and_altered_content_are_refused() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bundle = sample(from.path());
    let site = Site::start().await;
    publish(&site, &bundle);
    let error = copy(&site, "v1.30.2", &[], to.path())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("v1.30.1") && error.contains("v1.30.2"),
        "{error}"
    );

    let victim = bundle.index().artefacts[0].sha256();
    site.put(&format!("/b/blobs/sha256/{victim}"), "altered");
    let error = copy(&site, "v1.30.1", &[], to.path()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Checksum { expected, .. } if expected == victim),
        "{error}"
    );
    assert!(matches!(
        Bundle::open(to.path()),
        Err(Error::NoBundle { .. })
    ));
}
