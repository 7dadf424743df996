//! The shared address held by kube-vip.

use crate::setup::{Setup, load};
use bramble_bundle::index::{Artefact, Image, ImageRole};
use bramble_spec::cluster::Arch;

const INIT: &str = "control-plane/init";
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-vip.yaml";

/// Three control planes, with these releases of the image in the bundle.
fn setup(releases: &[&str]) -> Setup {
    let mut setup = Setup::new(load(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  kubernetes: { endpoint: { kubeVip: 10.77.0.10 } }\n  machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.11 }\n    - { name: two, roles: [control-plane], address: 10.77.0.12 }\n    - { name: three, roles: [control-plane], address: 10.77.0.13 }\n",
    ));
    let image = |release: &&str| {
        Artefact::Image(Image {
            reference: format!("ghcr.io/kube-vip/kube-vip:{release}"),
            arch: Arch::Amd64,
            roles: ImageRole::ControlPlane,
            sha256: "f".repeat(64),
            size: 1000,
            image_digest: "sha256:0".into(),
        })
    };
    let bundle = setup.bundle.as_mut().expect("a bundle");
    bundle.artefacts.extend(releases.iter().map(image));
    setup
}

#[test]
fn the_pod_is_made_after_kubeadm_on_every_control_plane() {
    let setup = setup(&["v1.2.3"]);
    for name in ["one", "two", "three"] {
        let ids = setup.ids(name, INIT);
        let at = |id: &str| ids.iter().position(|i| i == id);
        let (made, pod) = (at("action:kubeadm-init"), at(&format!("file:{MANIFEST}")));
        assert!(made.is_some() && made < pod, "{ids:?}");
        assert!(pod < at("action:kube-vip-answers"), "{ids:?}");
    }
    // The kubelet would run what lies beside it under another name.
    let written = setup.program("two", INIT, &format!("file:{MANIFEST}"));
    assert!(
        written.contains("/manifests/.kube-vip.yaml.bramble-new"),
        "{written}"
    );
    let text = setup.text("two", INIT, MANIFEST).expect("a manifest");
    insta::assert_snapshot!(text);
}

/// kubeadm calls the API by the address when nobody could hold it yet.
#[test]
fn the_address_is_lent_to_kubeadm_where_the_cluster_begins() {
    let setup = setup(&["v1.2.3"]);
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

/// Of several the newest, by its numbers.
#[test]
fn the_newest_image_is_taken() {
    let setup = setup(&["v1.2.3", "v1.2.10", "v0.9.1"]);
    let text = setup.text("one", INIT, MANIFEST).expect("a manifest");
    assert!(text.contains("kube-vip:v1.2.10"), "{text}");
}

#[test]
fn without_the_image_it_is_said_how_to_get_it() {
    let said = |releases: &[&str]| -> Vec<String> {
        let blueprint = setup(releases).blueprint();
        let steps = &blueprint.machines["one"].steps;
        let all = steps.iter().flat_map(|s| &s.resources);
        let failed = all.filter_map(|r| r.plan(&Default::default()).err());
        failed.map(|e| format!("{e} {}", e.hint())).collect()
    };
    let none = said(&[]);
    assert_eq!(none.len(), 1, "{none:?}");
    assert!(
        none[0].contains("no image of kube-vip for amd64"),
        "{none:?}"
    );
    assert!(none[0].contains("bramble bundle add"), "{none:?}");
    let old = said(&["v0.8.10"]);
    assert!(
        old[0].contains("kube-vip:v0.8.10, which doesn't know"),
        "{old:?}"
    );
    assert_eq!(said(&["v0.9.0"]), [""; 0]);
    assert_eq!(said(&["own-build"]), [""; 0]);
}

/// Killed, it would keep the address beside its next owner until all else is undone.
#[test]
fn it_lets_go_before_the_control_plane_is_taken_apart() {
    use bramble_machine::Undo;
    let setup = setup(&["v1.2.3"]);
    let all = setup.step("two", INIT);
    let found = all.iter().find(|r| r.id() == "action:kube-vip-answers");
    let change = found.expect("it").plan(&Default::default());
    let change = change.expect("a plan").expect("a change");
    let Undo::Action(undo) = change.undo else {
        panic!("{:?}", change.undo)
    };
    let ends = undo.program.find("tasks kill -s TERM");
    let lets_go = undo.program.find("ip address del 10.77.0.10/32");
    assert!(ends.is_some() && ends < lets_go, "{}", undo.program);
}
