//! What a cluster file names besides itself: folders of manifests and plug-ins, hooks.

use crate::common::{GOOD, Place, err, out};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

/// A cluster with a folder of manifests.
fn with_manifests() -> Place {
    let place = Place::with(&GOOD.replace(
        "addons: [demo]",
        "addons: [{ name: shop, manifests: shop }]",
    ));
    std::fs::create_dir_all(place.path("shop/more")).unwrap();
    std::fs::write(place.path("shop/one.yaml"), MAP).unwrap();
    std::fs::write(place.path("shop/more/two.yaml"), MAP).unwrap();
    place
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n";

/// A cluster with a pod network of one's own.
fn with_plugin() -> Place {
    let place = Place::with(&GOOD.replace(
        "  addons: [demo]",
        "  podNetwork: { plugin: custom, dir: net }",
    ));
    for dir in ["net/conf", "net/bin"] {
        std::fs::create_dir_all(place.path(dir)).unwrap();
    }
    std::fs::write(place.path("net/conf/10-own.conflist"), "{}").unwrap();
    std::fs::write(place.path("net/bin/own"), "#!/bin/sh\n").unwrap();
    place
}

fn pipe(place: &Place, path: &str) {
    let made = std::process::Command::new("mkfifo")
        .arg(place.path(path))
        .status();
    assert!(made.unwrap().success());
}

#[test]
fn folders_below_a_folder_of_manifests_and_editors_backups_are_fine() {
    let place = with_manifests();
    for name in [".hidden", "one.yaml~", ".one.yaml.swp", "one.swp"] {
        std::fs::write(place.path("shop").join(name), "no: [yaml").unwrap();
    }
    symlink("/etc/shadow", place.path("shop/.#one.yaml")).unwrap();
    place.bramble("check").assert().success();
}

#[test]
fn manifests_that_are_none_are_refused_by_name() {
    let place = with_manifests();
    std::fs::write(place.path("shop/one.yaml"), "kind: [").unwrap();
    std::fs::write(
        place.path("shop/more/two.yaml"),
        "apiVersion: v1\nkind: ConfigMap\n",
    )
    .unwrap();
    std::fs::write(place.path("shop/README.md"), "not: [yaml").unwrap();
    let said = place
        .bramble("check")
        .assert()
        .code(2)
        .get_output()
        .stderr
        .clone();
    let said = String::from_utf8_lossy(&said).into_owned();
    for part in [
        "one.yaml is no YAML",
        "two.yaml has a document (number 1) without metadata.name",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("README"), "{said}");
}

#[test]
fn what_is_no_plain_file_is_refused_all_at_once() {
    let place = with_manifests();
    symlink("/etc", place.path("shop/etc")).unwrap();
    symlink("one.yaml", place.path("shop/link.yaml")).unwrap();
    pipe(&place, "shop/pipe.yaml");
    let _socket = std::os::unix::net::UnixListener::bind(place.path("shop/socket")).unwrap();
    std::fs::write(place.path("shop/a b.yaml"), MAP).unwrap();
    let large = std::fs::File::create(place.path("shop/large.yaml")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    for command in ["check", "plan", "up"] {
        let text = err(&place.bramble(command).assert().code(2));
        for part in [
            "shop/etc: it is a symbolic link",
            "shop/link.yaml: it is a symbolic link",
            "shop/pipe.yaml: it is no regular file",
            "shop/socket: it is no regular file",
            "shop/a b.yaml: this name",
            "shop/large.yaml: it is larger than 64 MiB",
        ] {
            assert!(text.contains(part), "{command}: {part} in\n{text}");
        }
    }
}

#[test]
fn a_loop_of_links_ends() {
    let place = with_manifests();
    symlink("..", place.path("shop/more/up")).unwrap();
    let text = err(&place.bramble("check").assert().code(2));
    assert!(
        text.contains("shop/more/up: it is a symbolic link"),
        "{text}"
    );
}

#[test]
fn manifests_may_be_one_file_but_not_a_pipe() {
    let place = with_manifests();
    std::fs::remove_dir_all(place.path("shop")).unwrap();
    std::fs::write(place.path("shop"), MAP).unwrap();
    place.bramble("check").assert().success();
    std::fs::remove_file(place.path("shop")).unwrap();
    let text = err(&place.bramble("check").assert().code(2));
    assert!(text.contains("shop: No such file"), "{text}");
    pipe(&place, "shop");
    let text = err(&place.bramble("check").assert().code(2));
    assert!(text.contains("shop: it is no regular file"), "{text}");
}

#[test]
fn a_plug_ins_folders_are_flat() {
    let place = with_plugin();
    // What lies beside conf/ and bin/ is the developer's own affair.
    symlink("/etc", place.path("net/source")).unwrap();
    place.bramble("check").assert().success();
    std::fs::create_dir(place.path("net/bin/tools")).unwrap();
    symlink("/bin/true", place.path("net/bin/link")).unwrap();
    let text = err(&place.bramble("check").assert().code(2));
    assert!(
        text.contains("net/bin/tools: there may be no folder"),
        "{text}"
    );
    assert!(
        text.contains("net/bin/link: it is a symbolic link"),
        "{text}"
    );
}

#[test]
fn a_plug_in_without_a_configuration_is_said_so() {
    let place = with_plugin();
    std::fs::remove_dir_all(place.path("net/conf")).unwrap();
    let text = err(&place.bramble("check").assert().code(2));
    assert!(text.contains("holds no conf/"), "{text}");
}

#[test]
fn hooks_that_are_no_shell_are_named_before_any_connection() {
    let hook = |name: &str, run: &str| {
        format!("    - {{ name: {name}, after: base, run: \"{run}\", check: \"true\" }}\n")
    };
    let hooks = hook("fine", "if true; then echo; fi")
        + &hook("torn", "if true; then echo")
        + &hook("quote", "echo 'a");
    let place = Place::with(&format!("{GOOD}  hooks:\n{hooks}"));
    for command in ["check", "plan", "up"] {
        let assert = place.bramble(command).assert().code(2);
        let text = err(&assert);
        assert_eq!(out(&assert), "");
        assert!(text.contains("torn (run)"), "{command}: {text}");
        assert!(text.contains("quote (run)"), "{command}: {text}");
        assert!(
            text.to_lowercase().contains("end of file"),
            "{command}: {text}"
        );
        assert!(!text.contains("fine (run)"), "{command}: {text}");
    }
}

/// A router with a registry's user, whose password is in `pw`.
const SECRET: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  network: { lan: 10.77.0.0/24 }
  router:
    registry: { private: { users: [{ name: anna, passwordFile: pw }] } }
  machines:
    - { name: gate, roles: [router], address: 192.168.1.100 }
    - { name: one, roles: [control-plane], address: 10.77.0.11 }
";

#[test]
fn a_secret_that_is_none_is_told_where_it_is_named() {
    let place = Place::with(SECRET);
    for (text, why) in [
        (None, "No such file"),
        (Some(""), "it is empty"),
        (Some("a\nb\n"), "more than one line"),
    ] {
        if let Some(text) = text {
            std::fs::write(place.path("pw"), text).unwrap();
        }
        let said = err(&place.bramble("check").assert().code(2));
        for part in [
            "--> bramble.yaml:7:64",
            "pw (password of the registry's user anna)",
            why,
            "chmod 600",
        ] {
            assert!(said.contains(part), "{part} not in {said}");
        }
    }
    let assert = place.bramble("check --output json").assert().code(2);
    let value = crate::common::json(&assert);
    assert_eq!(value["problems"][0]["code"], "unreadable-secret");
    assert_eq!(value["problems"][0]["line"], 7);
}

#[test]
fn a_secret_that_others_can_read_is_noted() {
    let place = Place::with(SECRET);
    std::fs::write(place.path("pw"), "secret\n").unwrap();
    let mode = |mode| std::fs::set_permissions(place.path("pw"), Permissions::from_mode(mode));
    mode(0o640).unwrap();
    let said = err(&place.bramble("check").assert().success());
    assert!(
        said.contains("note: pw (") && said.contains("chmod 600 pw"),
        "{said}"
    );
    mode(0o600).unwrap();
    let said = err(&place.bramble("check").assert().success());
    assert!(!said.contains("chmod"), "{said}");
}

const BUCKET: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  etcd:
    snapshots:
      s3: { endpoint: \"https://s3.example\", bucket: backups, credentialsFile: pair }
  machines:
    - { name: one, roles: [control-plane], address: 10.77.0.11 }
";

#[test]
fn the_credentials_of_a_bucket_have_two_lines() {
    let place = Place::with(BUCKET);
    for (text, why) in [
        (None, "No such file"),
        (Some("AKIA1\n"), "it has 1 lines and not two"),
        (Some("AKIA1\nsecret\nmore\n"), "it has 3 lines and not two"),
        (Some("id = AKIA1\nkey = s3cret\n"), "no spaces in them"),
    ] {
        if let Some(text) = text {
            std::fs::write(place.path("pair"), text).unwrap();
        }
        let said = err(&place.bramble("check").assert().code(2));
        for part in [
            "--> bramble.yaml:7:79",
            "pair (credentials for the bucket backups)",
            why,
            "secret key in the second",
        ] {
            assert!(said.contains(part), "{part} not in {said}");
        }
        assert!(!said.contains("s3cret"), "{said}");
    }
    std::fs::write(place.path("pair"), "AKIA1\r\nwJalr/XUtn+FEMI=\r\n").unwrap();
    place.bramble("check").assert().success();
}
