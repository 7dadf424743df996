//! `kubeconfig --remove` on files; the rest needs a cluster and stands with the whole-system tests.

use crate::common::{GOOD, Place, err, json, out};
use std::os::unix::fs::PermissionsExt;

const TWO: &str = "\
apiVersion: v1
kind: Config
clusters:
- name: work
  cluster: { server: \"https://10.0.0.1:6443\" }
- name: home
  cluster: { server: \"https://192.168.1.11:6443\" }
contexts:
- name: work
  context: { cluster: work, user: work }
- name: home
  context: { cluster: home, user: home }
users:
- name: work
  user: { token: of-work }
- name: home
  user: { token: of-home }
current-context: home
";

#[test]
fn the_cluster_is_taken_out_and_others_stay() {
    let place = Place::with(GOOD);
    std::fs::write(place.path("config"), TWO).unwrap();
    let text = out(&place
        .bramble("kubeconfig --remove --into config")
        .assert()
        .success());
    assert!(text.contains("home is taken out"), "{text}");
    let rest = place.read("config");
    assert!(
        rest.contains("of-work") && rest.contains("10.0.0.1"),
        "{rest}"
    );
    assert!(
        !rest.contains("of-home") && !rest.contains("192.168.1.11"),
        "{rest}"
    );
    let mode = std::fs::metadata(place.path("config"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = json(
        &place
            .bramble("kubeconfig --remove --into config --output json")
            .assert()
            .success(),
    );
    assert_eq!(again["changed"], false);
    assert_eq!(place.read("config"), rest);
}

#[test]
fn the_first_file_of_the_variable_is_meant() {
    let place = Place::with(GOOD);
    std::fs::write(place.path("a"), TWO).unwrap();
    std::fs::write(place.path("b"), TWO).unwrap();
    place
        .bramble("kubeconfig --remove")
        .env("KUBECONFIG", "a:b")
        .assert()
        .success();
    assert!(!place.read("a").contains("of-home"));
    assert_eq!(place.read("b"), TWO);
}

#[test]
fn a_file_that_is_not_there_is_no_error() {
    let place = Place::with(GOOD);
    let text = out(&place.bramble("kubeconfig --remove").assert().success());
    assert!(
        text.contains(".kube/config") && text.contains("nothing to do"),
        "{text}"
    );
    assert!(!place.path(".kube").exists());
}

#[test]
fn a_file_that_cannot_be_read_is_left_alone() {
    let place = Place::with(GOOD);
    let broken = "users:\n- name: x\n  user: { token: very-secret\n";
    std::fs::write(place.path("config"), broken).unwrap();
    let text = err(&place
        .bramble("kubeconfig --remove --into config")
        .assert()
        .code(1));
    assert!(
        text.contains("not valid YAML") && !text.contains("very-secret"),
        "{text}"
    );
    assert_eq!(place.read("config"), broken);
}

#[test]
fn a_folder_that_is_missing_is_named_before_any_connection() {
    let place = Place::with(crate::common::GOOD);
    for (command, variable) in [
        ("kubeconfig --into nope/x", ""),
        ("kubeconfig", "nope/config"),
    ] {
        let mut command = place.bramble(command);
        let text = err(&command.env("KUBECONFIG", variable).assert().code(2));
        assert!(
            text.contains("there is no folder nope") && text.contains("mkdir -p nope"),
            "{text}"
        );
        assert!(!place.path("nope").exists());
    }
}
