//! The shared address held by kube-vip.

use crate::setup::{Setup, load};
use bramble_bundle::index::{Artefact, Image, ImageRole};
use bramble_spec::cluster::Arch;

const INIT: &str = "control-plane/init";
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-vip.yaml";

/// Three control planes, with or without the image in the bundle.
fn setup(with_image: bool) -> Setup {
    let mut setup = Setup::new(load(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  kubernetes: { endpoint: { kubeVip: 10.77.0.10 } }\n  machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.11 }\n    - { name: two, roles: [control-plane], address: 10.77.0.12 }\n    - { name: three, roles: [control-plane], address: 10.77.0.13 }\n",
    ));
    let image = Image {
        reference: "ghcr.io/kube-vip/kube-vip:v1.2.3".into(),
        arch: Arch::Amd64,
        roles: ImageRole::ControlPlane,
        sha256: "f".repeat(64),
        size: 1000,
        image_digest: "sha256:0".into(),
    };
    let bundle = setup.bundle.as_mut().expect("a bundle");
    bundle
        .artefacts
        .extend(with_image.then_some(Artefact::Image(image)));
    setup
}

#[test]
fn the_pod_is_made_after_kubeadm_on_every_control_plane() {
    let setup = setup(true);
    for name in ["one", "two", "three"] {
        let ids = setup.ids(name, INIT);
        let at = |id: &str| ids.iter().position(|i| i == id);
        let (made, pod) = (at("action:kubeadm-init"), at(&format!("file:{MANIFEST}")));
        assert!(made.is_some() && made < pod, "{ids:?}");
        assert!(pod < at("action:kube-vip-answers"), "{ids:?}");
    }
    let text = setup.text("two", INIT, MANIFEST).expect("a manifest");
    insta::assert_snapshot!(text);
}

/// kubeadm calls the API by the address when nobody could hold it yet.
#[test]
fn the_address_is_lent_to_kubeadm_where_the_cluster_begins() {
    let setup = setup(true);
    let init = setup.program("one", INIT, "action:kubeadm-init");
    let at = |text: &str| {
        init.find(text)
            .unwrap_or_else(|| panic!("no {text}: {init}"))
    };
    let lent = at("ip address replace 10.77.0.10/32 dev eth0 valid_lft 1200");
    assert!(lent < at("kubeadm init"));
    let back = init.rfind("ip address del 10.77.0.10/32 dev eth0");
    assert!(back > init.rfind("kubeadm init"), "{init}");
    let join = setup.program("two", INIT, "action:kubeadm-init");
    assert!(!join.contains("ip address"), "{join}");
}

#[test]
fn without_the_image_it_is_said_how_to_get_it() {
    let blueprint = setup(false).blueprint();
    let steps = &blueprint.machines["one"].steps;
    let all = steps.iter().flat_map(|s| &s.resources);
    let said: Vec<String> = all
        .filter_map(|r| r.plan(&Default::default()).err())
        .map(|e| format!("{e} {}", e.hint()))
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("no image of kube-vip for amd64"),
        "{said:?}"
    );
    assert!(said[0].contains("bramble bundle add"), "{said:?}");
}
