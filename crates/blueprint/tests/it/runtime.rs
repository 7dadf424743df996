//! containerd from Debian and from the bundle.

use crate::setup::{Setup, bundle, cluster, container, debian, run, version, without};
use bramble_machine::{Facts, Observation};
use bramble_spec::cluster::Arch;

const CONFIG: &str = "/etc/containerd/config.toml";

fn from_bundle(minor: u16, more: &str) -> Setup {
    let version = version(minor, 0);
    let spec =
        format!("  kubernetes: {{ version: {version} }}\n  runtime: {{ source: bundle }}\n{more}");
    Setup::new(cluster(&spec))
}

#[test]
fn the_bundles_runtime_has_no_package() {
    let setup = from_bundle(34, "");
    assert_eq!(
        setup.ids("two", "runtime"),
        [
            "fixed:runtime.source",
            "action:runtime-leftovers",
            "archive:containerd",
            "binary:/usr/local/sbin/runc",
            "archive:cni-plugins",
            "file:/etc/systemd/system/containerd.service",
            "directory:/etc/containerd",
            "directory:/etc/containerd/certs.d",
            "file:/etc/containerd/config.toml",
            "directory:/etc/cni",
            "directory:/etc/cni/net.d",
            "service:containerd.service",
        ]
    );
    // The plug-ins are in place: no links, and nobody else makes their folder.
    for step in ["kubernetes", "pod-network/routed"] {
        let ids = setup.ids("two", step);
        assert!(
            !ids.is_empty() && !ids.iter().any(|id| id.contains("/opt/cni")),
            "{ids:?}"
        );
    }
    let plugins = setup
        .step("two", "runtime")
        .iter()
        .find(|r| r.id() == "archive:cni-plugins")
        .map(|r| format!("{r:?}"));
    let plugins = plugins.expect("the plug-ins");
    assert!(plugins.contains("folder: \"/opt/cni/bin\""), "{plugins}");
}

/// A changed program, unit or configuration, or another folder of networks, restarts containerd; a
/// changed runc doesn't.
#[test]
fn the_service_follows_what_it_reads() {
    let watched = |setup: &Setup| {
        let all = setup.step("two", "runtime");
        all.last().expect("the service").watches().to_vec()
    };
    assert_eq!(
        watched(&from_bundle(34, "").on_all(&container())),
        [
            "file:/etc/containerd/config.toml",
            "file:/etc/systemd/system/containerd.service",
            "archive:containerd",
            "file:/etc/systemd/system/containerd.service.d/bramble.conf",
            "directory:/etc/cni/net.d",
        ]
    );
    assert_eq!(
        watched(&Setup::new(cluster(""))),
        [
            "file:/etc/containerd/config.toml",
            "directory:/etc/cni/net.d"
        ]
    );
}

#[test]
fn a_bundle_without_the_runtime_is_an_obstacle() {
    let mut setup = from_bundle(34, "");
    setup.bundle = Some(without(
        bundle(version(34, 0), &[Arch::Amd64]),
        &["containerd", "runc"],
    ));
    let said = setup.obstacles("two");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("obstacle:runtime: the bundle holds no containerd, no runc for amd64, and runtime.source is bundle. take Debian's"), "{said:?}");
    // Debian's runtime needs none of them.
    let mut debian = Setup::new(cluster("  kubernetes: { version: v1.34.0 }\n"));
    debian.bundle = setup.bundle;
    assert_eq!(debian.obstacles("two"), [] as [String; 0]);
}

#[test]
fn a_bundle_for_other_machines_is_an_obstacle() {
    let mut setup = Setup::new(cluster("  kubernetes: { version: v1.34.0 }\n"));
    setup.bundle = Some(bundle(version(34, 0), &[Arch::Amd64]));
    let arm = Facts {
        arch: "arm64".into(),
        ..Facts::default()
    };
    setup.facts.insert("two".into(), arm);
    assert_eq!(setup.obstacles("one"), [] as [String; 0]);
    let said = setup.obstacles("two");
    assert!(
        said.len() == 1 && said[0].contains("no kubeadm, no kubelet, no kubectl for arm64"),
        "{said:?}"
    );
    // Before anybody has looked at it, nothing is known to be wrong.
    setup.facts.remove("two");
    assert_eq!(setup.obstacles("two"), [] as [String; 0]);
    let old = Facts {
        arch: "armv7l".into(),
        ..Facts::default()
    };
    setup.facts.insert("two".into(), old);
    assert!(setup.obstacles("two")[0].contains("its architecture is armv7l"));
}

