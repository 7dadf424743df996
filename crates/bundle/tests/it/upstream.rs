//! Bundles from a site and a registry on loopback.

use std::sync::Mutex;
use std::time::Duration;

use bramble_bundle::index::ImageRole;
use bramble_bundle::{
    Bundle, Error, Event, Form, ImageTags, Patience, Source, Tool, Upstream, build, image_tags,
    parse_version,
};
use bramble_spec::cluster::{Arch, Role};

use crate::containerd::Containerd;
use crate::site::{Fault, Site, content, hash};

const VERSION: &str = "v1.34.2";
const KUBELET: &str = "/release/v1.34.2/bin/linux/amd64/kubelet";

/// A site with everything that a release needs.
async fn site(archs: &[Arch]) -> Site {
    let site = Site::start().await;
    for &arch in archs {
        site.put_release(VERSION, arch);
        let tool = format!("/tools/cni-2.0-{}.tgz", arch.as_str());
        site.put_checked(&tool, content(&tool, 100_000));
    }
    let tags = image_tags(parse_version(VERSION).unwrap()).unwrap();
    for name in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
    ] {
        site.put_image(name, VERSION, archs);
    }
    site.put_image("etcd", &tags.etcd, archs);
    site.put_image("pause", &tags.pause, archs);
    site.put_image("coredns/coredns", "v1.12.1", archs);
    site.put_image("e2e-test-images/busybox", "1.36.1-1", archs);
    site
}

fn patience() -> Patience {
    Patience {
        tries: 3,
        pause: Duration::from_millis(1),
        idle: Duration::from_secs(5),
    }
}

fn upstream(site: &Site) -> Upstream {
    let base = site.base.as_str().trim_end_matches('/');
    Upstream {
        release_base: site.base.clone(),
        registry: site.base.clone(),
        tools: Some(vec![Tool {
            name: "cni-plugins".into(),
            version: "2.0".into(),
            file: format!("{base}/tools/cni-{{version}}-{{arch}}.tgz"),
            checksum: format!("{base}/tools/cni-{{version}}-{{arch}}.tgz.sha256"),
            form: Form::Archive {
                strip: 0,
                members: vec![],
                into: "/opt/cni/bin".into(),
            },
        }]),
        patience: patience(),
        ..Upstream::default()
    }
}

async fn run(site: &Site, archs: &[Arch], dir: &std::path::Path) -> Result<Bundle, Error> {
    let source = Source::Upstream(Box::new(upstream(site)));
    build(source, parse_version(VERSION).unwrap(), archs, dir, |_| {}).await
}

/// The tar of an image, as path and content.
fn unpack(bundle: &Bundle, short: &str, arch: Arch) -> Vec<(String, Vec<u8>)> {
    let image = bundle.index().image(short, arch).unwrap();
    let file = std::fs::File::open(bundle.blob_path(&image.sha256)).unwrap();
    let mut tar = tar::Archive::new(file);
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (path, bytes)
    });
    entries.collect()
}

#[tokio::test]
async fn a_release_for_two_architectures_is_complete_and_verifies() {
    let archs = [Arch::Amd64, Arch::Arm64];
    let site = site(&archs).await;
    let dir = tempfile::tempdir().unwrap();
    let bundle = run(&site, &archs, dir.path()).await.unwrap();

    let report = Bundle::open(dir.path()).unwrap().verify(|_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.superfluous, Vec::<std::path::PathBuf>::new());
    let index = bundle.index();
    for arch in archs {
        let kubelet = index.binary("kubelet", arch).unwrap();
        let expected = content(&format!("kubelet {VERSION} {}", arch.as_str()), 300_000);
        assert_eq!(
            std::fs::read(bundle.blob_path(&kubelet.sha256)).unwrap(),
            expected
        );
        assert_eq!(
            index.archive("cni-plugins", arch).unwrap().into,
            "/opt/cni/bin"
        );
        let names: Vec<_> = index.images(arch).map(|i| i.reference.as_str()).collect();
        assert_eq!(
            names,
            [
                "registry.k8s.io/coredns/coredns:v1.12.1",
                "registry.k8s.io/e2e-test-images/busybox:1.36.1-1",
                "registry.k8s.io/etcd:3.6.5-0",
                "registry.k8s.io/kube-apiserver:v1.34.2",
                "registry.k8s.io/kube-controller-manager:v1.34.2",
                "registry.k8s.io/kube-proxy:v1.34.2",
                "registry.k8s.io/kube-scheduler:v1.34.2",
                "registry.k8s.io/pause:3.10.1",
            ]
        );
    }
    assert!(index.has_image("coredns"));
    assert_eq!(
        index.image("etcd", Arch::Amd64).unwrap().roles,
        ImageRole::ControlPlane
    );
    let (plane, worker) = (
        bundle.total_for(Role::ControlPlane, Arch::Amd64),
        bundle.total_for(Role::Worker, Arch::Amd64),
    );
    assert!(plane > worker && worker > 0, "{plane} {worker}");
    assert_eq!(bundle.total_for(Role::Router, Arch::Amd64), 0);

    // A second build asks nobody.
    let before = site.requests();
    run(&site, &archs, dir.path()).await.unwrap();
    assert_eq!(site.requests(), before);
}

