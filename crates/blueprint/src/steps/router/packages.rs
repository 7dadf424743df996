//! Everything that the router's services need, by one run of apt.
//!
//! None of them is started by its installation: on a router a service that runs with the settings it
//! came with, before the firewall is up, would be open to everybody outside.

use crate::context::{On, r};
use crate::masked::Masked;
use crate::steps::endpoint;
use crate::vpn::learns_pods;
use bramble_machine::Step;
use bramble_machine::kinds::Packages;

/// Name of the packages' group.
pub(crate) const GROUP: &str = "router";

pub(crate) fn step(on: &On) -> Option<Step> {
    let router = on.router()?;
    let mut names = vec!["nftables", "dnsmasq", "chrony"];
    let mut leftovers = vec!["/etc/dnsmasq.d", "/var/lib/misc/dnsmasq.leases"];
    leftovers.extend(crate::steps::time::LEFTOVERS);
    if router.uplink.wifi.is_some() {
        names.extend(["wpasupplicant", "iw", "wireless-regdb"]);
        leftovers.push("/etc/wpa_supplicant");
    }
    if let Some(vpn) = &router.vpn {
        let (more, left) = super::vpn::packages(on, vpn);
        names.extend(more);
        leftovers.extend(left);
    }
    if learns_pods(on.cluster()) {
        names.push("bird2");
        leftovers.extend(["/etc/bird", "/run/bird"]);
    }
    if router.ddns.is_some() {
        names.extend(["curl", "jq"]);
    }
    let mut asleep = Vec::new();
    if let Some(registry) = &router.registry {
        names.push("docker-registry");
        asleep.push(("docker-registry.service", "docker-registry"));
        leftovers.extend(["/etc/docker", "/var/lib/docker-registry"]);
        if !registry.mirrors.is_empty() {
            names.push("nginx");
            // The unit is in the part that all of Debian's kinds of nginx have in common.
            asleep.push(("nginx.service", "nginx-common"));
            leftovers.extend(["/etc/nginx", "/var/lib/nginx", "/var/www"]);
        }
    }
    if router.ingress.is_some() || endpoint::balances(on) {
        names.push("haproxy");
        leftovers.extend(["/etc/haproxy", "/var/lib/haproxy"]);
    }
    if router.backup.is_some() {
        names.push("borgbackup");
    }
    let packages = Packages::new(GROUP, names).leaving(leftovers).quietly();
    let mut out = vec![r(packages)];
    // They stay asleep as long as their package stays, whatever becomes of the step that uses its program.
    out.extend(
        asleep
            .into_iter()
            .map(|(unit, package)| r(Masked::new(unit, Packages::came_with(GROUP, package)))),
    );
    Some(on.step("router/packages", out))
}
