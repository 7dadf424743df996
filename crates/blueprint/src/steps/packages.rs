//! Package sources, proxy and the packages that everything else needs.

use crate::context::{On, r};
use crate::proxy;
use bramble_machine::Step;
use bramble_machine::kinds::{AptMirror, File, Packages};
use bramble_spec::cluster::Role;

pub(super) fn step(on: &On) -> Option<Step> {
    let cluster = on.cluster();
    let mut out = Vec::new();
    if let Some(text) = proxy::apt(on) {
        out.push(r(File::text("/etc/apt/apt.conf.d/90bramble-proxy", text)));
    }
    if let Some(url) = proxy::mirror(on) {
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
        names.extend(["conntrack", "iptables", "socat", "ethtool", "ebtables"]);
    }
    // Of the router's packages this one alone is a node's as well: it must not go with one of the two roles.
    if on.machine.is_node() || on.router().is_some() {
        names.push("nftables");
    }
    if on.is(Role::ControlPlane) {
        names.push("bash-completion");
    }
    out.push(r(Packages::new("base", names)));
    Some(on.step("base/packages", out))
}