#[tokio::test]
async fn what_is_damaged_is_replaced_by_building_again() {
    let site = site(&[Arch::Amd64]).await;
    let dir = tempfile::tempdir().unwrap();
    let bundle = run(&site, &[Arch::Amd64], dir.path()).await.unwrap();
    let index = bundle.index();
    let program = &index.binary("kubelet", Arch::Amd64).unwrap().sha256;
    let image = &index.image("etcd", Arch::Amd64).unwrap().sha256;
    for hash in [program, image] {
        let path = bundle.blob_path(hash);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[1234] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    assert_eq!(bundle.verify(|_, _| {}).unwrap().bad.len(), 2);

    let damaged = Mutex::new(Vec::new());
    let source = Source::Upstream(Box::new(upstream(&site)));
    let version = parse_version(VERSION).unwrap();
    let again = build(source, version, &[Arch::Amd64], dir.path(), |e| {
        if let Event::Damaged(finding) = e {
            damaged.lock().unwrap().push(finding.artefact);
        }
    })
    .await
    .unwrap();
    assert!(again.verify(|_, _| {}).unwrap().is_sound());
    assert_eq!(again.index(), index);
    let mut damaged = damaged.into_inner().unwrap();
    damaged.sort();
    assert_eq!(
        damaged,
        ["kubelet (amd64)", "registry.k8s.io/etcd:3.6.5-0 (amd64)"]
    );
}

#[tokio::test]
async fn the_list_of_manifests_leads_to_the_right_architecture() {
    let archs = [Arch::Amd64, Arch::Arm64];
    let site = site(&archs).await;
    let digests = site.put_image("kube-proxy", VERSION, &archs);
    let dir = tempfile::tempdir().unwrap();
    let bundle = run(&site, &[Arch::Arm64], dir.path()).await.unwrap();

    let image = bundle.index().image("kube-proxy", Arch::Arm64).unwrap();
    assert_eq!(image.image_digest, digests[&Arch::Arm64]);
    let files = unpack(&bundle, "kube-proxy", Arch::Arm64);
    let layer = content(&format!("kube-proxy {VERSION} arm64"), 200_000);
    assert!(files.contains(&(format!("blobs/sha256/{}", hash(&layer)), layer)));
    let index = files.iter().find(|(path, _)| path == "index.json").unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index.1).unwrap();
    assert_eq!(
        index["manifests"][0]["digest"],
        digests[&Arch::Arm64].as_str()
    );
    assert_eq!(
        index["manifests"][0]["annotations"]["io.containerd.image.name"],
        "registry.k8s.io/kube-proxy:v1.34.2"
    );
}

