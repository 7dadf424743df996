//! The shared address held by kube-vip. Its image can't be had where tests run; one that behaves as its
//! documentation says stands in for it, under its name.

use super::{PLANES, RECOVERY, shared};
use bramble_tests::listing::{LEFT, assert_all_same};
use bramble_tests::{Listing, Site, until};
use std::path::Path;
use std::process::Command;

const VERSION: &str = "v1.20.2";

#[test]
fn the_address_is_held_by_a_pod() {
    let mut site = Site::new("t-kube-vip", 68, &PLANES);
    for name in &PLANES[1..] {
        site.machine(name).roles = "control-plane".into();
    }
    let spec = |address: &str| {
        format!("kubernetes: {{ version: {VERSION}, endpoint: {{ kubeVip: {address} }} }}\n")
    };
    let address = shared(&site);
    site.write(&spec(&format!("\"{address}:7443\"")));
    site.bramble(&["plan"])
        .expect(2)
        .says("whose port is 6443, and not 7443");
    site.write(&spec(&address));
    site.lab_up();
    let before = Listing::all(&site, Listing::full);
    own_bundle(&site);
    site.bramble(&["up"])
        .expect(1)
        .says("holds no image of kube-vip")
        .says("bramble bundle add");
    let image = image(&site);
    site.bramble(&["bundle", "add", &image, "--for", "control-plane"])
        .expect(0);
    site.bramble(&["bundle", "verify"]).expect(0);

    site.up();
    site.nothing_to_do();
    let url = format!("https://{address}:6443/readyz");
    let holder = holder(&site, &address);
    // A kubelet's first look at its pods may come later than `up` ends.
    site.bramble(&["wait"]).expect(0);
    site.bramble(&["status"]).expect(0).says("holds it");
    site.lab().kill(&holder).expect("it is off");
    until("another has the address", RECOVERY, || {
        let others = PLANES.iter().filter(|m| **m != holder);
        let has = |m: &&&str| has(&site, m, &address);
        others.filter(has).count() == 1 && site.page(&url).is_ok()
    });
    site.lab()
        .start(&holder, RECOVERY, |_| {})
        .expect("it starts");
    until("three members are healthy", RECOVERY, || {
        site.bramble(&["etcd", "members"]).code == Some(0)
    });

    // Certificates that it reads when it starts: it is started anew with the others.
    let pod = "ctr -n k8s.io containers ls -q 'labels.\"io.kubernetes.container.name\"==kube-vip'";
    let old = site.on("one", pod);
    site.bramble(&["certs", "renew"]).expect(0);
    assert_ne!(site.on("one", pod), old);
    until("the API answers at the address", RECOVERY, || {
        site.page(&url).is_ok()
    });

    site.bramble(&["down", "--yes"]).expect(0);
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);
}

fn has(site: &Site, machine: &str, address: &str) -> bool {
    let look = format!("ip -o -4 address show to {address} | grep -q .");
    site.try_on(machine, &look).code == Some(0)
}

fn holder(site: &Site, address: &str) -> String {
    let holders: Vec<&str> = PLANES
        .into_iter()
        .filter(|m| has(site, m, address))
        .collect();
    assert_eq!(holders.len(), 1, "{holders:?}");
    holders[0].to_owned()
}

/// A copy of this computer's bundle, where the program looks first: others go on with theirs as it is.
fn own_bundle(site: &Site) {
    let folder = site.folder().join(".cache/bramble/bundles");
    std::fs::create_dir_all(&folder).expect("a folder");
    let name = format!("debian-{VERSION}");
    let from = Path::new("/var/cache/bramble/bundles").join(&name);
    // Links where it is the same disk: what is in a bundle is replaced, never written to.
    let links = Command::new("cp")
        .arg("-al")
        .args([&from, &folder.join(&name)])
        .output();
    if !links.is_ok_and(|done| done.status.success()) {
        run(Command::new("cp")
            .arg("-aT")
            .args([&from, &folder.join(&name)]));
    }
}

/// A file as `docker save` writes it, of busybox, kubectl and the program that stands in.
fn image(site: &Site) -> String {
    let root = site.folder().join("image");
    let layer = root.join("layer");
    for folder in ["bin", "tmp"] {
        std::fs::create_dir_all(layer.join(folder)).expect("a folder");
    }
    let bundle = std::fs::read_to_string(format!(
        "/var/cache/bramble/bundles/debian-{VERSION}/bundle.json"
    ));
    let bundle: serde_json::Value =
        serde_json::from_str(&bundle.expect("a bundle")).expect("an index");
    let all = bundle["artefacts"].as_array().cloned().unwrap_or_default();
    let kubectl = all
        .iter()
        .find(|a| a["name"] == "kubectl")
        .expect("kubectl");
    let hash = kubectl["sha256"].as_str().unwrap_or_default();
    let blob = format!("/var/cache/bramble/bundles/debian-{VERSION}/blobs/sha256/{hash}");
    let put = |from: &str, to: &str| {
        run(Command::new("install")
            .args(["-m", "0755", from])
            .arg(layer.join(to)));
    };
    put(&blob, "bin/kubectl");
    put("/bin/busybox", "bin/busybox");
    for applet in ["sh", "ip", "arping", "date", "sleep", "timeout"] {
        std::os::unix::fs::symlink("busybox", layer.join("bin").join(applet)).expect("a link");
    }
    std::fs::write(layer.join("kube-vip"), include_str!("kube_vip_standin.sh")).expect("written");
    run(Command::new("chmod")
        .arg("0755")
        .arg(layer.join("kube-vip")));
    run(Command::new("tar")
        .current_dir(&root)
        .args(["-cf", "layer.tar", "-C", "layer", "."]));
    let sum = said(Command::new("sha256sum").arg(root.join("layer.tar")));
    let sum = sum.split_whitespace().next().unwrap_or_default();
    let arch = &kubectl["arch"];
    let config = serde_json::json!({
        "architecture": arch, "os": "linux",
        "config": { "Env": ["PATH=/bin"], "Entrypoint": ["/kube-vip"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{sum}")] },
    });
    let manifest = serde_json::json!([{
        "Config": "config.json", "Layers": ["layer.tar"],
        "RepoTags": ["ghcr.io/kube-vip/kube-vip:v1.2.3"],
    }]);
    std::fs::write(root.join("config.json"), config.to_string()).expect("written");
    std::fs::write(root.join("manifest.json"), manifest.to_string()).expect("written");
    let file = site.folder().join("kube-vip.tar");
    run(Command::new("tar")
        .current_dir(&root)
        .arg("-cf")
        .arg(&file)
        .args(["manifest.json", "config.json", "layer.tar"]));
    file.display().to_string()
}

fn run(command: &mut Command) {
    said(command);
}

fn said(command: &mut Command) -> String {
    let done = command.output().expect("it runs");
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}
