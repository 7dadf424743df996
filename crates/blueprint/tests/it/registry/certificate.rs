//! Whose certificate the machines trust.

use super::{STEP, routed};
use crate::setup::Setup;
use bramble_machine::{Facts, Observation};

/// The certificate is the one that the router has; as long as nobody has looked at the router, machines
/// keep theirs.
#[test]
fn the_certificate_is_the_routers() {
    let path = "/etc/containerd/router-registry.crt";
    let mut setup = routed("{}", "");
    assert_eq!(
        setup.text("two", "runtime", path).as_deref(),
        Some("fresh certificate\n")
    );
    let all = setup.step("gate", STEP);
    let keys = all
        .iter()
        .find(|r| r.id() == "keys:registry")
        .expect("keys");
    let change = keys
        .plan(&Observation::default())
        .expect("a plan")
        .expect("a change");
    let program = change.apply.as_str().to_owned();
    let name = program
        .split("public.")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let name = name
        .expect("a published file")
        .trim_end_matches(['"', '\'', ')'])
        .to_owned();
    let kept = Facts {
        public: [(name.clone(), "kept certificate\n".to_owned())].into(),
        ..Facts::default()
    };
    // Worth nothing before the router has it.
    let with = |setup: &Setup| {
        let all = setup.step("two", "runtime");
        let id = format!("file:{path}");
        let file = all.iter().find(|r| r.id() == id).expect("the file");
        let change = file.plan(&Observation::default()).expect("a plan");
        change.expect("a change").with
    };
    let keys = ("gate".to_owned(), "keys:registry".to_owned());
    assert_eq!(with(&setup), Some(keys));
    setup.facts.insert("gate".into(), kept);
    assert_eq!(with(&setup), None);
    assert_eq!(
        setup.text("two", "runtime", path).as_deref(),
        Some("kept certificate\n")
    );
    // Another name of the router is not in the kept one.
    let text = "network: { lan: 10.77.0.0/24, domain: other.example }";
    let other = routed("{}", "");
    let mut moved = other;
    moved.cluster.network.domain = "other.example".into();
    moved.facts.clone_from(&setup.facts);
    assert_eq!(
        moved.text("two", "runtime", path).as_deref(),
        Some("fresh certificate\n"),
        "{text}"
    );
    setup.facts.remove("gate");
    let all = setup.step("two", "runtime");
    let file = all
        .iter()
        .find(|r| r.id() == format!("file:{path}"))
        .expect("the file");
    assert!(
        file.plan(&Observation::default())
            .expect("a plan")
            .is_none()
    );
}