#[tokio::test]
async fn containerd_takes_the_image_under_its_name_and_with_upstreams_digest() {
    let Some(containerd) = Containerd::start() else {
        return;
    };
    let site = site(&[Arch::Amd64]).await;
    let dir = tempfile::tempdir().unwrap();
    let bundle = run(&site, &[Arch::Amd64], dir.path()).await.unwrap();
    let image = bundle.index().image("kube-proxy", Arch::Amd64).unwrap();
    let tar = bundle.blob_path(&image.sha256).display().to_string();
    // The layers hold noise, which can't be unpacked.
    let out = containerd.ctr(&[
        "images",
        "import",
        "--no-unpack",
        "--platform",
        "linux/amd64",
        &tar,
    ]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let listed = String::from_utf8(containerd.ctr(&["images", "ls"]).stdout).unwrap();
    let line = listed
        .lines()
        .find(|l| l.starts_with("registry.k8s.io/kube-proxy:v1.34.2 "));
    assert!(
        line.is_some_and(|l| l.contains(&image.image_digest)),
        "{listed}"
    );
}

#[tokio::test]
async fn an_image_that_lacks_the_architecture_is_named() {
    let site = site(&[Arch::Amd64, Arch::Arm64]).await;
    site.put_image("etcd", "3.6.5-0", &[Arch::Amd64]);
    let dir = tempfile::tempdir().unwrap();
    let text = run(&site, &[Arch::Arm64], dir.path())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("etcd") && text.contains("linux/arm64") && text.contains("linux/amd64"),
        "{text}"
    );
}

#[tokio::test]
async fn a_registry_that_wants_tokens_gets_them() {
    let site = site(&[Arch::Amd64]).await;
    site.want_tokens();
    let dir = tempfile::tempdir().unwrap();
    run(&site, &[Arch::Amd64], dir.path()).await.unwrap();
    // Once per repository: eight images.
    assert_eq!(site.ranges("/token").len(), 8);
}

#[tokio::test]
async fn a_cut_transfer_goes_on_where_it_was() {
    let site = site(&[Arch::Amd64]).await;
    site.fault(KUBELET, Fault::CutOnce);
    let dir = tempfile::tempdir().unwrap();
    let events = Mutex::new(Vec::new());
    let source = Source::Upstream(Box::new(upstream(&site)));
    let version = parse_version(VERSION).unwrap();
    let bundle = build(source, version, &[Arch::Amd64], dir.path(), |e| {
        events.lock().unwrap().push(e)
    })
    .await
    .unwrap();

    assert!(bundle.verify(|_, _| {}).unwrap().is_sound());
    let ranges = site.ranges(KUBELET);
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    let from: u64 = ranges[1].as_ref().unwrap()["bytes=".len()..]
        .trim_end_matches('-')
        .parse()
        .unwrap();
    assert!((1..=150_000).contains(&from), "{from}");
    let retried = |e: &Event| matches!(e, Event::Retry { name, .. } if name.contains("kubelet"));
    assert!(events.lock().unwrap().iter().any(retried));
}

#[tokio::test]
async fn a_server_without_ranges_is_asked_for_the_whole_again() {
    let site = site(&[Arch::Amd64]).await;
    site.fault(KUBELET, Fault::CutOnceWithoutRanges);
    let dir = tempfile::tempdir().unwrap();
    let bundle = run(&site, &[Arch::Amd64], dir.path()).await.unwrap();
    assert!(bundle.verify(|_, _| {}).unwrap().is_sound());
    assert_eq!(site.ranges(KUBELET).len(), 2);
}

