//! What the router does for the other machines, a file for each step.

pub(super) mod backup;
pub(super) mod ddns;
pub(super) mod dhcp;
pub(super) mod firewall;
pub(super) mod ingress;
pub(super) mod network;
pub(super) mod packages;
pub(super) mod registry;
mod registry_config;
pub(super) mod vpn;

use crate::context::On;
use crate::vpn::{OPENVPN_INTERFACE, WIREGUARD_INTERFACE};
use bramble_spec::cluster::Router;

/// Interfaces of the VPN servers that the router has.
fn tunnels(router: &Router) -> impl Iterator<Item = &'static str> {
    let vpn = router.vpn.iter();
    vpn.flat_map(|vpn| {
        [
            vpn.wireguard.as_ref().map(|_| WIREGUARD_INTERFACE),
            vpn.openvpn.as_ref().map(|_| OPENVPN_INTERFACE),
        ]
    })
    .flatten()
}

/// Interfaces behind the router; `None` while the LAN's is not known.
fn inner_interfaces(on: &On) -> Option<Vec<String>> {
    let mut out = vec![on.lan_interface().ok()?];
    out.extend(tunnels(on.router()?).map(str::to_owned));
    Some(out)
}