/// The developer's plug-ins are not overwritten by those of the bundle, nor the other way round.
#[test]
fn own_plugins_win() {
    let mut setup = from_bundle(34, "  podNetwork: { plugin: custom, dir: cni }\n");
    let files = [("bin/bridge", "b"), ("conf/10-x.conflist", "{}")];
    let files = files.map(|(k, v)| (k.to_owned(), v.as_bytes().to_vec()));
    setup
        .assets
        .insert("cni".into(), files.into_iter().collect());
    let debug = format!("{:?}", setup.step("two", "runtime"));
    assert!(debug.contains("except: [\"bridge\"]"), "{debug}");
    assert_eq!(
        setup.ids("two", "pod-network/custom"),
        [
            "file:/opt/cni/bin/bridge",
            "file:/etc/cni/net.d/10-x.conflist"
        ]
    );
}

#[test]
fn configuration_of_version_2() {
    // Kubernetes before 1.26 gets containerd 1.x.
    insta::assert_snapshot!(
        from_bundle(24, "")
            .text("two", "runtime", CONFIG)
            .expect("a file")
    );
}

#[test]
fn configuration_of_version_3() {
    let setup = from_bundle(34, "").on_all(&container());
    insta::assert_snapshot!(setup.text("two", "runtime", CONFIG).expect("a file"));
}

/// containerd reads what is written for it, and takes the settings for its own.
#[test]
fn containerd_accepts_its_configuration() {
    let Some(containerd) = debian("usr/bin/containerd", &["containerd"]) else {
        return;
    };
    let said = run(&containerd, &["--version"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let one = said.contains(" 1.");
    let dir = tempfile::tempdir().expect("a folder");
    for (name, facts) in [("usual", Facts::default()), ("container", container())] {
        // Version 2 is read by both generations.
        let mut versions = vec![24];
        if !one {
            versions.push(34);
        }
        for minor in versions {
            let setup = from_bundle(minor, "").on_all(&facts);
            let path = dir.path().join("config.toml");
            std::fs::write(&path, setup.text("two", "runtime", CONFIG).expect("a file"))
                .expect("written");
            let out = run(
                &containerd,
                &["-c", path.to_str().expect("text"), "config", "dump"],
            );
            let dump = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(
                out.status.success(),
                "{}",
                String::from_utf8_lossy(&out.stderr)
            );
            let has = |key: &str, value: &str| {
                dump.lines()
                    .any(|l| l.trim().replace('\'', "\"") == format!("{key} = {value}"))
            };
            let cgroups = if name == "usual" { "true" } else { "false" };
            assert!(has("SystemdCgroup", cgroups), "{dump}");
            assert!(has("config_path", "\"/etc/containerd/certs.d\""), "{dump}");
            let restricted = if name == "usual" { "false" } else { "true" };
            assert!(has("restrict_oom_score_adj", restricted), "{dump}");
            let image = if one { "sandbox_image" } else { "sandbox" };
            let expected = if minor == 24 {
                "\"k8s.gcr.io/pause:3.7\""
            } else {
                "\"registry.k8s.io/pause:3.10.1\""
            };
            assert!(has(image, expected), "{dump}");
        }
    }
}

/// The note says which folders were new, and the undo takes exactly those.
#[test]
fn new_folders_go_with_the_runtime() {
    let setup = from_bundle(34, "");
    let all = setup.step("two", "runtime");
    let change = all[1]
        .plan(&Observation::default())
        .expect("a plan")
        .expect("a change");
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().display();
    // The same programs, with a root of their own.
    let moved = |text: &str| {
        ["/var/lib/", "/etc/", "/opt/", "/run/"]
            .iter()
            .fold(text.to_owned(), |t, p| t.replace(p, &format!("{root}{p}")))
    };
    for path in ["var/lib/bramble", "etc/cni/net.d", "run"] {
        std::fs::create_dir_all(dir.path().join(path)).expect("a folder");
    }
    let sh = |text: &str| {
        let out = std::process::Command::new("sh")
            .args(["-ec", text])
            .output()
            .expect("sh");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    };
    sh(&moved(change.apply.as_str()));
    for path in ["var/lib/containerd/x", "opt/cni/bin", "var/lib/cni"] {
        std::fs::create_dir_all(dir.path().join(path)).expect("a folder");
    }
    sh(&moved(change.undo.script().as_str()));
    let exists = |path: &str| dir.path().join(path).exists();
    assert!(exists("etc/cni/net.d") && exists("opt"));
    assert!(!exists("var/lib/containerd") && !exists("opt/cni") && !exists("var/lib/cni"));
    assert!(!exists("var/lib/bramble/runtime.absent"));
}
