//! What somebody changed by hand is found, named exactly, and mended.

use super::{RECOVERY, is_whole};
use bramble_tests::kubectl::Kubectl;
use bramble_tests::{Site, until};

/// What is done to a machine, and the plan's lines that follow from it.
const CASES: &[(&str, &str, &[&str])] = &[
    (
        "one",
        "rm /etc/kubernetes/manifests/kube-scheduler.yaml",
        &["one control-plane/init kept:/etc/kubernetes/manifests/kube-scheduler.yaml"],
    ),
    (
        "one",
        "sed -i 's/--leader-elect=true/--leader-elect=false/' /etc/kubernetes/manifests/kube-controller-manager.yaml",
        &["one control-plane/init kept:/etc/kubernetes/manifests/kube-controller-manager.yaml"],
    ),
    (
        "three",
        "rm -rf /etc/cni/net.d",
        &[
            "three runtime directory:/etc/cni/net.d",
            "three runtime service:containerd.service",
            "three pod-network/routed file:/etc/cni/net.d/10-bramble.conflist",
        ],
    ),
    (
        "two",
        "echo '# by hand' >> /etc/bird/bird.conf",
        &[
            "two pod-network/routed file:/etc/bird/bird.conf",
            "two pod-network/routed service:bird.service",
        ],
    ),
    (
        "three",
        "sed -i s/10-/11-/ /etc/containerd/config.toml; echo '# by hand' >> /etc/containerd/config.toml",
        &[
            "three runtime file:/etc/containerd/config.toml",
            "three runtime service:containerd.service",
        ],
    ),
    (
        "three",
        "chmod 600 /etc/crictl.yaml",
        &["three kubernetes file:/etc/crictl.yaml"],
    ),
    (
        "two",
        "systemctl stop bird",
        &["two pod-network/routed service:bird.service"],
    ),
    (
        "two",
        "systemctl -q disable containerd",
        &["two runtime service:containerd.service"],
    ),
    (
        "two",
        "dpkg --purge --force-depends ethtool",
        &[
            "two base/packages reach:packages",
            "two base/packages packages:base",
        ],
    ),
    (
        "one",
        "rm /opt/cni/bin/bridge",
        &["one pod-network/routed link:/opt/cni/bin/bridge"],
    ),
    (
        "three",
        "nft delete table ip bramble-masquerade",
        &["three pod-network/routed action:masquerade-rules"],
    ),
    (
        "two",
        "sysctl -qw net.ipv4.ip_forward=0",
        &["two base/system sysctl:kubernetes"],
    ),
];

pub fn is_found_and_mended(site: &Site, kubectl: &Kubectl) {
    for (machine, program, expected) in CASES {
        site.on(machine, program);
        mended(site, &format!("{machine}: {program}"), expected);
    }
    a_reload_is_no_restart(site);

    kubectl.run(&[
        "label",
        "node",
        "two",
        "--overwrite",
        "example.org/shelf=right",
    ]);
    mended(site, "a label", &["- nodes node:two"]);
    kubectl.run(&["taint", "node", "one", "node-role.kubernetes.io/master-"]);
    mended(site, "a taint", &["- nodes node:one"]);
    kubectl.run(&["scale", "deployment", "demo", "--replicas=1"]);
    mended(
        site,
        "a scaled deployment",
        &["- addon/demo apps/v1/Deployment:default/demo"],
    );
    kubectl.run(&["delete", "service", "demo"]);
    mended(
        site,
        "a deleted service",
        &["- addon/demo v1/Service:default/demo"],
    );
    until("the demo runs", RECOVERY, || kubectl.demo().len() == 3);
    is_whole(site, kubectl);
}

#[track_caller]
fn mended(site: &Site, what: &str, expected: &[&str]) {
    assert_eq!(site.changes(), expected, "the plan after {what}");
    site.up();
    site.nothing_to_do();
}

/// BIRD keeps its neighbors and routes when its configuration changes.
fn a_reload_is_no_restart(site: &Site) {
    let pid = || site.on("three", "systemctl show -p MainPID --value bird");
    let before = pid();
    site.on("three", "echo '# by hand' >> /etc/bird/bird.conf");
    site.up();
    assert_eq!(before, pid(), "bird was reloaded");
}
