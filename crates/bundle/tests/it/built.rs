//! A bundle that was built from Debian's source, where this computer has one in its cache.

use std::path::Path;
use std::process::Command;

use bramble_bundle::{Bundle, DEBIAN_VERSION};
use bramble_spec::cluster::{Arch, Role};

use crate::containerd::Containerd;
use crate::programs::until;

/// Where `bramble bundle build --from debian` puts it by default.
fn built() -> Option<(Bundle, Arch)> {
    let dir = Path::new("/var/cache/bramble/bundles").join(format!("debian-{DEBIAN_VERSION}"));
    let Ok(bundle) = Bundle::open(&dir) else {
        println!("skipped: {} absent", dir.display());
        return None;
    };
    let arch = bundle.index().archs[0];
    Some((bundle, arch))
}

#[test]
fn a_built_bundle_is_sound_and_has_what_kubeadm_asks_for() {
    let Some((bundle, arch)) = built() else {
        return;
    };
    let report = bundle.verify(|_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let kubeadm = bundle.index().binary("kubeadm", arch).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("kubeadm");
    std::fs::copy(bundle.blob_path(&kubeadm.sha256), &program).unwrap();
    assert!(
        Command::new("chmod")
            .arg("755")
            .arg(&program)
            .status()
            .unwrap()
            .success()
    );
    let run = |args: &[&str]| {
        let out = Command::new(&program).args(args).output().unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    };
    let version = DEBIAN_VERSION.to_string();
    assert_eq!(run(&["version", "-o", "short"]).trim(), version);
    let wanted = run(&["config", "images", "list", "--kubernetes-version", &version]);
    let there: Vec<_> = bundle
        .index()
        .images(arch)
        .map(|i| i.reference.as_str())
        .collect();
    for image in wanted.lines().filter(|l| !l.contains("coredns")) {
        assert!(there.contains(&image), "{image} is not in {there:?}");
    }
    assert!(!bundle.index().has_image("coredns"));
    assert!(bundle.total_for(Role::Worker, arch) < bundle.total_for(Role::ControlPlane, arch));
}

#[test]
fn the_images_run_under_containerd_and_crictl_clears_a_pod() {
    let Some((bundle, arch)) = built() else {
        return;
    };
    let Some(containerd) = Containerd::start() else {
        return;
    };
    assert!(containerd.crictl(&["info"]).0);
    for short in ["pause", "demo"] {
        let image = bundle.index().image(short, arch).unwrap();
        assert!(!containerd.crictl(&["inspecti", &image.reference]).0);
        let tar = bundle.blob_path(&image.sha256).display().to_string();
        let out = containerd.ctr(&["images", "import", &tar]);
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        assert!(containerd.crictl(&["inspecti", &image.reference]).0);
        let listed = String::from_utf8(containerd.ctr(&["images", "ls"]).stdout).unwrap();
        let line = listed
            .lines()
            .find(|l| l.starts_with(&image.reference))
            .unwrap();
        assert!(line.contains(&image.image_digest), "{line}");
        assert!(
            containerd.crictl(&["pull", &image.reference]).0,
            "already there"
        );
    }
    let (pod, web) = ("bramble-test-pod-0001", "bramble-test-web-0001");
    for (kind, image, id) in [
        ("sandbox", "k8s.gcr.io/pause:3.2", pod),
        ("container", "bramble.dev/demo:1", web),
    ] {
        let kind = format!("io.cri-containerd.kind={kind}");
        let out = containerd.ctr(&[
            "run",
            "-d",
            "--label",
            &kind,
            "--label",
            "io.kubernetes.pod.uid=0c0ffee0-1",
            "--label",
            "io.kubernetes.pod.namespace=default",
            "--label",
            "io.kubernetes.pod.name=web",
            image,
            id,
        ]);
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    let fetch = [
        "tasks",
        "exec",
        "--exec-id",
        "w",
        web,
        "wget",
        "-q",
        "-O",
        "-",
        "http://127.0.0.1:8080/",
    ];
    until("the demo answers", || {
        String::from_utf8_lossy(&containerd.ctr(&fetch).stdout).contains("served by")
    });
    assert_eq!(containerd.crictl(&["pods", "-q"]).1.trim(), pod);
    assert_eq!(containerd.crictl(&["ps", "-q"]).1.trim(), web);
    assert!(containerd.crictl(&["stopp", pod]).0);
    assert_eq!(containerd.crictl(&["ps", "-q"]).1, "");
    assert!(containerd.crictl(&["rmp", pod]).0);
    assert_eq!(containerd.crictl(&["pods", "-q"]).1, "");
    assert!(containerd.crictl(&["rmp", pod]).0, "gone already is fine");
    assert_eq!(
        String::from_utf8(containerd.ctr(&["containers", "ls", "-q"]).stdout)
            .unwrap()
            .trim(),
        ""
    );
}
