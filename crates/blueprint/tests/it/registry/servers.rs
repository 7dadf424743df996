//! Real servers with the configuration that the router gets.

use super::{FULL, STEP, routed};
use crate::setup::{debian, run};
use std::path::Path;

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
