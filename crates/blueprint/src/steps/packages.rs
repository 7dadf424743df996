//! Package sources, proxy and the packages that everything else needs.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{AptMirror, File, Packages};
use bramble_spec::cluster::Arch;

pub(super) fn step(on: &On) -> Option<Step> {
    let cluster = on.cluster();
    let mut out = Vec::new();
    if let Some(proxy) = &cluster.proxy {
        let mut text = String::new();
        for (scheme, url) in [("http", &proxy.http), ("https", &proxy.https)] {
            if let Some(url) = url {
                text.push_str(&format!("Acquire::{scheme}::Proxy \"{url}\";\n"));
            }
        }
        out.push(r(File::text("/etc/apt/apt.conf.d/90bramble-proxy", text)));
    }
    let arm = on.arch() == Arch::Arm64;
    let mirror = cluster
        .mirrors
        .apt_arm
        .as_ref()
        .filter(|_| arm)
        .or(cluster.mirrors.apt.as_ref());
    if let Some(url) = mirror {
        out.push(r(AptMirror::new(url)));
    }
    let mut names = vec![
        "ca-certificates",
        "openssl",
        "iproute2",
        "procps",
        "kmod",
        "tzdata",
    ];
    if cluster.users.iter().any(|u| u.sudo) {
        names.push("sudo");
    }
    if on.machine.is_node() {
        // What kubeadm's preflight asks for.
        names.extend([
            "conntrack",
            "iptables",
            "socat",
            "ethtool",
            "ebtables",
            "nftables",
        ]);
    }
    out.push(r(Packages::new("base", names)));
    Some(on.step("base/packages", out))
}