#[tokio::test]
async fn a_part_of_an_earlier_run_is_used_and_a_stale_one_does_no_harm() {
    let site = site(&[Arch::Amd64]).await;
    let whole = content(&format!("kubelet {VERSION} amd64"), 300_000);
    for (beginning, requests) in [
        (whole[..250_000].to_vec(), 1),
        (vec![0; 250_000], 2),
        (vec![0; 400_000], 2),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join(format!("{}.part", hash(&whole))), beginning).unwrap();
        let before = site.ranges(KUBELET).len();
        let bundle = run(&site, &[Arch::Amd64], dir.path()).await.unwrap();
        assert!(bundle.verify(|_, _| {}).unwrap().is_sound());
        assert_eq!(site.ranges(KUBELET).len() - before, requests);
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_dead_one_given_up() {
    let site = site(&[Arch::Amd64]).await;
    site.fault(KUBELET, Fault::BusyOnce);
    let dir = tempfile::tempdir().unwrap();
    run(&site, &[Arch::Amd64], dir.path()).await.unwrap();

    site.fault(KUBELET, Fault::CutAlways);
    let dir = tempfile::tempdir().unwrap();
    let error = run(&site, &[Arch::Amd64], dir.path()).await.unwrap_err();
    assert!(matches!(error, Error::Transfer { tries: 3, .. }), "{error}");
    assert!(error.to_string().contains(KUBELET), "{error}");
    assert!(matches!(
        Bundle::open(dir.path()),
        Err(Error::NoBundle { .. })
    ));
}

#[tokio::test]
async fn a_wrong_checksum_names_address_and_both_sums_and_leaves_no_part() {
    let site = site(&[Arch::Amd64]).await;
    let expected = hash(b"something else");
    site.put(&format!("{KUBELET}.sha256"), expected.clone());
    let dir = tempfile::tempdir().unwrap();
    let text = run(&site, &[Arch::Amd64], dir.path())
        .await
        .unwrap_err()
        .to_string();
    let got = hash(&content(&format!("kubelet {VERSION} amd64"), 300_000));
    assert!(
        text.contains(KUBELET) && text.contains(&expected) && text.contains(&got),
        "{text}"
    );
    assert!(
        !dir.path()
            .join(format!("blobs/sha256/{expected}.part"))
            .exists()
    );
    assert!(!dir.path().join("bundle.json").exists());
}

#[tokio::test]
async fn a_manifest_with_another_digest_is_refused() {
    let site = site(&[Arch::Amd64]).await;
    let digest = &site.put_image("pause", "3.10.1", &[Arch::Amd64])[&Arch::Amd64];
    site.put(&format!("/v2/pause/manifests/{digest}"), "{}");
    let dir = tempfile::tempdir().unwrap();
    let error = run(&site, &[Arch::Amd64], dir.path()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Checksum { url, .. } if url.contains("pause")),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_file_is_named_with_its_status() {
    let site = site(&[Arch::Amd64]).await;
    site.remove(KUBELET);
    let dir = tempfile::tempdir().unwrap();
    let error = run(&site, &[Arch::Amd64], dir.path()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Status { status: 404, url, .. } if url.ends_with(KUBELET)),
        "{error}"
    );
}

#[tokio::test]
async fn a_registry_without_the_demo_pages_image_will_do() {
    let site = site(&[Arch::Amd64]).await;
    site.remove("/v2/e2e-test-images/busybox/manifests/1.36.1-1");
    let dir = tempfile::tempdir().unwrap();
    let bundle = run(&site, &[Arch::Amd64], dir.path()).await.unwrap();
    assert!(!bundle.index().has_image("busybox"));
    assert!(bundle.index().has_image("pause"));

    site.remove("/v2/pause/manifests/3.10.1");
    let dir = tempfile::tempdir().unwrap();
    let error = run(&site, &[Arch::Amd64], dir.path()).await.unwrap_err();
    assert!(error.to_string().contains("pause"), "{error}");
}

#[tokio::test]
async fn a_release_beyond_the_table_needs_tags_and_takes_them() {
    let site = site(&[Arch::Amd64]).await;
    site.put_release("v1.99.0", Arch::Amd64);
    for name in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
    ] {
        site.put_image(name, "v1.99.0", &[Arch::Amd64]);
    }
    let version = parse_version("v1.99.0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut from = upstream(&site);
    let source = Source::Upstream(Box::new(from.clone()));
    let text = build(source, version, &[Arch::Amd64], dir.path(), |_| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("v1.99.0") && text.contains("give them"),
        "{text}"
    );

    from.tags = Some(ImageTags {
        pause: "3.10.1".into(),
        etcd: "3.6.5-0".into(),
        coredns: "coredns/coredns:v1.12.1".into(),
        repository: "registry.k8s.io".into(),
    });
    let source = Source::Upstream(Box::new(from));
    let bundle = build(source, version, &[Arch::Amd64], dir.path(), |_| {})
        .await
        .unwrap();
    assert!(
        bundle
            .index()
            .image("kube-proxy", Arch::Amd64)
            .unwrap()
            .reference
            .ends_with(":v1.99.0")
    );
}

#[test]
fn a_build_may_run_in_a_task_of_its_own() {
    fn spawnable<T: Send>(_: T) {}
    let source = Source::Upstream(Box::default());
    spawnable(build(
        source,
        parse_version(VERSION).unwrap(),
        &[],
        "/nowhere",
        |_| {},
    ));
}
