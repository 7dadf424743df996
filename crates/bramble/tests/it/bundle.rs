//! `bundle`: wrong use, and folders that are or aren't bundles.

use crate::common::{GOOD, Place, err, json, out};

/// A bundle of one program, `verify`'s digest of which is right.
fn bundle(place: &Place) {
    let blobs = place.path("b/blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    // sha256sum of the four bytes.
    let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    std::fs::write(blobs.join(sha256), "test").unwrap();
    let index = serde_json::json!({
        "format": 1, "kubernetes": "v1.34.2", "archs": ["amd64"],
        "source": { "kind": "upstream", "detail": "a test", "key": "k" },
        "artefacts": [{
            "kind": "binary", "name": "kubelet", "arch": "amd64", "version": "v1.34.2",
            "sha256": sha256, "size": 4, "mode": 493,
        }],
    });
    std::fs::write(place.path("b/bundle.json"), index.to_string()).unwrap();
}

#[test]
fn a_sound_bundle_is_said_so_and_a_damaged_one_is_named() {
    let place = Place::new();
    bundle(&place);
    let text = out(&place.bramble("bundle verify b").assert().success());
    assert!(text.contains("b is sound: 1 file,"), "{text}");
    let blob = std::fs::read_dir(place.path("b/blobs/sha256"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    std::fs::write(blob.path(), "tesT").unwrap();
    let assert = place.bramble("bundle verify b").assert().code(1);
    assert!(out(&assert).contains("kubelet"), "{}", out(&assert));
    let remedy = "bramble bundle build --from upstream --version v1.34.2 --arch amd64 --dir b ";
    assert!(err(&assert).contains(remedy), "{}", err(&assert));
    let value = json(
        &place
            .bramble("bundle verify b --output json")
            .assert()
            .code(1),
    );
    assert_eq!(value["sound"], false);
    assert_eq!(value["findings"][0]["artefact"], "kubelet (amd64)");
}

#[test]
fn what_a_bundle_holds_is_listed() {
    let place = Place::new();
    bundle(&place);
    let text = out(&place.bramble("bundle list b").assert().success());
    assert!(
        text.contains("v1.34.2") && text.contains("kubelet"),
        "{text}"
    );
    let value = json(
        &place
            .bramble("bundle list b --output json")
            .assert()
            .success(),
    );
    assert_eq!(value["artefacts"][0]["name"], "kubelet");
    assert_eq!(value["complete"], true);
}

#[test]
fn bundles_of_the_users_cache_are_found() {
    let place = Place::with(GOOD);
    bundle(&place);
    let cache = place.path("cache/bramble/bundles");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::rename(place.path("b"), cache.join("mine")).unwrap();
    let list = place
        .bramble("bundle list")
        .env("XDG_CACHE_HOME", place.path("cache"))
        .assert();
    assert!(out(&list.success()).contains("bundles/mine"));
    // The cluster file's release is this one's: no folder needs to be named.
    let verify = place
        .bramble("bundle verify")
        .env("XDG_CACHE_HOME", place.path("cache"))
        .assert();
    assert!(out(&verify.success()).contains("is sound"));
}

#[test]
fn wrong_use_is_said_before_anything_is_made() {
    let place = Place::new();
    for (wrong, part) in [
        ("bundle build --from mirror --dir x", "--url"),
        (
            "bundle build --from debian --url http://a/ --dir x",
            "--url means nothing",
        ),
        (
            "bundle build --from upstream --arch riscv --dir x",
            "amd64, arm64",
        ),
        (
            "bundle build --from upstream --version newest --dir x",
            "--version",
        ),
        (
            "bundle build --from mirror --url nowhere --dir x",
            "is no URL",
        ),
        (
            "bundle build --from debian --version v1.34.2 --dir x",
            "v1.20.2",
        ),
    ] {
        let text = err(&place.bramble(wrong).assert().code(2));
        assert!(text.contains(part), "{wrong}: {text}");
        assert!(!place.path("x").exists(), "{wrong}");
    }
    let text = err(&place.bramble("bundle verify x").assert().code(1));
    assert!(text.contains("is no bundle"), "{text}");
}

#[test]
fn a_bundle_that_can_not_be_opened_is_named_where_one_is_missed() {
    let place = Place::with(GOOD);
    let broken = place.path("cache/bramble/bundles/torn");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("bundle.json"), "{ \"format\": 1,").unwrap();
    for (command, code) in [("plan", 1), ("up", 1), ("bundle verify", 1)] {
        let text = err(&place
            .bramble(command)
            .env("XDG_CACHE_HOME", place.path("cache"))
            .assert()
            .code(code));
        assert!(text.contains("there is no bundle of Kubernetes"), "{text}");
        assert!(text.contains("bundles/torn"), "{text}");
    }
}
