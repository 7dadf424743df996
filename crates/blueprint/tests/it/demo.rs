//! The demo page is made of what the bundle has, for the nodes that take it.

use crate::setup::{Setup, cluster, load, without};
use bramble_machine::api::ApiResource;
use serde_json::Value;

const SPEC: &str = "  addons: [demo]\n";

/// The Deployment, if there is one, and the remarks.
fn demo(setup: &Setup) -> (Option<Value>, Vec<String>) {
    let blueprint = setup.blueprint();
    let step = blueprint.api.into_iter().find(|s| s.name == "addon/demo");
    let objects = step.into_iter().flat_map(|s| s.resources);
    let deployment = objects.into_iter().find_map(|r| match r {
        ApiResource::Object { manifest, .. } if manifest["kind"] == "Deployment" => Some(manifest),
        _ => None,
    });
    (deployment, blueprint.remarks)
}

#[test]
fn an_upstream_bundle_serves_it_with_busybox() {
    let (deployment, remarks) = demo(&Setup::new(cluster(SPEC)));
    let deployment = deployment.expect("a page");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let image = container["image"].as_str().unwrap_or_default();
    assert!(
        image.ends_with("/e2e-test-images/busybox:1.36.1-1"),
        "{image}"
    );
    assert!(
        container["command"][2]
            .as_str()
            .is_some_and(|c| c.contains("httpd -f -p 8080"))
    );
    assert_eq!(deployment["spec"]["replicas"], 3);
    assert!(!remarks.iter().any(|r| r.contains("demo")), "{remarks:?}");
}

#[test]
fn without_an_image_or_a_place_it_is_left_out_and_said() {
    let mut setup = Setup::new(cluster(SPEC));
    setup.bundle = setup.bundle.map(|b| without(b, &["busybox"]));
    let (deployment, remarks) = demo(&setup);
    assert_eq!(deployment, None);
    assert!(
        remarks
            .iter()
            .any(|r| r.contains("the bundle holds no image for it")),
        "{remarks:?}"
    );

    let tainted = |taints: &str| {
        load(&format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  machines:\n    \
             - {{ name: one, roles: [control-plane], address: 10.77.0.11{taints} }}\n{SPEC}"
        ))
    };
    let (deployment, _) = demo(&Setup::new(tainted("")));
    assert_eq!(deployment.expect("a page")["spec"]["replicas"], 1);
    let own = ", taints: [{ key: mine, effect: NoSchedule }]";
    let (deployment, remarks) = demo(&Setup::new(tainted(own)));
    assert_eq!(deployment, None);
    assert!(
        remarks.iter().any(|r| r.contains("every node has taints")),
        "{remarks:?}"
    );
}
